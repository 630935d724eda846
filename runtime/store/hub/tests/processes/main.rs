//! What only whole processes can show: a hub that is killed and started again, and two of them.
//!
//! This executable runs itself as the child, so it has its own `main`: `--child ADDRESS PATH` is a
//! hub, anything else the tests, with the flags that test runners use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::process::ExitCode;

mod hub;
mod kill;
mod second;
mod writer;

const TESTS: &[(&str, fn())] = &[
    ("no_answered_commit_is_lost_when_the_hub_is_killed", kill::over_loopback),
    #[cfg(unix)]
    ("a_killed_hub_comes_back_on_its_socket", kill::over_a_socket),
    #[cfg(unix)]
    ("what_a_suspended_hub_does_late_is_fenced_by_the_bump", kill::while_suspended),
    ("a_second_hub_on_one_store_is_refused", second::a_second_hub_on_one_store_is_refused),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, address, path] = &args[..]
        && flag == "--child"
    {
        return hub::run(address, path);
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    // nextest lists with `--list --format terse`, whose last word is no filter.
    let is_filter = |arg: &&String| !arg.starts_with('-') && *arg != "terse";
    let filters: Vec<_> = args.iter().filter(is_filter).collect();
    let is_chosen = |name: &str| {
        let matches = |filter: &&String| {
            if has("--exact") { name == **filter } else { name.contains(filter.as_str()) }
        };
        // No test is left out by default, so there is nothing to run under that flag.
        !has("--ignored") && (filters.is_empty() || filters.iter().any(matches))
    };
    for (name, test) in TESTS.iter().filter(|(name, _)| is_chosen(name)) {
        if has("--list") {
            println!("{name}: test");
            continue;
        }
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}
