//! Loss of power: what was acknowledged must be there, whatever of the rest the disk has kept.
//!
//! A process that writes is recorded by `strace`, with all that it does to files. At many points
//! of that record the power is lost: the disk has what was synced, and of the rest what a seed
//! says. The store is opened on each such disk, and compared with what the process was answered.
//!
//! - `plan`, `writer`: the process that is recorded
//! - `record`: running it under strace; `calls`, `trace`: what it did
//! - `disk`: what may be left of it; `loss`: how that is chosen
//! - `crash`: the store, opened on what is left; `verdict`: compared with what was answered
//! - `promise`: all of it
//!
//! This executable runs itself as the child, so it has its own `main`.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

mod calls;
mod crash;
mod disk;
mod loss;
mod plan;
mod promise;
mod record;
mod trace;
mod verdict;
mod writer;

const TESTS: &[(&str, fn())] = &[
    ("lines_become_calls", calls::tests::lines_become_calls),
    ("calls_that_overlap_are_kept_apart", calls::tests::calls_that_overlap_are_kept_apart),
    ("a_write_that_a_kill_cut_off_is_found", calls::tests::a_write_that_a_kill_cut_off_is_found),
    (
        "descriptors_positions_and_copies_are_followed",
        trace::tests::descriptors_positions_and_copies_are_followed,
    ),
    (
        "a_sync_covers_what_had_returned_before_it_began",
        disk::tests::a_sync_covers_what_had_returned_before_it_began,
    ),
    (
        "a_name_is_lost_unless_its_directory_was_synced",
        disk::tests::a_name_is_lost_unless_its_directory_was_synced,
    ),
    (
        "a_write_is_lost_kept_late_or_torn_at_sectors",
        disk::tests::a_write_is_lost_kept_late_or_torn_at_sectors,
    ),
    (
        "p8_what_was_acknowledged_survives_a_loss_of_power",
        promise::p8_what_was_acknowledged_survives_a_loss_of_power,
    ),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, role, path] = &args[..]
        && flag == "--child"
    {
        writer::run(role, &PathBuf::from(path));
        return ExitCode::SUCCESS;
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
