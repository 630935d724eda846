//! A node is killed at each numbered step of ownership, in every role that takes it, right before
//! the step's commit and right after it; the cluster goes on, and so do its sessions.
//!
//! The numbers are those of `docs/cluster.md`. Nodes are processes of their own; the store is a
//! hub's, lent by this process, which looks at every commit. A node's own store is a wrapper that
//! knows each step by what its commit checks and writes, and kills its process there.
//!
//! A session is of one of two kinds: written when it leaves its node, or with every turn, which
//! makes it crash-proof. A step is listed for the second kind where it is another one, or comes to
//! another end. A crash-proof VActor has the steps of a crash-proof session but for the ninth:
//! nobody seizes it. A loose VActor is one that is written when it leaves memory, and begins anew
//! if its node dies before. What a sweep could come to first is denied to it meanwhile.
//!
//! This executable runs itself as the node, so it has its own `main`: `--child ..` is a node,
//! anything else the tests, with the flags that test runners use.
//!
//! # Layout
//! - `step`: which step a commit is; `kill_at`: the wrapper; `node`, `game`, `tally`: the node's
//!   process
//! - `process`, `cluster`: the parent's side of it; `world`: the store, and what it must always be
//! - `player`: the client; `cases`: all cases; `situations`: how each comes about
//! - `run`: one case, and what must hold after it

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod cluster;
mod game;
mod kill_at;
mod node;
mod player;
mod process;
mod run;
mod situations;
mod step;
mod tally;
mod world;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some(("--child", args)) = args.split_first().map(|(flag, rest)| (flag.as_str(), rest)) {
        return node::run(args);
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let filters: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let is_chosen = |name: &str| {
        let matches = |filter: &&String| {
            if has("--exact") { name == **filter } else { name.contains(filter.as_str()) }
        };
        // No test is left out by default, so there is nothing to run under that flag.
        !has("--ignored") && (filters.is_empty() || filters.iter().any(matches))
    };
    let chosen: Vec<_> = cases::all().into_iter().filter(|case| is_chosen(&case.name())).collect();
    if has("--list") {
        for case in chosen {
            println!("{}: test", case.name());
        }
        return ExitCode::SUCCESS;
    }
    run::all(chosen)
}
