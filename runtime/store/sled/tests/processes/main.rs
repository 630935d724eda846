//! What only whole processes can show: kills, a full disk, two processes on one path.
//!
//! This executable runs itself as the child, so it has its own `main`: `--child ROLE PATH ..` is
//! the child, anything else the tests, with the flags that test runners use.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

mod child;
mod full;
mod kill;
mod second;

const TESTS: &[(&str, fn())] = &[
    ("no_answered_commit_is_lost_in_200_kills", kill::no_answered_commit_is_lost_in_200_kills),
    ("a_kill_while_compacting_loses_nothing", kill::a_kill_while_compacting_loses_nothing),
    ("a_full_disk_stops_answers_and_loses_nothing", full::stops_answers_and_loses_nothing),
    ("a_second_process_is_refused_by_name", second::a_second_process_is_refused_by_name),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, role, path, rest @ ..] = &args[..]
        && flag == "--child"
    {
        return child::run(role, &PathBuf::from(path), rest);
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

/// This executable as a child.
fn command(role: &str, path: &std::path::Path) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this executable"));
    command.args(["--child", role]).arg(path);
    command
}
