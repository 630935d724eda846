//! The copy that an open makes, where there is no space for it.

use std::collections::BTreeMap;

use crate::opened::Opened;
use crate::tools::{ToolError, dump_copy};

use super::*;

const CACHE_BYTES: u64 = 1 << 20;

/// A closed store, whose log has lost its first half if it is `damaged`.
fn store(damaged: bool) -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().expect("a directory");
    let layout = Layout::create(dir.path()).expect("a new directory");
    let opened = Opened::open(&layout, CACHE_BYTES).expect("a new store");
    opened.close().expect("a clean close");
    if damaged {
        let log = layout.sled().join("db");
        let mut bytes = fs::read(&log).expect("the log");
        let half = bytes.len() / 2;
        bytes[..half].fill(0);
        fs::write(&log, bytes).expect("the log");
    }
    (dir, layout)
}

fn files(layout: &Layout) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for dir in [layout.root().to_owned(), layout.sled()] {
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let bytes = fs::read(&path).expect("a file");
                files.insert(path, bytes);
            }
        }
    }
    files
}

#[test]
fn a_copy_is_made_only_if_it_leaves_space_to_others() {
    let (_dir, mut layout) = store(false);
    let bytes = dir_bytes(&layout.sled()).expect("its size");
    layout.free_in_test = Some(2 * bytes - 1);
    let refused = layout.keep().expect_err("it would take more than half");
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert!(!layout.kept().exists());
    layout.free_in_test = Some(2 * bytes);
    layout.keep().expect("a copy");
    assert_eq!(dir_bytes(&layout.kept()).expect("its size"), bytes);
    layout.check_space(1 << 40).expect_err("no space for a large one");
    layout.free_in_test = Some((1 << 40) + KEEP_SPARE_BYTES);
    layout.check_space(1 << 40).expect("what is left is enough");
}

#[test]
fn a_store_that_is_opened_without_a_copy_says_that_its_files_may_have_changed() {
    let (_dir, mut layout) = store(false);
    layout.free_in_test = Some(0);
    Opened::open(&layout, CACHE_BYTES).expect("opens all the same").close().expect("closes");
    let (dir, mut layout) = store(true);
    layout.free_in_test = Some(0);
    let refused = Opened::open(&layout, CACHE_BYTES).expect_err("it is damaged");
    let is_right = matches!(&refused, OpenError::Corrupt { path, untouched: false, .. }
        if path == dir.path());
    assert!(is_right, "{refused:?}");
    assert!(refused.to_string().contains("the try may have changed its files"), "{refused}");
}

#[test]
fn a_dump_without_space_for_a_copy_is_refused_and_changes_nothing() {
    let (_dir, mut layout) = store(true);
    let before = files(&layout);
    layout.free_in_test = Some(0);
    let refused = dump_copy(&layout, &mut io::sink()).expect_err("no space");
    assert!(matches!(refused, ToolError::Open(OpenError::DiskFull { .. })), "{refused:?}");
    assert!(files(&layout) == before, "a file was changed");
}
