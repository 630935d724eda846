//! Bugs that are planted, and the seeds that find them.
//!
//! Each is looked for in a process of its own: one bug is planted in all of a process, and what it
//! breaks may be that a run ends.

use std::process::{Command, ExitCode, Stdio};

use throughline_canary::{Canary, choose};

use crate::Options;
use crate::seeds::{self, Going};

/// Stands for every name.
const ALL: &str = "all";

/// Looks for a seed that finds the bug of this name, or all bugs.
pub(crate) fn find(name: &str, options: &Options) -> ExitCode {
    if name == ALL {
        return find_all(options);
    }
    match name.parse::<Canary>() {
        Ok(canary) => find_one(canary, options),
        Err(error) => {
            eprintln!("{error}; docs/testing.md has the table of them");
            ExitCode::FAILURE
        }
    }
}

/// Prints the line of the table, with the first seed of those that failed.
fn find_one(canary: Canary, options: &Options) -> ExitCode {
    choose(Some(canary));
    let mut found: Option<u64> = None;
    seeds::run(options, |outcome| {
        let Some(failure) = outcome.failures.first() else { return Going::On };
        if found.is_none_or(|seed| seed > outcome.seed) {
            // Printed at once, since the process may end with it.
            println!("| `{canary}` | {} | {failure}", outcome.seed);
            found = Some(outcome.seed);
        }
        Going::Enough
    });
    if found.is_some() {
        return ExitCode::SUCCESS;
    }
    println!("| `{canary}` | not found in {} seeds |", options.seeds);
    ExitCode::FAILURE
}

fn find_all(options: &Options) -> ExitCode {
    let mut missed = Vec::new();
    for canary in Canary::ALL {
        match find_apart(*canary, options) {
            Ok(text) => {
                let lines = text.lines().filter(|line| !line.contains("not found"));
                let seed = |line: &&str| line.split('|').nth(2)?.trim().parse::<u64>().ok();
                match lines.min_by_key(seed) {
                    Some(line) => println!("{line}"),
                    None => {
                        println!("| `{canary}` | not found |");
                        missed.push(canary.to_string());
                    }
                }
            }
            Err(error) => {
                eprintln!("no process for {canary}: {error}");
                missed.push(canary.to_string());
            }
        }
    }
    let all = Canary::ALL.len();
    println!("{} of {all} found within {} seeds", all - missed.len(), options.seeds);
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn find_apart(canary: Canary, options: &Options) -> std::io::Result<String> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--canary", &canary.to_string()]);
    command.args(["--seeds", &options.seeds.to_string(), "--from", &options.from.to_string()]);
    command.args(["--minutes", &options.minutes.to_string()]);
    command.args(options.threads.map(|threads| format!("--threads={threads}")));
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
