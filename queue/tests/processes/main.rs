//! What only whole processes can show: the hub, producers and consumers are killed, again and
//! again, while messages go through queues on a disk.
//!
//! This executable runs itself as the children, so it has its own `main`: `--child ROLE ..` is one
//! of them, anything else the tests, with the flags that test runners use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::process::ExitCode;

mod child;
mod hub;
mod kill;
mod worker;

const TESTS: &[(&str, fn())] = &[
    ("p6_nothing_answered_is_lost_or_delivered_twice_when_workers_are_killed", kill::workers),
    ("p6_nothing_answered_is_lost_or_delivered_twice_when_all_is_killed", kill::everything),
    ("p6_nothing_is_lost_with_tokens_when_all_is_killed", kill::everything_with_tokens),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, role, rest @ ..] = &args[..]
        && flag == "--child"
    {
        return child::run(role, rest);
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
