//! The bin `throughline`, run as an operator runs it.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod copy;
mod dead_letters;
mod live;
mod nodes;
mod queue;
mod store;
mod vactors;

use std::process::{Command, Output, Stdio};

/// Runs the command to its end.
fn throughline(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What a command that succeeds prints.
#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = throughline(arguments);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {out}{error}");
    out.to_owned()
}

/// What a command prints that ends with status 1: on standard output, and on standard error.
#[track_caller]
fn fails(arguments: &[&str]) -> (String, String) {
    let output = throughline(arguments);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {out}{error}");
    (out.to_owned(), error.to_owned())
}

#[test]
fn a_wrong_command_line_is_refused_with_status_2() {
    for wrong in [&[][..], &["stauts"], &["store", "check"], &["status", "--admin", "x"]] {
        let output = throughline(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn the_help_names_every_command() {
    let help = succeeds(&["--help"]);
    let commands = ["status", "sessions", "dead-letters", "announce", "maintenance", "drain"];
    for command in commands.into_iter().chain(["store", "queue"]) {
        assert!(help.contains(command), "{command} is missing in: {help}");
    }
}
