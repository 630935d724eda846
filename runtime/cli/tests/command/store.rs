//! `throughline store` on stores on disk.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use throughline_store::{Batch, Store};
use throughline_store_sled::SledStore;

use crate::{fails, succeeds};

const RECORDS: u32 = 200;

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A directory with a store `data` of some records that nobody has open.
fn filled() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    block_on(async {
        let store = SledStore::open(&path).unwrap();
        for number in 0..RECORDS {
            let (key, value) = (format!("seat/{number:03}"), format!("player {number}").repeat(50));
            store.commit(Batch::new().put(key, value)).await.unwrap();
        }
        store.close().await.unwrap();
    });
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

/// The store's log, which is cut in half.
fn cut(path: &str) {
    let log = Path::new(path).join("sled/db");
    let file = fs::OpenOptions::new().write(true).open(log).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

#[test]
fn a_clean_store_is_said_to_be_clean() {
    let (_dir, path) = filled();
    let said = succeeds(&["store", "check", &path]);
    assert!(said.contains("is clean: 200 records") && said.contains(&path), "{said}");
    let report: Value =
        serde_json::from_str(&succeeds(&["store", "check", &path, "--json"])).unwrap();
    assert_eq!((&report["clean"], &report["records"]), (&true.into(), &RECORDS.into()));
}

#[test]
fn a_damaged_store_is_refused_with_its_path_and_the_way_out() {
    let (_dir, path) = filled();
    cut(&path);
    let before = fs::read(Path::new(&path).join("sled/db")).unwrap();
    let (_, error) = fails(&["store", "check", &path]);
    assert!(error.contains(&path) && error.contains("damaged"), "{error}");
    assert!(error.contains("backup") && error.contains("dump"), "{error}");
    let (document, _) = fails(&["store", "check", &path, "--json"]);
    let document: Value = serde_json::from_str(&document).unwrap();
    assert!(document["error"].as_str().unwrap().contains(&path));
    assert!(fs::read(Path::new(&path).join("sled/db")).unwrap() == before, "it was changed");
}

#[test]
fn a_backup_is_a_store_with_the_same_records() {
    let (dir, path) = filled();
    let copy = dir.path().join("copy").to_str().unwrap().to_owned();
    succeeds(&["store", "backup", &path, &copy]);
    assert!(succeeds(&["store", "check", &copy]).contains("is clean: 200 records"));
    assert_eq!(succeeds(&["store", "dump", &copy]), succeeds(&["store", "dump", &path]));
    // A second one does not go over the first.
    let (_, error) = fails(&["store", "backup", &path, &copy]);
    assert!(error.contains(&copy), "{error}");
}

#[test]
fn a_compacted_store_keeps_its_records() {
    let (_dir, path) = filled();
    let before = succeeds(&["store", "dump", &path]);
    let said: Value =
        serde_json::from_str(&succeeds(&["store", "compact", &path, "--json"])).unwrap();
    assert!(said["after_bytes"].as_u64().unwrap() > 0, "{said}");
    assert_eq!(succeeds(&["store", "dump", &path]), before);
}

#[test]
fn a_dump_has_a_line_for_each_record_and_overwrites_nothing() {
    let (dir, path) = filled();
    let lines = succeeds(&["store", "dump", &path]);
    assert_eq!(lines.lines().count(), RECORDS as usize);
    assert!(lines.starts_with("seat/000\t706c61796572"), "{}", &lines[..40]);
    let to = dir.path().join("dump.txt").to_str().unwrap().to_owned();
    assert!(succeeds(&["store", "dump", &path, &to]).contains("200 records written"));
    assert_eq!(fs::read_to_string(&to).unwrap(), lines);
    let (_, error) = fails(&["store", "dump", &path, &to]);
    assert!(error.contains(&to) && error.contains("new file"), "{error}");
    assert_eq!(fs::read_to_string(&to).unwrap(), lines);
}

#[test]
fn a_store_in_use_is_refused_with_the_process_that_has_it() {
    let (dir, path) = filled();
    let open = SledStore::open(&path).unwrap();
    let to = dir.path().join("copy").to_str().unwrap().to_owned();
    for command in [
        &["store", "check", &path][..],
        &["store", "dump", &path],
        &["store", "compact", &path],
        &["store", "backup", &path, &to],
    ] {
        let (_, error) = fails(command);
        assert!(error.contains(&path), "{error}");
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    }
    block_on(open.close()).unwrap();
}

#[test]
fn a_directory_that_is_no_store_is_not_made_one() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone").to_str().unwrap().to_owned();
    let (_, error) = fails(&["store", "check", &gone]);
    assert!(error.contains(&gone), "{error}");
    assert!(!Path::new(&gone).exists());
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    let (_, error) = fails(&["store", "check", dir.path().to_str().unwrap()]);
    assert!(error.contains("no store"), "{error}");
}
