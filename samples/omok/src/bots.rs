//! `omok bots N`: bots that play each other, each with a session of its own, as people would.
//!
//! They check what they see: every game's winner by playing its moves again, that both players saw
//! the same game, that each stone they placed is there once, and every clock.
//!
//! # Layout
//! - here: the command, and all bots together
//! - `one`: a single bot; `ledger`: what is checked and counted

mod ledger;
mod one;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, Command, value_parser};
use indicatif::ProgressBar;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

pub use ledger::Score;

use crate::remote::RemoteError;
use ledger::Ledger;

/// How often the progress line changes.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// The longest pause before a move: a client must come back to its heartbeats.
const PAUSE_MS_MAX: u64 = 1_000;
/// The last games may take so long after the end was called: a whole turn, and something.
pub const SETTLE_TIME: Duration = Duration::from_secs(45);

/// What the bots are to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Addresses: bots begin at one after the other.
    pub nodes: Vec<String>,
    pub bots: u64,
    /// Before each move.
    pub pause: Duration,
    /// Each bot cuts its connection every so many moves; 0: never.
    pub cut_every: u64,
    /// Every so many-th bot lets the clock of its first game run out; 0: none.
    pub sleep_every: u64,
}

/// How far the bots are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Play,
    /// The game under way is the last one.
    Settle,
    Leave,
}

/// Bots that play, within a `LocalSet`.
#[derive(Debug)]
pub struct Bots {
    ledger: Rc<Ledger>,
    phase: watch::Sender<Phase>,
    bots: JoinSet<Result<(), RemoteError>>,
}

impl Bots {
    /// Lets them come in and play.
    pub fn start(plan: &Plan) -> Self {
        let (phase, phases) = watch::channel(Phase::Play);
        let ledger = Rc::new(Ledger::default());
        let plan = Rc::new(plan.clone());
        let mut bots = JoinSet::new();
        for number in 1..=plan.bots {
            bots.spawn_local(one::play(number, plan.clone(), ledger.clone(), phases.clone()));
        }
        Self { ledger, phase, bots }
    }

    pub fn score(&self) -> Score {
        self.ledger.score()
    }

    /// Waits until a bot cannot go on. Cancel-safe.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn failed(&mut self) -> String {
        loop {
            match self.bots.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error.to_string(),
                Some(Err(error)) => return error.to_string(),
                None => std::future::pending().await,
            }
        }
    }

    /// Lets the games under way come to their ends; how many did not in this time, or did for one
    /// of their players only.
    pub async fn settle(&mut self, within: Duration) -> u64 {
        self.phase.send_replace(Phase::Settle);
        let all = async {
            while self.ledger.playing() > 0 {
                self.ledger.changed().await;
            }
        };
        // What is not over by then is counted.
        let _ = tokio::time::timeout(within, all).await;
        self.ledger.playing() + self.ledger.half_told()
    }

    /// They log out.
    pub async fn leave(&mut self) {
        self.phase.send_replace(Phase::Leave);
        while self.bots.join_next().await.is_some() {}
    }
}

pub fn main() -> ExitCode {
    let (plan, games) = plan();
    let run = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| LocalSet::new().block_on(&runtime, run(&plan, games)));
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("omok: {error}");
            ExitCode::FAILURE
        }
    }
}

fn plan() -> (Plan, Option<u64>) {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).default_value(default).help(help).value_parser(value_parser!(u64))
    };
    let node = Arg::new("node").long("node").default_value("127.0.0.1:7778");
    let matches = Command::new("omok bots")
        .about("Bots that play each other, and check every game; an odd one waits for a person")
        .no_binary_name(true)
        .arg(Arg::new("bots").default_value("2").value_parser(value_parser!(u64).range(1..)))
        .arg(node.action(ArgAction::Append).help("host:port; may be repeated"))
        .arg(number("games", "0", "stop after so many games; 0: never"))
        .arg(
            number("pause-ms", "50", "milliseconds before each move, 1000 at most")
                .value_parser(value_parser!(u64).range(..=PAUSE_MS_MAX)),
        )
        .arg(number("cut-every", "0", "each bot cuts its connection every so many moves; 0: never"))
        .arg(number(
            "sleep-every",
            "0",
            "every so many-th bot lets its first clock run out; 0: none",
        ))
        .get_matches_from(std::env::args().skip(2));
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    let nodes = matches.get_many::<String>("node").into_iter().flatten();
    let plan = Plan {
        nodes: nodes.cloned().collect(),
        bots: number("bots"),
        pause: Duration::from_millis(number("pause-ms")),
        cut_every: number("cut-every"),
        sleep_every: number("sleep-every"),
    };
    (plan, Some(number("games")).filter(|&games| games > 0))
}

/// Whether all that was checked was right.
async fn run(plan: &Plan, games: Option<u64>) -> Result<bool, String> {
    let mut bots = Bots::start(plan);
    let line = ProgressBar::new_spinner();
    let mut show = tokio::time::interval(SHOW_EVERY);
    let started = Instant::now();
    let mut unsettled = 0;
    loop {
        tokio::select! {
            _ = show.tick() => line.set_message(bots.score().line(started.elapsed())),
            error = bots.failed() => return Err(error),
            _ = tokio::signal::ctrl_c() => break,
        }
        line.tick();
        if games.is_some_and(|games| bots.score().games >= games) {
            unsettled = bots.settle(SETTLE_TIME).await;
            break;
        }
    }
    bots.leave().await;
    line.finish_and_clear();
    let score = bots.score();
    println!("{}", score.line(started.elapsed()));
    if unsettled > 0 {
        println!("{unsettled} games did not come to their ends");
    }
    Ok(score.is_right() && unsettled == 0)
}
