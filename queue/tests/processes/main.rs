//! What only whole processes can show: the hub, producers and consumers are killed, again and
//! again, while messages go through queues on a disk.
//!
//! This executable runs itself as the children, so it has its own `main`: `--child ROLE ..` is one
//! of them, anything else the tests, with the flags that test runners use.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod child;
mod hub;
mod kill;
mod mail;
mod worker;

const TESTS: &[(&str, fn())] = &[
    ("p6_nothing_answered_is_lost_or_delivered_twice_when_workers_are_killed", kill::workers),
    ("p6_nothing_answered_is_lost_or_delivered_twice_when_all_is_killed", kill::everything),
    ("p6_nothing_is_lost_with_tokens_when_all_is_killed", kill::everything_with_tokens),
    ("each_message_of_the_example_is_shown_once", mail::each_message_is_shown_once),
    ("p6_what_a_killed_reader_did_not_show_comes_again", mail::unshown_comes_again),
    ("p6_readers_of_two_stores_have_tokens_of_their_own", mail::stores_have_tokens_of_their_own),
    ("a_reader_whose_name_is_too_long_is_told_so", mail::long_names_are_refused),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, role, rest @ ..] = &args[..]
        && flag == "--child"
    {
        return child::run(role, rest);
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
