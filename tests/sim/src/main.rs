//! `throughline-sim`: whole clusters in virtual time, with faults, each from a seed.
//!
//! # Layout
//! - `plan`: what a seed says; `run`: one run, and what must be true at its end
//! - `place`: a node in its host; `balancer`: what is in front of them
//! - `network`, `store`, `disk`: what it runs in
//! - `audit`: the law of ownership, seen from the store; `lives`: that of beats
//! - `game`: what is played; `player`, `hostile`: who plays; `truth`: what really happened
//! - `omok`: the sample game, and two who play it; `post`: a backend that has only the store
//! - `away`: whether a session may have expired meanwhile
//! - `tabs`: a session in two tabs; `letters`: what nobody could handle
//! - `weather`: the faults from outside; `fault`: their kinds
//! - `seeds`: many runs at the same time; `planted`: bugs that they are to find
//! - `report`: what is printed; `said`: what the nodes log; `random`: the seed

#![forbid(unsafe_code)]

mod audit;
mod away;
mod balancer;
mod disk;
mod fault;
mod game;
mod hostile;
mod letters;
mod lives;
mod network;
mod omok;
mod place;
mod plan;
#[cfg(feature = "canary")]
mod planted;
mod player;
mod post;
mod random;
mod report;
mod run;
mod said;
mod seeds;
mod shop;
mod store;
mod tabs;
mod truth;
mod weather;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use report::Totals;
use seeds::Going;

/// How the progress shows.
const STYLE: &str = "{bar:30} {pos}/{len} seeds, {elapsed} gone, {eta} left {msg}";

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs whole clusters in virtual time, with the faults of the design, and checks what they
/// promise.
#[derive(Debug, Clone, Parser)]
#[command(name = "throughline-sim")]
struct Options {
    /// How many seeds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Virtual minutes of each, at least.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..))]
    minutes: u64,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Shows what happens, on standard error: for one seed.
    #[arg(long)]
    trace: bool,
    /// Runs every seed twice, and compares; without it every hundredth.
    #[arg(long)]
    twice: bool,
    /// Runs at the same time; as many as there are cores by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Plants the bug of this name and looks for a seed that finds it; `all` does so with every
    /// one, and prints a table.
    #[cfg(feature = "canary")]
    #[arg(long)]
    canary: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !cfg!(tokio_unstable) {
        eprintln!(
            "throughline-sim was built without `--cfg tokio_unstable`, which .cargo/config.toml of \
             its repository sets: runs would not repeat"
        );
        return ExitCode::FAILURE;
    }
    be_quiet_about_asked_panics();
    said::listen(options.trace);
    #[cfg(feature = "canary")]
    if let Some(name) = &options.canary {
        return planted::find(name, &options);
    }
    let totals = run_all(&options);
    match options.json {
        true => println!("{}", totals.json()),
        false => totals.show(),
    }
    if totals.is_right(options.seeds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Handlers that were asked to panic do so all the time.
fn be_quiet_about_asked_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| info.payload().downcast_ref::<&str>().copied());
        if text != Some(game::ASKED_TO_PANIC) {
            default(info);
        }
    }));
}

fn run_all(options: &Options) -> Totals {
    let bar = if options.json || options.trace {
        ProgressBar::hidden()
    } else {
        let style = ProgressStyle::with_template(STYLE);
        ProgressBar::new(options.seeds)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut totals = Totals::default();
    seeds::run(options, |outcome| {
        bar.inc(1);
        if !outcome.failures.is_empty() {
            bar.suspend(|| report::failed(outcome, options.minutes));
        }
        totals.add(outcome);
        Going::On
    });
    bar.finish_and_clear();
    totals
}
