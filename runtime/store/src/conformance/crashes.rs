//! What a crash may take, and what not.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::conformance::tools::{content, ensure, get, noise, number, put, to_number};
use crate::conformance::{Breach, Subject, crash, open};
use crate::random::Random;
use crate::{Batch, CommitError, Store};

const ROUNDS: u64 = 12;
const WRITERS: u64 = 8;

pub(crate) async fn what_was_answered_survives_crashes(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let mut store = open(subject).await?;
    let mut random = Random::new(seed);
    for round in 0..ROUNDS {
        let commits = 1 + random.below(30);
        for n in 0..commits {
            put(&store, Batch::new().put(number(round * 100 + n), "x").put("last", number(n)))
                .await?;
        }
        store = crash(subject, store).await?;
        let all = content(&store).await?;
        let lost = (0..commits).find(|n| !all.contains_key(&number(round * 100 + n)));
        ensure!(4, lost.is_none(), "round {round}: commit {lost:?} of {commits} is lost");
        let last = all.get(&b"last"[..]).and_then(|value| to_number(value));
        ensure!(4, last == Some(commits - 1), "round {round}: the last value is {last:?}");
    }
    Ok(())
}

/// What one writer knows: the last number answered, and whether a higher one may have landed.
#[derive(Clone, Copy, Default)]
struct Known {
    answered: u64,
    tried: u64,
}

pub(crate) async fn a_crash_leaves_whole_batches(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let mut store = open(subject).await?;
    let mut random = Random::new(seed);
    let mut known = [Known::default(); WRITERS as usize];
    for round in 0..ROUNDS {
        let answers = random.below(100);
        write_until(&store, &mut known, answers).await?;
        store = crash(subject, store).await?;
        for (writer, known) in (0..).zip(&mut known) {
            *known = verify(&store, writer, *known, round).await?;
        }
    }
    Ok(())
}

/// Every writer commits one batch after the other, until so many answers have come; the calls that
/// are then under way are dropped.
async fn write_until(
    store: &Arc<dyn Store>,
    known: &mut [Known; WRITERS as usize],
    answers: u64,
) -> Result<(), Breach> {
    let step = |writer: u64, n: u64| {
        let commit = store.commit(batch_of(writer, n));
        async move { (writer, n, commit.await) }
    };
    let mut under_way = FuturesUnordered::new();
    for (writer, known) in (0..).zip(known.iter_mut()) {
        known.tried += 1;
        under_way.push(step(writer, known.tried));
    }
    for _ in 0..answers {
        let Some((writer, n, outcome)) = under_way.next().await else { break };
        let known = &mut known[writer as usize];
        match outcome {
            Ok(()) => known.answered = n,
            Err(CommitError::Down(_) | CommitError::Unknown { .. }) => {}
            Err(error) => return Err(Breach::new(4, format!("commit failed: {error}"))),
        }
        known.tried += 1;
        under_way.push(step(writer, known.tried));
    }
    Ok(())
}

/// Several keys, some of them large, that all say the same number.
fn batch_of(writer: u64, n: u64) -> Batch {
    (0..4).fold(Batch::new(), |batch, key| {
        let size = if key == 3 { 10_000 } else { 0 };
        let value = [&number(n)[..], &noise(size, n)].concat();
        batch.put(key_of(writer, key), value)
    })
}

fn key_of(writer: u64, key: u64) -> Vec<u8> {
    [&number(writer)[..], &number(key)].concat()
}

async fn verify(
    store: &Arc<dyn Store>,
    writer: u64,
    known: Known,
    round: u64,
) -> Result<Known, Breach> {
    let mut found = [0; 4];
    for (key, found) in (0..).zip(&mut found) {
        let Some(value) = get(store, &key_of(writer, key)).await? else { continue };
        *found = to_number(&value[..8]).unwrap_or_default();
        let tail = noise(value.len() - 8, *found);
        ensure!(7, value[8..] == tail, "writer {writer}: a value is not whole");
    }
    let whole = found.iter().all(|n| *n == found[0]);
    ensure!(2, whole, "round {round}, writer {writer}: half a batch, {found:?}");
    let Known { answered, tried } = known;
    let is_kept = (answered..=tried).contains(&found[0]);
    ensure!(4, is_kept, "writer {writer}: {} of {answered} answered, {tried} tried", found[0]);
    Ok(Known { answered: found[0], tried })
}

pub(crate) async fn large_values_survive_crashes_whole(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    const SNAPSHOT: usize = 256 * 1024;
    let mut store = open(subject).await?;
    for round in 0..4 {
        for n in 0..6 {
            let value = noise(SNAPSHOT, seed + round * 10 + n);
            put(&store, Batch::new().put(number(n), value)).await?;
        }
        store = crash(subject, store).await?;
        for n in 0..6 {
            let found = get(&store, &number(n)).await?;
            let expected = noise(SNAPSHOT, seed + round * 10 + n);
            ensure!(7, found == Some(expected), "round {round}: value {n} is not whole");
        }
    }
    Ok(())
}
