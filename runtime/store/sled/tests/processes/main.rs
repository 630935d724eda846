//! What only whole processes can show: kills, a full disk, two processes on one path.
//!
//! This executable runs itself as the child, so it has its own `main`: `--child ROLE PATH ..` is
//! the child, anything else the tests, with the flags that test runners use.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};

mod child;
mod full;
mod kill;
mod second;

const TESTS: &[(&str, fn())] = &[
    ("no_answered_commit_is_lost_in_200_kills", kill::no_answered_commit_is_lost_in_200_kills),
    ("a_kill_while_compacting_loses_nothing", kill::a_kill_while_compacting_loses_nothing),
    ("a_full_disk_stops_answers_and_loses_nothing", full::stops_answers_and_loses_nothing),
    ("no_space_at_an_open_is_told_with_the_path_and_harms_nothing", full::no_space_at_an_open),
    ("a_second_process_is_refused_by_name", second::a_second_process_is_refused_by_name),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, role, path, rest @ ..] = &args[..]
        && flag == "--child"
    {
        return child::run(role, &PathBuf::from(path), rest);
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

/// This executable as a child.
fn command(role: &str, path: &std::path::Path) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this executable"));
    command.args(["--child", role]).arg(path);
    command
}
