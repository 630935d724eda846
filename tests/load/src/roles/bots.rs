//! The clients of `rolling --game omok`: bots that play whole games, and check each.

use std::time::Duration;

use clap::Args;
use omok::bots::{Bots, Plan, SETTLE_TIME, Score};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::parent::{self, Question, json};
use crate::report::Report;
use crate::roles::worker::{Desk, Worker};

/// Before each move: a game takes some seconds, so that nodes are restarted in the middle of it.
const PAUSE: Duration = Duration::from_millis(100);

/// Every so many-th bot lets the clock of its first game run out.
const SLEEP_EVERY: u64 = 8;

/// What the bots are told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    clients: u64,
    /// An address of each node.
    #[arg(long = "node", required = true)]
    nodes: Vec<String>,
}

/// What the bots have played.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Played {
    score: Score,
    /// Games that did not come to their ends for both of their players.
    unfinished: u64,
}

impl Played {
    pub(crate) fn add_to(&self, report: &mut Report) {
        let Self { score, unfinished } = self;
        report.add("games", score.games);
        report.add("moves", score.moves);
        report.add_zero("wrong_games", score.wrong_games);
        report.add_zero("wrong_clocks", score.wrong_clocks);
        report.add_zero("wrong_refusals", score.wrong_refusals);
        report.add_zero("unfinished", *unfinished);
        report.add_zero("lost_matches", score.lost);
        report.add("clocks_run_out", score.slept);
        report.add("match_moves", score.match_moves);
        report.add("asked_again", score.again);
        report.add("repairs", score.repairs);
    }
}

/// Lets the bots play and answers the parent.
pub(crate) fn drive(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| work(options, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}

async fn work(options: Options, mut desk: Desk<Played>) -> Result<(), Error> {
    let mut bots = Bots::start(&Plan {
        nodes: options.nodes,
        bots: options.clients,
        pause: PAUSE,
        cut_every: 0,
        sleep_every: SLEEP_EVERY,
    });
    let mut unfinished = 0;
    desk.say(Played::default())?;
    loop {
        let question = tokio::select! {
            question = desk.next() => question,
            why = bots.failed() => return Err(Error::Client { what: "play", why }),
        };
        match question {
            None => return Ok(()),
            Some(Question::Settle) => unfinished = bots.settle(SETTLE_TIME).await,
            Some(Question::Leave) => bots.leave().await,
            Some(_) => {}
        }
        desk.say(Played { score: bots.score(), unfinished })?;
    }
}
