//! The processes of a folder: those that work in it or below, whoever has started them.
//!
//! Patroni starts the server as a child of nobody, and the server's processes write over their
//! names; where they work is what both leave alone.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::until;

/// Which of the processes of a member are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Patroni alone. The server works in a folder below.
    Patroni,
}

fn all(folder: &Path, which: Which) -> Vec<Pid> {
    let is_in = |at: PathBuf| match which {
        Which::All => at.starts_with(folder),
        Which::Patroni => at == folder,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("a system with /proc").flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // One that has ended meanwhile, or is a thread of the system, works nowhere.
        let works_in = fs::read_link(entry.path().join("cwd"));
        if let (Some(pid), Ok(at)) = (number.and_then(Pid::from_raw), works_in)
            && is_in(at)
        {
            found.push(pid);
        }
    }
    found
}

fn signal(folder: &Path, which: Which, signal: Signal) -> bool {
    let found = all(folder, which);
    for pid in &found {
        // One that has ended needs none.
        let _ = kill_process(*pid, signal);
    }
    found.is_empty()
}

/// Kills them as a loss of power would, and those that they start meanwhile.
pub(crate) async fn kill(folder: &Path, which: Which) {
    until("processes end that were killed", || signal(folder, which, Signal::KILL)).await;
}

/// Lets them stand still, and those that they start meanwhile.
pub(crate) async fn freeze(folder: &Path) {
    let mut before = 0;
    let stand_still = || {
        signal(folder, Which::All, Signal::STOP);
        let now = all(folder, Which::All).len();
        std::mem::replace(&mut before, now) == now
    };
    until("processes stand still", stand_still).await;
}

pub(crate) fn thaw(folder: &Path) {
    signal(folder, Which::All, Signal::CONT);
}

/// For `Drop`, which cannot wait: `KEEPER` does the rest.
pub(crate) fn kill_now(folder: &Path) {
    signal(folder, Which::All, Signal::KILL);
}

/// Ends all when the input ends, which it does with the process that holds it, however that ends.
/// `$0` is the folder. Bounded by its rounds: after each, only what was started meanwhile is left.
pub(crate) const KEEPER: &str = r#"
cat
for round in 1 2 3 4 5 6 7 8 9 10; do
    found=
    for process in /proc/[0-9]*; do
        case "$(readlink "$process/cwd")" in
            "$0" | "$0/"*) kill -9 "${process#/proc/}"; found=1 ;;
        esac
    done
    [ -n "$found" ] || break
done
rm -rf "$0"
"#;
