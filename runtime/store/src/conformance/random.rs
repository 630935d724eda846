//! Random calls, compared with a model after each crash and each unknown outcome.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::conformance::tools::{content, ensure, get, noise, number, to_number};
use crate::conformance::{Breach, Subject, crash, open};
use crate::random::Random;
use crate::{Batch, Check, CommitError, Store, Write};

const CALLS: u64 = 400;
const CALLS_BETWEEN_CRASHES: u64 = 60;
/// Every batch checks and bumps this key, so that an unknown outcome can be settled (rule 9).
const MARKER: &str = "marker";

type Model = BTreeMap<Bytes, Bytes>;

pub(crate) async fn random_calls_agree_with_a_model(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let mut store = open(subject).await?;
    let (mut random, mut model) = (Random::new(seed), Model::new());
    for call in 0..CALLS {
        let batch = random_batch(&mut random, &model, call);
        let expected = expect(&model, &batch);
        match (store.commit(batch.clone()).await, expected) {
            (Ok(()), Ok(())) => apply(&mut model, &batch),
            (Err(CommitError::Refused(refusal)), Err(failing)) => {
                let is_right = failing.contains(&refusal.check);
                ensure!(6, is_right, "call {call}: {refusal:?}, but {failing:?} do not hold");
            }
            (Err(CommitError::Down(_)), _) => {}
            (Err(CommitError::Unknown { .. }), expected) => {
                let landed = settle(&store, call).await?;
                ensure!(5, !landed || expected.is_ok(), "call {call} landed against a check");
                if landed {
                    apply(&mut model, &batch);
                }
                model.insert(MARKER.into(), settled(call));
            }
            (outcome, expected) => {
                let what = format!("call {call}: {outcome:?}, the model says {expected:?}");
                return Err(Breach::new(5, what));
            }
        }
        if random.below(CALLS_BETWEEN_CRASHES) == 0 {
            store = crash(subject, store).await?;
            ensure!(4, content(&store).await? == model, "call {call}: content after a crash");
        }
        let key = random_key(&mut random);
        let found = get(&store, &key).await?;
        ensure!(3, found.as_ref() == model.get(&key), "call {call}: {key:?} is {found:?}");
    }
    ensure!(3, content(&store).await? == model, "the content is not the model's");
    Ok(())
}

fn random_key(random: &mut Random) -> Bytes {
    [b"k", &number(random.below(12))[..]].concat().into()
}

/// A batch whose checks mostly hold.
fn random_batch(random: &mut Random, model: &Model, call: u64) -> Batch {
    let mut batch = Batch::new().put(MARKER, number(call));
    batch.push_check(truth(model, MARKER.into()));
    for _ in 0..random.below(3) {
        let key = random_key(random);
        let check = match random.below(10) {
            0 => Check::Absent { key },
            1 => Check::Equals { key, value: noise(30, call) },
            _ => truth(model, key),
        };
        batch.push_check(check);
    }
    for n in 0..random.below(4) {
        let key = random_key(random);
        if batch.writes().iter().any(|write| *write.key() == key) {
            continue;
        }
        let size = if random.percent(20) { 12_000 } else { 50 };
        let value = noise(random.below(size) as usize, call * 10 + n);
        let is_put = random.percent(70);
        batch.push_write(if is_put { Write::Put { key, value } } else { Write::Delete { key } });
    }
    batch
}

/// The check that holds for this key at present.
fn truth(model: &Model, key: Bytes) -> Check {
    match model.get(&key) {
        Some(value) => Check::Equals { key, value: value.clone() },
        None => Check::Absent { key },
    }
}

/// `Err` with the checks that do not hold.
fn expect(model: &Model, batch: &Batch) -> Result<(), Vec<usize>> {
    let holds = |check: &Check| check.holds(model.get(check.key()).map(|value| &value[..]));
    let checks = batch.checks().iter().enumerate();
    let failing: Vec<_> = checks.filter(|(_, c)| !holds(c)).map(|(index, _)| index).collect();
    if failing.is_empty() { Ok(()) } else { Err(failing) }
}

fn apply(model: &mut Model, batch: &Batch) {
    for write in batch.writes() {
        match write.value() {
            Some(value) => model.insert(write.key().clone(), value.clone()),
            None => model.remove(write.key()),
        };
    }
}

/// Bumps the marker until it is known whether the call landed, as rule 9 says.
async fn settle(store: &Arc<dyn Store>, call: u64) -> Result<bool, Breach> {
    let mut landed = false;
    loop {
        let seen = get(store, MARKER.as_bytes()).await?;
        if seen == Some(settled(call)) {
            return Ok(landed);
        }
        landed = seen.as_deref().and_then(to_number) == Some(call);
        let batch = Batch::new().put(MARKER, settled(call));
        let batch = match seen {
            Some(value) => batch.check_equals(MARKER, value),
            None => batch.check_absent(MARKER),
        };
        match store.commit(batch).await {
            Ok(()) => return Ok(landed),
            Err(CommitError::Refused(_) | CommitError::Down(_)) => {}
            // May have landed: the next round reads it, and bumps again if not.
            Err(CommitError::Unknown { .. }) => {}
            Err(error) => return Err(Breach::new(9, format!("settling failed: {error}"))),
        }
    }
}

/// The marker after the outcome of a call was settled; no number of a call.
fn settled(call: u64) -> Bytes {
    [b"settled ", &number(call)[..]].concat().into()
}
