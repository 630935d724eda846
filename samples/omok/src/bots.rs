//! `omok bots N`: bots that play each other, each with a session of its own, as people would.

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Arg, Command, value_parser};
use indicatif::ProgressBar;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use crate::bot::Bot;
use crate::messages::{Ask, Seen, Tell};
use crate::remote::{News, Remote, RemoteError};
use crate::rules::Stone;

/// How often the progress line changes.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// The longest pause before a move: a client must come back to its heartbeats.
const PAUSE_MS_MAX: u64 = 1_000;

/// What is asked for on the command line.
#[derive(Debug)]
struct Plan {
    node: String,
    bots: u64,
    games: Option<u64>,
    pause: Duration,
    cut_every: u64,
}

/// What the bots have done together.
#[derive(Debug, Default)]
struct Score {
    games: Cell<u64>,
    moves: Cell<u64>,
    repairs: Cell<u64>,
}

pub fn main() -> ExitCode {
    let plan = plan();
    let run = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| LocalSet::new().block_on(&runtime, run(plan)));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omok: {error}");
            ExitCode::FAILURE
        }
    }
}

fn plan() -> Plan {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).default_value(default).help(help).value_parser(value_parser!(u64))
    };
    let matches = Command::new("omok bots")
        .about("Bots that play each other; an odd one waits for a person")
        .no_binary_name(true)
        .arg(Arg::new("bots").default_value("2").value_parser(value_parser!(u64).range(1..)))
        .arg(Arg::new("node").long("node").default_value("127.0.0.1:7778").help("host:port"))
        .arg(number("games", "0", "stop after so many games; 0: never"))
        .arg(
            number("pause-ms", "50", "milliseconds before each move, 1000 at most")
                .value_parser(value_parser!(u64).range(..=PAUSE_MS_MAX)),
        )
        .arg(number("cut-every", "0", "each bot cuts its connection every so many moves; 0: never"))
        .get_matches_from(std::env::args().skip(2));
    let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or_default();
    Plan {
        node: matches.get_one::<String>("node").cloned().unwrap_or_default(),
        bots: number("bots"),
        games: Some(number("games")).filter(|&games| games > 0),
        pause: Duration::from_millis(number("pause-ms")),
        cut_every: number("cut-every"),
    }
}

async fn run(plan: Plan) -> Result<(), String> {
    let (plan, score) = (Rc::new(plan), Rc::new(Score::default()));
    let (stop, stopped) = watch::channel(false);
    let mut bots = JoinSet::new();
    for number in 1..=plan.bots {
        bots.spawn_local(bot(number, plan.clone(), score.clone(), stopped.clone()));
    }
    let line = ProgressBar::new_spinner();
    let mut show = tokio::time::interval(SHOW_EVERY);
    let started = Instant::now();
    loop {
        tokio::select! {
            _ = show.tick() => line.set_message(score.line(started.elapsed())),
            ended = bots.join_next() => match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return Err(error.to_string()),
                Some(Err(error)) => return Err(error.to_string()),
                None => break,
            },
            _ = tokio::signal::ctrl_c() => drop(stop.send(true)),
        }
        line.tick();
        if plan.games.is_some_and(|games| score.games.get() >= games) {
            let _ = stop.send(true);
        }
    }
    line.finish_and_clear();
    println!("{}", score.line(started.elapsed()));
    Ok(())
}

impl Score {
    fn line(&self, after: Duration) -> String {
        let [games, moves, repairs] = [&self.games, &self.moves, &self.repairs].map(Cell::get);
        let rate = moves as f64 / after.as_secs_f64().max(0.001);
        format!("{games} games, {moves} moves ({rate:.0}/s), {repairs} repairs")
    }
}

/// One bot: finds a partner, and plays until it is told to stop.
async fn bot(
    number: u64,
    plan: Rc<Plan>,
    score: Rc<Score>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), RemoteError> {
    let mut bot = Bot::new(number);
    let mut remote = Remote::connect(&plan.node, &format!("bot {number}")).await?;
    // A view after a repair may ask for a move that is on its way: each turn is answered once.
    let (mut moves, mut answered) = (0, None);
    loop {
        let news = tokio::select! {
            news = remote.next() => news?,
            _ = stopped.wait_for(|&stop| stop) => break,
        };
        match news {
            News::Told(tell) => {
                count(&score, &remote, &tell);
                let Some(ask) = next(&mut bot, &remote, &tell) else { continue };
                if let Ask::Place { .. } = ask {
                    let turn = remote.view().game().and_then(|game| game.turn);
                    if std::mem::replace(&mut answered, turn) == turn {
                        continue;
                    }
                    tokio::time::sleep(plan.pause).await;
                    moves += 1;
                    if plan.cut_every > 0 && moves % plan.cut_every == 0 {
                        remote.cut();
                    }
                }
                remote.ask(&ask).await?;
            }
            News::Repaired(_) => score.repairs.set(score.repairs.get() + 1),
            News::RepairStarted => {}
            // Nobody is here to be asked.
            News::RepairFailed => return Err(RemoteError::Gone),
        }
    }
    remote.leave().await;
    Ok(())
}

/// Each game and move is counted by one of its two players.
fn count(score: &Score, remote: &Remote, tell: &Tell) {
    let mine = remote.view().game().map(|game| game.mine);
    match tell {
        Tell::Placed { stone, .. } if mine == Some(*stone) => {
            score.moves.set(score.moves.get() + 1)
        }
        Tell::Over(_) if mine == Some(Stone::Black) => score.games.set(score.games.get() + 1),
        _ => {}
    }
}

/// What to ask after what was told.
fn next(bot: &mut Bot, remote: &Remote, tell: &Tell) -> Option<Ask> {
    let view = remote.view();
    match tell {
        Tell::View(_) if view.place == Seen::Lobby => Some(Ask::FindPartner),
        Tell::View(_) | Tell::Placed { .. } => {
            let game = view.to_move()?;
            let at = bot.choose(&game.board(), game.mine)?;
            Some(Ask::Place { x: at.x(), y: at.y() })
        }
        Tell::Over(_) => Some(Ask::Rematch),
        Tell::PartnerLeft => Some(Ask::Leave),
        Tell::RematchOffered { .. }
        | Tell::MatchEndedWithServer
        | Tell::Announced { .. }
        | Tell::Refused { .. } => None,
    }
}
