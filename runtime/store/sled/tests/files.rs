//! The files: what is refused at open, damage, and the tools.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;
use throughline_store::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use throughline_store::{Batch, CommitError, GetError, Scan, Store};
use throughline_store_sled::{OpenError, SledOptions, SledStore, tools};

const RECORDS: u32 = 300;

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn key(n: u32) -> Bytes {
    n.to_be_bytes().to_vec().into()
}

fn value(n: u32) -> Bytes {
    let copies = if n.is_multiple_of(10) { 5_000 } else { 30 };
    n.to_be_bytes().repeat(copies).into()
}

/// A closed store of some records, of which the second half came in groups of their own.
async fn filled(path: &Path) {
    let store = SledStore::open(path).expect("a new store");
    for n in 0..RECORDS {
        store.commit(Batch::new().put(key(n), value(n))).await.expect("a commit");
    }
    store.close().await.expect("a clean close");
}

/// Whether every record is as it was written or said to be damaged; how many are damaged.
async fn damaged(store: &SledStore) -> u32 {
    let mut damaged = 0;
    for n in 0..RECORDS {
        match store.get(key(n)).await {
            Ok(found) => assert_eq!(found, Some(value(n)), "record {n} is another"),
            Err(GetError::Corrupt(_) | GetError::Down(_)) => damaged += 1,
            Err(error) => panic!("record {n}: {error}"),
        }
    }
    damaged
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[tokio::test]
async fn flipped_bytes_are_never_read_as_values() {
    const FLIPS: usize = 60;
    let whole = dir();
    filled(whole.path()).await;
    let length = fs::metadata(whole.path().join("sled/db")).expect("the log").len() as usize;
    let (mut refused, mut told) = (0, 0);
    for flip in 0..FLIPS {
        let copied = dir();
        copy(whole.path(), copied.path());
        let log = copied.path().join("sled/db");
        let mut bytes = fs::read(&log).expect("the log");
        bytes[(length / FLIPS * flip + flip * 7919 % 4096) % length] ^= 0x20;
        fs::write(&log, bytes).expect("the log");
        match SledStore::open(copied.path()) {
            Ok(store) => told += u32::from(damaged(&store).await > 0),
            Err(OpenError::Corrupt { path, .. }) => {
                assert_eq!(path, copied.path());
                refused += 1;
            }
            Err(error) => panic!("flip {flip}: {error}"),
        }
    }
    println!("{FLIPS} flips: {refused} refused at open, {told} told when read");
    assert!(refused + told > 0);
}

#[tokio::test]
async fn a_cut_log_is_refused_and_left_as_it_is() {
    const CUTS: u64 = 30;
    let whole = dir();
    filled(whole.path()).await;
    let length = fs::metadata(whole.path().join("sled/db")).expect("the log").len();
    let mut refused = 0;
    for cut in 1..=CUTS {
        let copied = dir();
        copy(whole.path(), copied.path());
        let log = copied.path().join("sled/db");
        let file = fs::OpenOptions::new().write(true).open(&log).expect("the log");
        file.set_len(length - length * cut / (CUTS + 1)).expect("a cut");
        drop(file);
        let before = fs::read(&log).expect("the log");
        match SledStore::open(copied.path()) {
            // What was cut off held nothing that is alive.
            Ok(store) => assert_eq!(damaged(&store).await, 0, "cut {cut}"),
            Err(OpenError::Corrupt { .. }) => {
                refused += 1;
                let now = fs::read(&log).expect("the log");
                assert!(now == before, "cut {cut}: the refused log was changed");
            }
            Err(error) => panic!("cut {cut}: {error}"),
        }
        let again = SledStore::open(copied.path()).err();
        assert_eq!(again.is_some(), refused > 0, "cut {cut} opens at the second try");
    }
    assert!(refused > 0);
}

/// sled's unit of space.
const SEGMENT_BYTES: u64 = 512 * 1024;

/// Length and checksum of each file of a store.
fn sums(dir: &Path) -> BTreeMap<PathBuf, (usize, u32)> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sums.extend(self::sums(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            sums.insert(path, (bytes.len(), crc32fast::hash(&bytes)));
        }
    }
    sums
}

/// A closed store whose log has ten segments and more, of which sled's last snapshot knows half.
async fn of_many_segments(path: &Path) {
    for half in 0..2 {
        let store = SledStore::open(path).expect("a store");
        for n in 0..15 {
            let value = vec![n; 200_000];
            store.commit(Batch::new().put(vec![half, n], value)).await.expect("a commit");
        }
        store.close().await.expect("a clean close");
    }
    let length = fs::metadata(path.join("sled/db")).expect("the log").len();
    assert!(length > 10 * SEGMENT_BYTES, "{length} bytes");
}

