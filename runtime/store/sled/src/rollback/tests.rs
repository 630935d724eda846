//! Opens that are cut off after anything that recovery overwrites.

use std::path::Path;

use super::*;

const CACHE_BYTES: u64 = 1 << 20;

fn open(dir: &Path) -> sled::Db {
    sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(None).open().unwrap()
}

/// A database whose log has several segments.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let db = open(dir.path());
    for n in 0..1_000_u32 {
        db.insert((n % 40).to_be_bytes(), vec![n as u8; 4_000]).expect("an insert");
    }
    db.flush().expect("a flush");
    drop(db);
    dir
}

fn log_of(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("db")).expect("the log")
}

/// Whether sled finds everything.
fn is_whole(dir: &Path) -> bool {
    let db = open(dir);
    let read = |n: u32| db.get(n.to_be_bytes()).ok().flatten();
    (0..40).all(|n| read(n).is_some_and(|value| *value == [(960 + n) as u8; 4_000]))
}

#[test]
fn an_open_that_was_interrupted_is_undone_by_the_next() {
    let dir = filled();
    let before = log_of(dir.path());
    Rollback::begin(dir.path()).expect("begins");
    let kept = fs::metadata(dir.path().join("rollback")).expect("a journal").len();
    assert!(kept > SEGMENT_BYTES as u64 / 2 && kept < before.len() as u64, "{kept} bytes kept");
    // What recovery does at most to the segments that it must find.
    let log = File::open(dir.path().join("db")).expect("the log");
    let last = last_segments(&log).expect("segments");
    let mut after = before.clone();
    for offset in &last {
        let at = *offset as usize;
        let end = (at + SEGMENT_BYTES).min(after.len());
        after[at..end].fill(0);
    }
    fs::write(dir.path().join("db"), &after).expect("overwritten");
    Rollback::begin(dir.path()).expect("begins").end().expect("ends");
    assert!(log_of(dir.path()) == before, "the log is not what it was");
    assert!(is_whole(dir.path()));
}

#[test]
fn without_the_journal_an_interrupted_open_loses_records() {
    let dir = filled();
    let log = OpenOptions::new().read(true).write(true).open(dir.path().join("db")).unwrap();
    let last = last_segments(&log).expect("segments");
    log.write_all_at(&[0; SEGMENT_BYTES], last[0]).expect("overwritten");
    assert!(!std::panic::catch_unwind(|| is_whole(dir.path())).unwrap_or(false));
}

#[test]
fn an_open_that_ended_is_not_undone() {
    let dir = filled();
    Rollback::begin(dir.path()).expect("begins").end().expect("ends");
    assert!(!dir.path().join("rollback").exists());
    let db = open(dir.path());
    db.insert("new", "value").expect("an insert");
    drop(db);
    let before = log_of(dir.path());
    drop(Rollback::begin(dir.path()).expect("begins"));
    assert!(log_of(dir.path()) == before);
}

#[test]
fn a_journal_that_is_damaged_overwrites_nothing() {
    let dir = filled();
    Rollback::begin(dir.path()).expect("begins");
    let journal = dir.path().join("rollback");
    let before = log_of(dir.path());
    let bytes = fs::read(&journal).expect("the journal");
    for at in [0, MAGIC.len(), bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&journal, damaged).expect("written");
        let error = Rollback::begin(dir.path()).expect_err("it is damaged");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "byte {at}: {error}");
        assert!(log_of(dir.path()) == before);
    }
    fs::write(&journal, &bytes[..10]).expect("written");
    Rollback::begin(dir.path()).expect_err("it is cut off");
}

#[test]
fn a_directory_without_a_log_has_nothing_to_keep() {
    let dir = tempfile::tempdir().expect("a directory");
    Rollback::begin(dir.path()).expect("begins").end().expect("ends");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}
