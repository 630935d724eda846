//! What each commit of a writer writes, so that whoever looks at the store afterwards knows what
//! must be there, to the byte, from the number of the commit alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use throughline_store::Batch;

use fastrand::Rng;

/// Commits under way at the same time, so that they share groups.
pub(crate) const WRITERS: u64 = 4;
/// Each writer's records, overwritten and deleted in turn.
const SLOTS: u64 = 24;

/// The records of a writer: the commit that wrote each.
pub(crate) type Records = BTreeMap<u64, u64>;

/// The commit of this number, after the one before it.
pub(crate) fn batch(writer: u64, n: u64) -> Batch {
    let batch = match n - 1 {
        0 => Batch::new().check_absent(counter(writer)),
        before => Batch::new().check_equals(counter(writer), number(before)),
    };
    let batch = batch.put(counter(writer), number(n));
    let (puts, deletes) = changes(n);
    let put = |batch: Batch, slot: &u64| batch.put(key(writer, *slot), value(writer, *slot, n));
    let batch = puts.iter().fold(batch, put);
    deletes.iter().fold(batch, |batch, slot| batch.delete(key(writer, *slot)))
}

/// What a writer's records are once its commit of this number is the last.
pub(crate) fn records(n: u64) -> Records {
    let mut records = Records::new();
    for n in 1..=n {
        let (puts, deletes) = changes(n);
        records.extend(puts.iter().map(|slot| (*slot, n)));
        records.retain(|slot, _| !deletes.contains(slot));
    }
    records
}

/// The slots that a commit writes and those it deletes.
fn changes(n: u64) -> (Vec<u64>, Vec<u64>) {
    let at = n * 5 % SLOTS;
    match n % 8 {
        // Deletes alone, of what may be there or not.
        7 => (vec![], vec![at, (at + 1) % SLOTS, (at + 2) % SLOTS]),
        3 => (vec![at, (at + 7) % SLOTS], vec![(at + 11) % SLOTS]),
        _ => (vec![at, (at + 9) % SLOTS], vec![]),
    }
}

/// Bytes that no other commit writes; every eighth commit has values of several chunks, and a few
/// have values that, with those of the other writers, fill more than a segment of sled's log.
pub(crate) fn value(writer: u64, slot: u64, n: u64) -> Bytes {
    let mut random = Rng::with_seed(writer << 48 | slot << 32 | n);
    let bytes = match n {
        _ if n % 32 == 20 => 50_000 + random.usize(..60_000),
        _ if n % 8 == 4 => 4_000 + random.usize(..8_000),
        _ => random.usize(..1_000),
    };
    let mut value = Vec::with_capacity(bytes + 8);
    while value.len() < bytes {
        value.extend_from_slice(&random.u64(..).to_be_bytes());
    }
    value.truncate(bytes);
    value.into()
}

pub(crate) fn counter(writer: u64) -> Bytes {
    format!("counter/{writer}").into()
}

pub(crate) fn key(writer: u64, slot: u64) -> Bytes {
    format!("record/{writer}/{slot:02}").into()
}

pub(crate) fn prefix(writer: u64) -> Bytes {
    format!("record/{writer}/").into()
}

pub(crate) fn number(n: u64) -> Bytes {
    Bytes::copy_from_slice(&n.to_be_bytes())
}

pub(crate) fn to_number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}
