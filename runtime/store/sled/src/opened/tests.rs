//! Losses that leave everything else reading well: only the seal can tell.

use super::*;

const CACHE_BYTES: u64 = 1 << 20;

/// A store of ten records, then changed behind the back of its seal; what the next open says.
fn reopened(change: impl FnOnce(&mut sled::Batch)) -> Result<(), OpenError> {
    let dir = tempfile::tempdir().expect("a directory");
    let layout = Layout::create(dir.path()).expect("a new directory");
    let mut opened = Opened::open(&layout, CACHE_BYTES).expect("a new store");
    let (mut batch, mut seal) = (sled::Batch::default(), opened.seal);
    for n in 0..10 {
        let (head, entries) = record::entries(&[n], &[n; 6_000]);
        entries.into_iter().for_each(|entry| batch.insert(entry.key, entry.stored));
        seal.records += 1;
        seal.digest = seal.digest.wrapping_add(head.digest());
    }
    opened.write(batch, seal).expect("a group");
    let mut batch = sled::Batch::default();
    change(&mut batch);
    opened.engine.apply(batch).expect("a change");
    opened.close().expect("a clean close");
    Opened::open(&layout, CACHE_BYTES).map(drop)
}

fn assert_refused(outcome: &Result<(), OpenError>, detail: &str) {
    let said = outcome.as_ref().expect_err("the open found nothing").to_string();
    assert!(matches!(outcome, Err(OpenError::Corrupt { .. })) && said.contains(detail), "{said}");
}

#[test]
fn a_database_that_nothing_was_done_to_opens() {
    reopened(|_| {}).expect("opens");
}

#[test]
fn a_database_that_lost_a_record_is_refused() {
    let outcome = reopened(|batch| batch.remove(record::head_key(&[3])));
    assert_refused(&outcome, "it has 9 records, its seal says 10");
}

#[test]
fn a_database_with_an_older_version_of_a_record_is_refused() {
    let outcome = reopened(|batch| {
        for entry in record::entries(&[3], &[4; 6_000]).1 {
            batch.insert(entry.key, entry.stored);
        }
    });
    assert_refused(&outcome, "its records are not those of its seal");
}

#[test]
fn a_database_without_its_seal_is_refused() {
    let outcome = reopened(|batch| batch.remove(SEAL_KEY));
    assert_refused(&outcome, "its database has no seal");
}
