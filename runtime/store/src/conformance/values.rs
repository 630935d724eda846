//! Keys and values.

use crate::Batch;
use crate::conformance::tools::{content, ensure, get, noise, put};
use crate::conformance::{Breach, Subject, open};
use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

pub(crate) async fn what_was_committed_is_read_back(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    ensure!(1, content(&store).await?.is_empty(), "a new store is not empty");
    put(&store, Batch::new().put("a", "1").put("b", "2").put("c", "3")).await?;
    put(&store, Batch::new().put("a", "4").delete("b").delete("never there")).await?;
    for (key, expected) in [("a", Some("4")), ("b", None), ("c", Some("3")), ("d", None)] {
        let found = get(&store, key.as_bytes()).await?;
        let expected = expected.map(str::as_bytes);
        ensure!(1, found.as_deref() == expected, "{key} is {found:?}, not {expected:?}");
    }
    Ok(())
}

pub(crate) async fn an_empty_value_is_not_an_absent_key(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    put(&store, Batch::new().put("index", "")).await?;
    let found = get(&store, b"index").await?;
    ensure!(1, found.as_deref() == Some(b""), "the empty value is {found:?}");
    ensure!(1, content(&store).await?.len() == 1, "a scan leaves out the empty value");
    put(&store, Batch::new().check_equals("index", "").delete("index")).await?;
    let found = get(&store, b"index").await?;
    ensure!(1, found.is_none(), "the deleted key is {found:?}");
    Ok(())
}

pub(crate) async fn values_of_all_sizes_come_back_whole(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    // Round the sizes at which stores cut values, growing and shrinking under one key.
    const SIZES: &[usize] = &[
        0,
        1,
        4_000,
        4_060,
        4_070,
        4_080,
        4_095,
        4_096,
        4_097,
        8_150,
        8_192,
        8_193,
        65_536,
        3,
        262_144,
        4_097,
        16_384,
        VALUE_BYTES_MAX,
        100,
        VALUE_BYTES_MAX - 1,
        0,
    ];
    let store = open(subject).await?;
    put(&store, Batch::new().put("k\0", "before").put("ka", "behind")).await?;
    for (round, &size) in (0..).zip(SIZES) {
        let value = noise(size, seed + round);
        put(&store, Batch::new().put("k", value.clone())).await?;
        let found = get(&store, b"k").await?;
        ensure!(7, found == Some(value), "a value of {size} bytes came back otherwise");
    }
    let all = content(&store).await?;
    ensure!(7, all.len() == 3, "large values left {} keys, not 3", all.len());
    ensure!(7, all.get(&b"k\0"[..]).is_some_and(|v| v == "before"), "a neighbour changed");
    ensure!(7, all.get(&b"ka"[..]).is_some_and(|v| v == "behind"), "a neighbour changed");
    Ok(())
}

pub(crate) async fn keys_that_contain_one_another_are_apart(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let mut keys: Vec<Vec<u8>> = vec![vec![0], vec![255], vec![0, 0], vec![255, 255]];
    for tail in [&[][..], &[0], &[0, 0, 0, 0], &[0, 0, 0, 1], &[1], &[255], &[255, 0]] {
        keys.push([b"key", tail].concat());
    }
    keys.push(vec![0; KEY_BYTES_MAX]);
    keys.push(vec![255; KEY_BYTES_MAX]);
    let mut values = std::collections::BTreeMap::new();
    for (n, key) in (0..).zip(&keys) {
        // Some in one piece and some in several.
        let value = noise(if n % 2 == 0 { 20_000 } else { 20 }, seed + n);
        put(&store, Batch::new().put(key.clone(), value.clone())).await?;
        values.insert(bytes::Bytes::from(key.clone()), value);
    }
    ensure!(1, content(&store).await? == values, "the content is not what was committed");
    for key in keys.iter().step_by(3) {
        put(&store, Batch::new().delete(key.clone())).await?;
        values.remove(&key[..]);
        ensure!(1, content(&store).await? == values, "deleting {key:?} changed other keys");
    }
    Ok(())
}
