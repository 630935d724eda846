//! The game that clusters play: sessions that number all they say, and virtual actors that note
//! whom they have answered. What they know is in their state, and travels and is lost with it.

mod counter;
mod form;
mod poison;
mod session;
mod tally;

use std::collections::BTreeMap;

use omok::Game as _;
use throughline::NodeBuilder;
use throughline::prelude::*;
use throughline_vactor::Vactors as _;

pub(crate) use counter::Counters;
pub(crate) use form::Form;
pub(crate) use poison::{Poison, Poisons};
pub(crate) use session::Talker;
pub(crate) use tally::{Noted, Tally, Total, Wishes};

/// The names of the session kinds: those that a crash loses, and those that it does not.
pub(crate) const ROAMER: &str = "roamer";
pub(crate) const SAVER: &str = "saver";
/// Its second version can be written only by who reads it.
pub(crate) const PILOT: &str = "pilot";

/// What a text is made of that makes a panic an expected one.
pub(crate) const ASKED_TO_PANIC: &str = "asked to panic";

/// The keys of the virtual actors.
pub(crate) const TALLIES: [&str; 4] = ["north", "east", "south", "west"];

/// Nobody registers this key: its queue fills.
pub(crate) const NOBODY: &str = "nobody";

/// Longer than any run.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// What players say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Say {
    /// The numbers from 1 on.
    Up(u64),
    /// Asks that virtual actor.
    Ask(String),
    /// Asks that counter, which a crash loses.
    Count(String),
    /// Tells that virtual actor, durably.
    Tell(String),
    /// Sends a number to whoever holds that key, durably.
    Pass(String),
    /// The same in a turn that takes a while, in which the session may be wanted elsewhere.
    PassLate(String),
    /// Panics, each time; with a number for each of a session.
    Panic(u64),
    /// Tells that virtual actor, durably, what it cannot handle.
    Poison(String),
    /// Makes the state larger than it may be.
    Grow,
    /// Fills a queue that nobody empties.
    Overflow,
    /// Talks without end.
    Babble,
    Report,
}

/// What sessions say, each with its number, from 1 on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum What {
    /// That number came, and so much is the sum of all.
    Heard {
        up: u64,
        sum: u64,
    },
    /// The timer of every session has come round.
    Tick,
    /// What was queued has come.
    Taken,
    /// An order was carried out, or refused.
    Done(bool),
    Padding(String),
    Report(Report),
}

/// What a session has counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) up: u64,
    /// The last number passed to each key.
    pub(crate) passed: BTreeMap<String, u64>,
    /// The last number that came from each session.
    pub(crate) got: BTreeMap<String, u64>,
    pub(crate) wrong: Vec<String>,
}

/// Gives a node the game's kinds, in their first or second version.
pub(crate) fn kinds(node: NodeBuilder, version: u32) -> NodeBuilder {
    let node = match version {
        1 => node
            .sessions::<Talker<false, true, 1>>()
            .sessions::<Talker<true, true, 1>>()
            .sessions::<Talker<true, false, 1>>(),
        _ => node
            .sessions::<Talker<false, true, 2>>()
            .sessions::<Talker<true, true, 2>>()
            .sessions::<Talker<true, false, 2>>(),
    };
    node.vactors::<counter::Counter>().vactors::<Tally>().omok()
}
