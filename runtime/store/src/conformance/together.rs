//! Calls at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{join_all, try_join_all};

use crate::conformance::tools::{content, ensure, entries, get, noise, number, put, to_number};
use crate::conformance::{Breach, Subject, open};
use crate::random::Random;
use crate::{Batch, CommitError, Scan, Store};

const TASKS: u64 = 16;
const ROUNDS: u64 = 40;

pub(crate) async fn racing_increments_all_count(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    put(&store, Batch::new().put("counter", number(0))).await?;
    let tasks = (0..TASKS).map(|_| increment(store.clone()));
    let outcomes = try_join_all(tasks).await?;
    let counted: u64 = outcomes.iter().map(|(counted, _)| counted).sum();
    let unknown: u64 = outcomes.iter().map(|(_, unknown)| unknown).sum();
    let found = get(&store, b"counter").await?.and_then(|value| to_number(&value));
    let is_right = found.is_some_and(|n| (counted..=counted + unknown).contains(&n));
    ensure!(3, is_right, "{counted} increments answered, {unknown} unknown, {found:?} found");
    Ok(())
}

/// Adds one, `ROUNDS` times, each checked; how many succeeded and how many are unknown.
async fn increment(store: Arc<dyn Store>) -> Result<(u64, u64), Breach> {
    let (mut counted, mut unknown) = (0, 0);
    while counted + unknown < ROUNDS {
        let old = get(&store, b"counter").await?.unwrap_or_default();
        let Some(n) = to_number(&old) else { return Err(Breach::new(7, "not a number")) };
        let batch = Batch::new().check_equals("counter", old).put("counter", number(n + 1));
        match store.commit(batch).await {
            Ok(()) => counted += 1,
            Err(CommitError::Unknown { .. }) => unknown += 1,
            Err(CommitError::Refused(_) | CommitError::Down(_)) => {}
            Err(error) => return Err(Breach::new(3, format!("increment failed: {error}"))),
        }
    }
    Ok((counted, unknown))
}

pub(crate) async fn a_page_never_shows_half_a_batch(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    const KEYS: u64 = 10;
    let store = open(subject).await?;
    let all = |n: u64| (0..KEYS).fold(Batch::new(), |batch, key| batch.put(number(key), number(n)));
    put(&store, all(0)).await?;
    let write = async {
        for n in 1..=ROUNDS * 4 {
            put(&store, all(n)).await?;
        }
        Ok::<_, Breach>(())
    };
    let read = async {
        for _ in 0..ROUNDS * 4 {
            let found = entries(&store, Scan::all()).await?;
            let is_whole = found.windows(2).all(|pair| pair[0].value == pair[1].value);
            ensure!(2, is_whole && found.len() == KEYS as usize, "half a batch: {found:?}");
        }
        Ok::<_, Breach>(())
    };
    let (written, seen) = futures_util::future::join(write, read).await;
    written.and(seen)
}

pub(crate) async fn a_get_never_mixes_two_values(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    // Of several sizes, so that a mix would have a tail of another value.
    let values: Vec<_> = (0..4).map(|n| noise(100_000 / (n as usize + 1), seed + n)).collect();
    put(&store, Batch::new().put("k", values[0].clone())).await?;
    let write = async {
        for value in values.iter().cycle().take(40) {
            put(&store, Batch::new().put("k", value.clone())).await?;
        }
        Ok::<_, Breach>(())
    };
    let readers = (0..3).map(|_| async {
        for _ in 0..40 {
            let found = get(&store, b"k").await?;
            let is_whole = found.is_some_and(|found| values.contains(&found));
            ensure!(7, is_whole, "a value that nobody wrote");
        }
        Ok::<_, Breach>(())
    });
    let (written, seen) = futures_util::future::join(write, try_join_all(readers)).await;
    written?;
    seen.map(drop)
}

pub(crate) async fn a_read_is_never_older_than_what_was_answered(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let answered = AtomicU64::new(0);
    put(&store, Batch::new().put("k", number(0))).await?;
    let write = async {
        for n in 1..=ROUNDS * 4 {
            put(&store, Batch::new().put("k", number(n))).await?;
            answered.store(n, Ordering::SeqCst);
        }
        Ok::<_, Breach>(())
    };
    let readers = (0..4).map(|reader| {
        let (store, answered) = (&store, &answered);
        async move {
            let mut newest = 0;
            for _ in 0..ROUNDS * 4 {
                newest = answered.load(Ordering::SeqCst).max(newest);
                let found = if reader % 2 == 0 {
                    get(store, b"k").await?
                } else {
                    content(store).await?.remove(&b"k"[..])
                };
                let found = found.and_then(|value| to_number(&value));
                ensure!(3, found >= Some(newest), "{found:?} was read after {newest} was known");
                newest = found.unwrap_or_default();
            }
            Ok::<_, Breach>(())
        }
    });
    let (written, seen) = futures_util::future::join(write, try_join_all(readers)).await;
    written?;
    seen.map(drop)
}

pub(crate) async fn dropped_calls_leave_whole_batches(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let mut random = Random::new(seed);
    for n in 0..ROUNDS {
        let pair = |m: u64| {
            let (left, right) = ([b"l", &number(m)[..]].concat(), [b"r", &number(m)[..]].concat());
            Batch::new().put(left, noise(5_000, m)).put(right, noise(5_000, m))
        };
        // Polled so many times, then dropped; beside it calls that are not.
        let polls = random.below(4);
        let dropped = first_polls(store.commit(pair(2 * n)), polls);
        let kept = put(&store, pair(2 * n + 1));
        let (_, kept) = futures_util::future::join(dropped, kept).await;
        kept?;
    }
    join_all((0..TASKS).map(|_| first_polls(store.get("l".into()), 1))).await;
    let all = content(&store).await?;
    for n in 0..2 * ROUNDS {
        let (left, right) = ([b"l", &number(n)[..]].concat(), [b"r", &number(n)[..]].concat());
        let (left, right) = (all.get(&left[..]), all.get(&right[..]));
        ensure!(11, left == right, "half of dropped batch {n} is there");
        ensure!(11, n % 2 == 0 || left.is_some(), "batch {n} was answered and is not there");
    }
    Ok(())
}

/// Polls a future at most so many times, then drops it.
async fn first_polls<T>(mut future: crate::StoreFuture<T>, polls: u64) {
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 || future.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
