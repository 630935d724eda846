//! Ranges and pages.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::conformance::tools::{ensure, entries, noise, number, page, put};
use crate::conformance::{Breach, Subject, open};
use crate::limits::KEY_BYTES_MAX;
use crate::random::Random;
use crate::{Batch, Entry, Scan};

/// Keys of few letters, so that ranges begin and end on, before and behind them.
fn key(random: &mut Random) -> Bytes {
    let length = 1 + random.below(4);
    (0..length).map(|_| [0, 1, b'a', 254, 255][random.below(5) as usize]).collect()
}

fn within(model: &BTreeMap<Bytes, Bytes>, from: &Bytes, to: Option<&Bytes>) -> Vec<Entry> {
    let inside = |key: &Bytes| key >= from && to.is_none_or(|to| key < to);
    let entries = model.iter().filter(|(key, _)| inside(key));
    entries.map(|(key, value)| Entry { key: key.clone(), value: value.clone() }).collect()
}

pub(crate) async fn a_scan_is_in_order_and_within_its_range(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let (mut random, mut model) = (Random::new(seed), BTreeMap::new());
    for n in 0..150 {
        let (key, value) = (key(&mut random), noise(random.below(40) as usize, n));
        put(&store, Batch::new().put(key.clone(), value.clone())).await?;
        model.insert(key, value);
    }
    for _ in 0..150 {
        let (from, to) = (key(&mut random), key(&mut random));
        let to = (!random.percent(20)).then_some(to);
        let found = entries(&store, Scan::range(from.clone(), to.clone())).await?;
        let expected = within(&model, &from, to.as_ref());
        ensure!(8, found == expected, "from {from:?} to {to:?}: {found:?}, not {expected:?}");
        let found = entries(&store, Scan::prefix(from.clone())).await?;
        let is_right = found.iter().all(|entry| entry.key.starts_with(&from));
        let count = model.keys().filter(|key| key.starts_with(&from)).count();
        ensure!(8, is_right && found.len() == count, "prefix {from:?}: {found:?}");
    }
    let longest = Bytes::from(vec![b'a'; KEY_BYTES_MAX + 1]);
    let behind = entries(&store, Scan::range(longest.clone(), None)).await?;
    ensure!(8, behind == within(&model, &longest, None), "from the key behind the longest");
    Ok(())
}

pub(crate) async fn pages_join_to_the_whole_range(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let (mut random, mut model) = (Random::new(seed), BTreeMap::new());
    for n in 0..120 {
        let size = if random.percent(10) { 9_000 } else { random.below(60) };
        let (key, value) = (key(&mut random), noise(size as usize, n));
        put(&store, Batch::new().put(key.clone(), value.clone())).await?;
        model.insert(key, value);
    }
    for _ in 0..30 {
        let entries_max = 1 + random.below(20) as usize;
        let bytes_max = random.below(12_000) as usize;
        let scan = Scan::all().entries_max(entries_max).bytes_max(bytes_max);
        let found = entries(&store, scan).await?;
        let expected = within(&model, &Bytes::new(), None);
        ensure!(8, found == expected, "pages of {entries_max} entries, {bytes_max} bytes");
    }
    Ok(())
}

pub(crate) async fn a_page_keeps_its_bounds_and_always_gets_on(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    for n in 0..20_u64 {
        let size = if n % 5 == 0 { 50_000 } else { 100 };
        put(&store, Batch::new().put(number(n), noise(size, seed + n))).await?;
    }
    for (entries_max, bytes_max) in [(1, 0), (3, usize::MAX), (20, 1_000), (7, 60_000), (20, 0)] {
        let mut scan = Scan::all().entries_max(entries_max).bytes_max(bytes_max);
        loop {
            let page = page(&store, scan.clone()).await?;
            let count = page.entries().len();
            let bytes: usize = page.entries().iter().map(|e| e.key.len() + e.value.len()).sum();
            ensure!(8, count <= entries_max, "{count} entries, at most {entries_max}");
            ensure!(8, bytes <= bytes_max || count == 1, "{bytes} bytes, at most {bytes_max}");
            ensure!(8, count > 0, "a page of a range that has more is empty");
            let Some(next) = page.next() else { break };
            scan = scan.resume(next.clone());
        }
    }
    let whole = page(&store, Scan::all().entries_max(20)).await?;
    ensure!(8, whole.next().is_none(), "the range has nothing more, but a next page");
    let nothing = page(&store, Scan::range(number(20), None)).await?;
    ensure!(8, nothing.entries().is_empty() && nothing.next().is_none(), "an empty range");
    let reversed = page(&store, Scan::range("b", Some("a".into()))).await?;
    ensure!(8, reversed.entries().is_empty() && reversed.next().is_none(), "a reversed range");
    Ok(())
}

pub(crate) async fn a_key_that_stays_is_seen_once_while_others_come_and_go(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let mut random = Random::new(seed);
    for n in (0..200).step_by(2) {
        put(&store, Batch::new().put(number(n), "stays")).await?;
    }
    let mut scan = Scan::all().entries_max(7);
    let mut stayed = Vec::new();
    loop {
        let page = page(&store, scan.clone()).await?;
        stayed.extend(page.entries().iter().filter(|e| e.value == "stays").map(|e| e.key.clone()));
        let Some(next) = page.next() else { break };
        scan = scan.resume(next.clone());
        let (come, go) = (random.below(100) * 2 + 1, random.below(100) * 2 + 1);
        let batch = Batch::new().put(number(come), "comes");
        put(&store, if come == go { batch } else { batch.delete(number(go)) }).await?;
    }
    let expected: Vec<Bytes> = (0..200).step_by(2).map(number).collect();
    ensure!(8, stayed == expected, "keys that were there throughout: {} of 100", stayed.len());
    Ok(())
}
