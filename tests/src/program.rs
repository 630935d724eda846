//! The binaries of the project, as an operator meets them.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::watch;

/// The sample game's binary under this subcommand, from the folder above this test's own. Its
/// output is piped, and it is killed when its [`Child`] is dropped.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn omok(subcommand: &str) -> Command {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).map(PathBuf::from).unwrap_or_default();
    let path = folder.join("omok").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} is missing: cargo build -p omok", path.display());
    let mut command = Command::new(path);
    command.arg(subcommand);
    // A configuration in the working directory or the environment is not this test's.
    command.current_dir(std::env::temp_dir()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Sends these signals, such as `TERM`, each at once behind the other.
///
/// # Panics
/// If the process has ended.
#[cfg(unix)]
pub async fn signal(child: &Child, signals: &[&str]) {
    let pid = child.id().expect("a process that was not waited for has a number");
    let kills = signals.iter().map(|signal| format!("kill -s {signal} {pid}"));
    let script = kills.collect::<Vec<_>>().join(" && ");
    let killed = Command::new("sh").args(["-c", &script]).status().await;
    assert!(killed.is_ok_and(|status| status.success()), "{script}");
}

/// The exit status; `None` if a signal ended it.
///
/// # Panics
/// If it does not end within [`watch::PATIENCE`].
#[cfg(unix)]
pub async fn status(mut child: Child) -> Option<i32> {
    let ended = watch::soon("the end of a process", child.wait()).await;
    ended.expect("a child can be waited for").code()
}
