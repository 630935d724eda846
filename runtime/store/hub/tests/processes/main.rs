//! What only whole processes can show: a hub that is killed and started again, and two of them.
//!
//! This executable runs itself as the child, so it has its own `main`: `--child ADDRESS PATH` is a
//! hub, anything else the tests, with the flags that test runners use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

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
    let mut arguments = Arguments::from_args();
    // Each of them takes the whole machine.
    arguments.test_threads.get_or_insert(1);
    let trial = |(name, test): &(&str, fn())| {
        let test = *test;
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&arguments, TESTS.iter().map(trial).collect()).exit_code()
}
