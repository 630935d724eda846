//! A disk that is full, made by a limit on the size of files: it needs no rights and fills no
//! real disk.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use throughline_store::{Batch, CommitError, GetError, Store};
use throughline_store_sled::{OpenError, SledStore, tools};

use crate::child::{number, say};
use crate::command;

/// How far the files may still grow.
const LEFT_BYTES: u64 = 3 * 1024 * 1024;
/// More commits than fit.
const COMMITS_MAX: u64 = 10_000;

/// Runs a role whose files may not grow beyond a limit.
fn run(role: &str, path: &Path) {
    let child = command(role, path);
    // The signal of the limit must be ignored to see the error of the write; a shell can do that
    // for its child.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    shell.arg(child.get_program()).args(child.get_args());
    let output = shell.output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn no_space_at_an_open() {
    let dir = tempfile::tempdir().expect("a directory");
    run("open-full", dir.path());
    let report = tools::check(dir.path().join("old")).expect("a store");
    assert!(report.is_clean() && report.records == 1, "{report:?}");
}

/// A new store, and one that was there.
pub(crate) async fn open_without_space(path: &Path) {
    let (old, new) = (path.join("old"), path.join("new"));
    let store = SledStore::open(&old).expect("a new store");
    store.commit(Batch::new().put("key", "value")).await.expect("space");
    store.close().await.expect("a clean close");
    let before = getrlimit(Resource::Fsize);
    let limit = Rlimit { current: Some(1024), maximum: before.maximum };
    setrlimit(Resource::Fsize, limit).expect("a lower limit");
    for at in [&old, &new] {
        let refused = SledStore::open(at).map(drop);
        say(&format!("{}: {refused:?}", at.display()));
        let Err(OpenError::DiskFull { path }) = &refused else { panic!("{refused:?}") };
        assert!(path.starts_with(at), "{}", path.display());
        let text = refused.as_ref().expect_err("refused").to_string();
        assert!(text.contains("no space") && text.contains(&at.display().to_string()), "{text}");
    }
    setrlimit(Resource::Fsize, before).expect("the limit as it was");
    for (at, found) in [(&old, Some(&b"value"[..])), (&new, None)] {
        let store = SledStore::open(at).expect("there is space again");
        let value = store.get("key".into()).await.expect("a read");
        assert_eq!(value.as_deref(), found);
        store.close().await.expect("a clean close");
    }
}

pub(crate) fn stops_answers_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    run("fill", dir.path());
    let report = tools::check(dir.path()).expect("a store");
    assert!(report.is_clean() && report.records > 0, "{report:?}");
}

pub(crate) async fn fill(path: &Path) {
    let store = SledStore::open(path).expect("a new store");
    let size = fs::metadata(path.join("sled/db")).expect("the log").len();
    let before = getrlimit(Resource::Fsize);
    let limit = Rlimit { current: Some(size + LEFT_BYTES), maximum: before.maximum };
    setrlimit(Resource::Fsize, limit).expect("a lower limit");

    let value = |n: u64| number(n).repeat(2_000);
    let (mut answered, mut error) = (0, None);
    while error.is_none() && answered < COMMITS_MAX {
        match store.commit(Batch::new().put(number(answered), value(answered))).await {
            Ok(()) => answered += 1,
            Err(refusal) => error = Some(refusal),
        }
    }
    say(&format!("{answered} answered, then {error:?}"));
    // Mostly its own write fails; sled's thread may have met the limit before it was begun.
    let is_honest = matches!(error, Some(CommitError::Unknown { .. } | CommitError::Down(_)));
    assert!(is_honest, "{error:?}");
    for _ in 0..3 {
        let down = store.commit(Batch::new().put("more", value(0))).await;
        say(&format!("then {down:?}"));
        let Err(CommitError::Down(outage)) = down else { panic!("a full disk answers {down:?}") };
        let path = path.display().to_string();
        assert!(outage.reason.contains("no space") && outage.reason.contains(&path));
        let read = store.get(number(0)).await;
        assert!(matches!(read, Ok(Some(_)) | Err(GetError::Down(_))), "{read:?}");
    }

    setrlimit(Resource::Fsize, before).expect("the limit as it was");
    store.commit(Batch::new().put("more", value(0))).await.expect("works again by itself");
    for n in 0..answered {
        let found = store.get(number(n)).await.expect("a read");
        assert_eq!(found.as_deref(), Some(&value(n)[..]), "{n} of {answered} is lost");
    }
    store.close().await.expect("a clean close");
}
