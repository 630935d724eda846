//! `throughline-sim`: whole clusters in virtual time, with faults, each from a seed.
//!
//! # Layout
//! - `plan`: what a seed says; `run`: one run, and what must be true at its end
//! - `place`: a node in its host; `balancer`: what is in front of them
//! - `network`, `store`: what it runs in; `audit`: the law of ownership, seen from the store
//! - `game`: what is played; `player`, `hostile`: who plays; `truth`: what really happened
//! - `weather`: the faults from outside; `fault`: their kinds
//! - `report`: what is printed; `random`: the seed

#![forbid(unsafe_code)]

mod audit;
mod balancer;
mod fault;
mod game;
mod hostile;
mod network;
mod place;
mod plan;
mod player;
mod random;
mod report;
mod run;
mod store;
mod truth;
mod weather;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use plan::Plan;
use report::Totals;
use run::Outcome;

/// One seed in so many runs twice, and both runs must be the same.
const TWICE_EVERY: u64 = 100;

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
    if options.trace {
        let filter = env_logger::Env::default().default_filter_or("warn");
        env_logger::Builder::from_env(filter).format_timestamp(None).init();
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
    let threads = match (options.trace, options.threads) {
        (true, _) => 1,
        (_, Some(threads)) => threads.max(1),
        _ => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    let bar = if options.json || options.trace {
        ProgressBar::hidden()
    } else {
        let style = ProgressStyle::with_template(STYLE);
        ProgressBar::new(options.seeds)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    let next = AtomicU64::new(options.from);
    let is_stopped = AtomicBool::new(false);
    let (done, outcomes) = mpsc::channel();
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (done, next, is_stopped) = (done.clone(), &next, &is_stopped);
            scope.spawn(move || {
                while !is_stopped.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.from + options.seeds
                        || done.send(one(seed, options)).is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(done);
        for outcome in outcomes {
            bar.inc(1);
            if !outcome.failures.is_empty() {
                let minutes = options.minutes;
                bar.suspend(|| report::failed(&outcome, minutes));
            }
            totals.add(&outcome);
        }
    });
    bar.finish_and_clear();
    totals
}

/// Runs one seed; some of them twice.
fn one(seed: u64, options: &Options) -> Outcome {
    let plan = Plan::new(seed, options.minutes);
    let is_twice = options.twice || seed.is_multiple_of(TWICE_EVERY);
    let mut outcome = run::run(&plan, options.trace, is_twice);
    if is_twice {
        let again = run::run(&plan, false, true);
        if again.hash != outcome.hash {
            outcome.failures.push(difference(&outcome.lines, &again.lines));
        }
    }
    outcome
}

/// Where two runs of one seed part.
fn difference(one: &[String], other: &[String]) -> String {
    let at = one.iter().zip(other).position(|(one, other)| one != other);
    let at = at.unwrap_or_else(|| one.len().min(other.len()));
    let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "the end".to_owned());
    let (one, other) = (line(one), line(other));
    format!("a second run went differently, from line {at} on: `{one}`, then `{other}`")
}
