//! The example, run as a reader of the documentation would.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs it on a store, and gives what it printed.
fn mail(store: &Path, words: &[&str]) -> String {
    let ran = run(store, words);
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

fn run(store: &Path, words: &[&str]) -> Output {
    // Cargo puts examples beside the folder of test executables.
    let own = std::env::current_exe().unwrap();
    let example = own.parent().unwrap().parent().unwrap().join("examples/mail");
    let mut command = Command::new(&example);
    let ran = command.arg(store).args(words).output();
    ran.unwrap_or_else(|error| {
        let build = "cargo build -p throughline-queue --examples";
        panic!("{}: {error}; it is built by `{build}`", example.display())
    })
}

/// The only file beside the store: the token of a read.
fn token_file(beside: &Path) -> Option<std::path::PathBuf> {
    let mut files = fs::read_dir(beside).unwrap().map(|file| file.unwrap().path());
    files.find(|file| file.extension().is_some_and(|ext| ext == "token"))
}

pub(crate) fn each_message_is_shown_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    for text in ["ten gems", "a sword"] {
        assert!(mail(&store, &["send", "ann", text]).starts_with("sent to ann: "));
    }
    mail(&store, &["send", "../ben", "welcome"]);
    assert_eq!(
        mail(&store, &[]),
        "key:../ben: 1 messages, 7 bytes\nkey:ann: 2 messages, 15 bytes\n"
    );
    assert_eq!(mail(&store, &["read", "ann"]), "ten gems\na sword\n");
    assert_eq!(mail(&store, &["read", "ann"]), "");
    assert_eq!(mail(&store, &["read", "../ben"]), "welcome\n");
    assert_eq!(mail(&store, &[]), "");
    assert_eq!(token_file(dir.path()), None, "all that was asked for was shown");
}

/// A reader that is killed before it has shown all has its token still, and the next one asks
/// with it.
pub(crate) fn unshown_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    mail(&store, &["send", "ann", "ten gems"]);
    // "ann", as the example names its file.
    let token = dir.path().join("store.616e6e.token");
    for _ in 0..2 {
        fs::write(&token, "0123456789abcdef").unwrap();
        assert_eq!(mail(&store, &["read", "ann"]), "ten gems\n");
    }
    assert_eq!(mail(&store, &["read", "ann"]), "", "with a token of its own it is something new");
}

/// Two stores whose names differ behind a dot only.
pub(crate) fn stores_have_tokens_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("x.1"), dir.path().join("x.2"));
    mail(&two, &["send", "ann", "ten gems"]);
    let token = dir.path().join("x.1.616e6e.token");
    fs::write(&token, "0123456789abcdef").unwrap();
    assert_eq!(mail(&two, &["read", "ann"]), "ten gems\n");
    assert!(token.exists(), "it is not the other's");
    assert_eq!(mail(&one, &["read", "ann"]), "");
    assert_eq!(token_file(dir.path()), None);
}

pub(crate) fn long_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let (longest, longer) = ("a".repeat(100), "a".repeat(101));
    mail(&store, &["send", &longest, "ten gems"]);
    assert_eq!(mail(&store, &["read", &longest]), "ten gems\n");
    let ran = run(&store, &["read", &longer]);
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(!ran.status.success() && error.contains("100 bytes at most"), "{error}");
}
