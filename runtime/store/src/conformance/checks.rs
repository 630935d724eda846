//! Checks and refusals.

use crate::Batch;
use crate::conformance::tools::{content, ensure, get, noise, put, refused};
use crate::conformance::{Breach, Subject, open};

pub(crate) async fn a_refused_batch_names_its_check_and_writes_nothing(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    put(&store, Batch::new().put("there", "1").put("other", "2")).await?;
    let before = content(&store).await?;
    let bad = [
        Batch::new().check_absent("there"),
        Batch::new().check_equals("there", "2"),
        Batch::new().check_equals("there", ""),
        Batch::new().check_equals("absent", ""),
        Batch::new().check_equals("absent", "1"),
    ];
    for batch in bad {
        let batch = batch.put("there", "3").delete("other").put("new", "4");
        refused(&store, batch.clone()).await?;
        ensure!(6, content(&store).await? == before, "a refused batch wrote: {batch:?}");
    }
    let second = Batch::new().check_equals("other", "2").check_absent("there").check_absent("x");
    let named = refused(&store, second).await?;
    ensure!(6, named == 1, "check 1 did not hold, but {named} is named");
    Ok(())
}

pub(crate) async fn a_check_holds_for_keys_that_are_not_written(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    put(&store, Batch::new().put("header", "v1")).await?;
    let turn = Batch::new().check_equals("header", "v1").check_absent("gone").put("queue/1", "m");
    put(&store, turn).await?;
    put(&store, Batch::new().put("header", "v2")).await?;
    let stale = Batch::new().check_equals("header", "v1").put("queue/2", "m");
    refused(&store, stale).await?;
    let queued = get(&store, b"queue/2").await?;
    ensure!(5, queued.is_none(), "a stale batch wrote a key that it did not check");
    put(&store, Batch::new().check_equals("header", "v2").check_absent("gone")).await?;
    refused(&store, Batch::new().check_equals("header", "v1")).await?;
    Ok(())
}

pub(crate) async fn checks_look_at_the_state_before_the_writes(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    refused(&store, Batch::new().check_equals("a", "1").put("a", "1")).await?;
    put(&store, Batch::new().put("a", "1")).await?;
    refused(&store, Batch::new().check_absent("a").delete("a")).await?;
    let twice = Batch::new().check_equals("a", "1").check_equals("a", "1").put("b", "2");
    put(&store, twice).await?;
    let neither = Batch::new().check_equals("a", "1").check_equals("a", "2").put("c", "3");
    refused(&store, neither).await?;
    let found = get(&store, b"c").await?;
    ensure!(5, found.is_none(), "checks that contradict one another let a write through");
    Ok(())
}

pub(crate) async fn a_check_compares_every_byte(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    for size in [1, 100, 4_095, 4_096, 4_097, 20_000, 262_144] {
        let value = noise(size, seed);
        put(&store, Batch::new().put("k", value.clone())).await?;
        for at in [0, size / 2, size - 1] {
            let mut other = value.to_vec();
            other[at] ^= 1;
            refused(&store, Batch::new().check_equals("k", other)).await?;
        }
        refused(&store, Batch::new().check_equals("k", value.slice(..size - 1))).await?;
        let longer = [&value[..], &[0]].concat();
        refused(&store, Batch::new().check_equals("k", longer)).await?;
        put(&store, Batch::new().check_equals("k", value)).await?;
    }
    Ok(())
}