/// Whatever is tried with a store that is damaged, it is refused with the way out, and no byte of
/// its files is another afterwards.
fn assert_refused_and_untouched(path: &Path, damage: &str) {
    let before = sums(path);
    let opened = || SledStore::open(path).map(drop);
    let checked = || tools::check(path).map(drop);
    let tries = [("an open", opened()), ("a check", checked()), ("an open again", opened())];
    for (what, tried) in tries {
        let Err(OpenError::Corrupt { path: named, untouched, .. }) = &tried else {
            panic!("{damage}, {what}: {tried:?}");
        };
        assert!(named == path && *untouched, "{damage}, {what}: {tried:?}");
        let text = tried.as_ref().expect_err("refused").to_string();
        let says = |words: &str| assert!(text.contains(words), "{damage}, {what}: {text}");
        says(&path.display().to_string());
        says("its files are as they were");
        says("move it away and put the last backup in its place");
    }
    // As much as sled reads of it.
    let _ = tools::dump(path, &mut std::io::sink());
    let now = sums(path);
    assert!(now == before, "{damage}: {before:?} became {now:?}");
}

/// What is wrong, and how it comes about in sled's directory.
type Damaging = (&'static str, fn(&Path));

const DAMAGES: [Damaging; 4] = [
    ("the log has lost its end", |sled| {
        let log = fs::OpenOptions::new().write(true).open(sled.join("db")).expect("the log");
        let length = log.metadata().expect("its length").len();
        log.set_len(length / 2).expect("a cut");
    }),
    ("the log has lost its first half", |sled| {
        let log = fs::OpenOptions::new().write(true).open(sled.join("db")).expect("the log");
        let half = log.metadata().expect("its length").len() / 2;
        log.write_all_at(&vec![0; half as usize], 0).expect("written");
    }),
    ("the log has lost its second half, from which sled recovers", |sled| {
        let log = fs::OpenOptions::new().write(true).open(sled.join("db")).expect("the log");
        let length = log.metadata().expect("its length").len();
        let half = length / 2;
        log.write_all_at(&vec![0; (length - half) as usize], half).expect("written");
    }),
    ("sled's snapshot has another byte", |sled| {
        let paths =
            fs::read_dir(sled).expect("a directory").map(|entry| entry.expect("one").path());
        let is_snapshot = |path: &PathBuf| path.to_string_lossy().contains("/snap.");
        let snapshot = paths.filter(is_snapshot).max().expect("a snapshot");
        let mut bytes = fs::read(&snapshot).expect("the snapshot");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(snapshot, bytes).expect("written");
    }),
];

#[tokio::test]
async fn a_damaged_store_is_refused_and_no_byte_of_it_is_changed() {
    let whole = dir();
    of_many_segments(whole.path()).await;
    for (damage, harm) in DAMAGES {
        let copied = dir();
        copy(whole.path(), copied.path());
        harm(&copied.path().join("sled"));
        assert_refused_and_untouched(copied.path(), damage);
    }
}

/// Space that sled has freed at the end of its log makes it large, and takes nothing of the disk.
#[tokio::test]
async fn a_large_store_that_is_damaged_is_left_as_it_was_too() {
    const LARGE_BYTES: u64 = 600 * SEGMENT_BYTES;
    let whole = dir();
    of_many_segments(whole.path()).await;
    let enlarge = |path: &Path| {
        let log = fs::OpenOptions::new().write(true).open(path.join("sled/db")).expect("the log");
        log.set_len(LARGE_BYTES).expect("a longer log");
    };
    let copied = dir();
    copy(whole.path(), copied.path());
    enlarge(copied.path());
    let store = SledStore::open(copied.path()).expect("nothing is wrong with it");
    store.close().await.expect("a clean close");
    let (damage, harm) = DAMAGES[1];
    let copied = dir();
    copy(whole.path(), copied.path());
    harm(&copied.path().join("sled"));
    enlarge(copied.path());
    assert_refused_and_untouched(copied.path(), damage);
}

#[tokio::test]
async fn an_older_database_under_a_newer_tail_is_refused() {
    let (now, before) = (dir(), dir());
    filled(now.path()).await;
    copy(&now.path().join("sled"), &before.path().join("sled"));
    let store = SledStore::open(now.path()).expect("a store");
    store.commit(Batch::new().put("later", "1")).await.expect("a commit");
    store.close().await.expect("a clean close");
    fs::remove_dir_all(now.path().join("sled")).expect("the database is gone");
    let refused = SledStore::open(now.path());
    assert!(matches!(refused, Err(OpenError::Corrupt { .. })), "{refused:?}");
    copy(&before.path().join("sled"), &now.path().join("sled"));
    let refused = SledStore::open(now.path()).expect_err("its last group is missing");
    assert!(refused.to_string().contains("its last 1 groups are missing"), "{refused}");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_nothing_is_changed() {
    let dir = dir();
    filled(dir.path()).await;
    let format = dir.path().join("FORMAT");
    fs::write(&format, "throughline-store-sled 2\nand more\n".replace("\nand", " and")).unwrap();
    let refused = SledStore::open(dir.path());
    assert!(matches!(refused, Err(OpenError::Corrupt { .. })), "{refused:?}");
    fs::write(&format, "throughline-store-sled 2\n").expect("a newer format");
    let before = fs::read(dir.path().join("sled/db")).expect("the log");
    let refused = SledStore::open(dir.path());
    let is_right = matches!(&refused, Err(OpenError::NewerFormat { found: 2, known: 1, .. }));
    assert!(is_right, "{refused:?}");
    assert_eq!(fs::read(dir.path().join("sled/db")).expect("the log"), before);
    fs::write(&format, "throughline-store-sled 1\n").expect("the format as it was");
    assert_eq!(damaged(&SledStore::open(dir.path()).expect("a store")).await, 0);
}

#[test]
fn a_directory_of_other_things_is_refused_and_nothing_is_changed() {
    let dir = dir();
    fs::write(dir.path().join("holiday.jpg"), "x").expect("a file");
    let refused = SledStore::open(dir.path());
    let is_right = matches!(&refused, Err(OpenError::NotAStore { found, .. })
        if found == "holiday.jpg");
    assert!(is_right, "{refused:?}");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
    let nothing = tools::check(dir.path().join("nowhere"));
    assert!(matches!(nothing, Err(OpenError::Io { .. })), "{nothing:?}");
}

#[test]
fn a_second_open_in_the_same_process_is_refused() {
    let dir = dir();
    let store = SledStore::open(dir.path()).expect("a new store");
    let refused = SledStore::open(dir.path());
    assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
    drop(store);
    SledStore::open(dir.path()).expect("free again");
}

#[tokio::test]
async fn large_values_make_no_blob_files() {
    let dir = dir();
    let blobs = dir.path().join("sled/blobs");
    let files = || fs::read_dir(&blobs).map_or(0, Iterator::count);
    let store = SledOptions::new(dir.path()).open().expect("a new store");
    for round in 0..8_u8 {
        for n in 0..20 {
            let snapshot = vec![round ^ n; 256 * 1024];
            store.commit(Batch::new().put(vec![n], snapshot)).await.expect("a commit");
        }
        let longest = vec![round; KEY_BYTES_MAX];
        let largest = vec![round; VALUE_BYTES_MAX];
        store.commit(Batch::new().put(longest, largest)).await.expect("a commit");
        assert_eq!(files(), 0, "round {round}");
    }
    store.close().await.expect("a clean close");
    SledStore::open(dir.path()).expect("a store").close().await.expect("a clean close");
    assert_eq!(files(), 0);
}

#[tokio::test]
async fn values_that_shrink_or_go_leave_no_chunks_behind() {
    let dir = dir();
    let store = SledStore::open(dir.path()).expect("a new store");
    for size in [50_000, 9_000, 4_088, 4_089, 0, 20_000, 5_000] {
        let batch = Batch::new().put("a", vec![1; size]).put("b", vec![2; 50_000 - size]);
        store.commit(batch).await.expect("a commit");
    }
    store.commit(Batch::new().delete("b")).await.expect("a commit");
    store.close().await.expect("a clean close");
    let report = tools::check(dir.path()).expect("a store");
    assert!(report.is_clean() && report.records == 1, "{report:?}");
}

#[tokio::test]
async fn backup_and_compaction_keep_every_record() {
    let (now, other) = (dir(), dir());
    filled(now.path()).await;
    let store = SledStore::open(now.path()).expect("a store");
    for round in 0..20_u8 {
        let churn = (0..50).fold(Batch::new(), |batch, n| batch.put(vec![9, n], vec![round; 9000]));
        store.commit(churn).await.expect("a commit");
    }
    let churn = (0..50).fold(Batch::new(), |batch, n| batch.delete(vec![9, n]));
    store.commit(churn).await.expect("a commit");
    let refused = tools::compact(now.path());
    assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
    store.close().await.expect("a clean close");

    tools::backup(now.path(), other.path()).expect("a backup");
    let refused = tools::backup(now.path(), other.path());
    assert!(matches!(refused, Err(OpenError::NotAStore { .. })), "{refused:?}");
    let (before, after) = tools::compact(now.path()).expect("a compaction");
    assert!(after < before, "{before} bytes became {after}");
    for path in [now.path(), other.path()] {
        let report = tools::check(path).expect("a store");
        assert!(report.is_clean() && report.records == u64::from(RECORDS), "{report:?}");
        let store = SledStore::open(path).expect("a store");
        assert_eq!(damaged(&store).await, 0);
        store.commit(Batch::new().put("more", "1")).await.expect("a commit");
    }
}

#[tokio::test]
async fn a_compaction_ended_between_its_steps_is_taken_back() {
    let dir = dir();
    filled(dir.path()).await;
    fs::rename(dir.path().join("sled"), dir.path().join("sled.old")).expect("a rename");
    copy(&dir.path().join("sled.old"), &dir.path().join("sled.new"));
    assert_eq!(damaged(&SledStore::open(dir.path()).expect("a store")).await, 0);
}

#[tokio::test]
async fn a_dump_has_every_record() {
    let dir = dir();
    let store = SledStore::open(dir.path()).expect("a new store");
    store.commit(Batch::new().put("a\n", "\x01\u{7f}").put("b", "")).await.expect("a commit");
    store.close().await.expect("a clean close");
    let mut output = Vec::new();
    let report = tools::dump(dir.path(), &mut output).expect("a dump");
    assert_eq!(String::from_utf8(output).expect("ASCII"), "a\\n\t017f\nb\t\n");
    assert_eq!(report.records, 2);
}

#[tokio::test]
async fn a_watch_gets_a_hint_and_a_page_is_bounded() {
    let dir = dir();
    let store = SledStore::open(dir.path()).expect("a new store");
    let mut watch = store.watch("w/".into()).expect("a watch");
    store.commit(Batch::new().put("other", "1")).await.expect("a commit");
    store.commit(Batch::new().put("w/1", "1").put("w/2", "2")).await.expect("a commit");
    watch.changed().await.expect("a hint");
    let page = store.scan(Scan::prefix("w/").entries_max(1)).await.expect("a page");
    assert_eq!((page.entries().len(), page.next()), (1, Some(&Bytes::from("w/2"))));
    let stale = store.commit(Batch::new().check_absent("w/1")).await;
    assert!(matches!(stale, Err(CommitError::Refused(_))), "{stale:?}");
    assert_eq!(store.stats().refused, 1);
}

/// What a loss of power can leave of a snapshot: a name without all of its bytes.
#[tokio::test]
async fn a_snapshot_that_sled_had_not_finished_is_no_damage() {
    let dir = dir();
    filled(dir.path()).await;
    for bytes in [&b""[..], b"in part"] {
        fs::write(dir.path().join("sled/snap.00000000000FFFFF.generating"), bytes).expect("a file");
        let store = SledStore::open(dir.path()).expect("opens");
        assert_eq!(damaged(&store).await, 0);
        store.close().await.expect("a clean close");
    }
}

#[tokio::test]
async fn a_tail_that_was_being_created_is_no_damage() {
    let dir = dir();
    SledStore::open(dir.path()).expect("a new store").close().await.expect("a clean close");
    fs::remove_file(dir.path().join("tail")).expect("there");
    fs::write(dir.path().join("tail.new"), b"in part").expect("a file");
    SledStore::open(dir.path()).expect("opens").close().await.expect("a clean close");
    SledStore::open(dir.path()).expect("opens again");
}

#[tokio::test]
async fn a_dump_changes_no_file_of_the_database() {
    let dir = dir();
    filled(dir.path()).await;
    let log = dir.path().join("sled/db");
    let state = || {
        let metadata = fs::metadata(&log).expect("the log");
        (std::os::unix::fs::MetadataExt::ino(&metadata), fs::read(&log).expect("the log"))
    };
    let before = state();
    let report = tools::dump(dir.path(), &mut std::io::sink()).expect("dumps");
    assert_eq!(report.records, u64::from(RECORDS));
    assert!(state() == before, "the dump has replaced or written the log");
    assert!(!dir.path().join("sled.kept").exists(), "the copy stays");
}

/// The moments between the renames that put a copy back, and that put a new database into place.
#[tokio::test]
async fn a_replacement_that_was_interrupted_is_ended_by_the_next_open() {
    let dir = dir();
    let place = |name: &str| dir.path().join(name);
    filled(dir.path()).await;
    for (whole, other) in [("sled.kept", "sled.read"), ("sled.old", "sled.new")] {
        fs::rename(place("sled"), place(whole)).expect("renamed");
        fs::create_dir(place(other)).expect("a directory");
        let store = SledStore::open(dir.path()).expect("opens");
        assert_eq!(damaged(&store).await, 0);
        store.close().await.expect("a clean close");
    }
    // An old one that a compaction could not remove is not to come back later.
    copy(&place("sled"), &place("sled.old"));
    SledStore::open(dir.path()).expect("opens").close().await.expect("a clean close");
    assert!(!place("sled.old").exists() && !place("sled.read").exists());
}
