//! Omok, five in a row, on Throughline: a game that goes on whatever becomes of its servers.
//!
//! It is a sample: `README.md` beside the sources explains it in the order in which one would write
//! it. The binary `omok` is this and a command line; what else is here is for tests, and for
//! whoever measures a cluster that plays.
//!
//! # Layout
//! - `rules`, `clock`, `bot`: the game, without players
//! - `table`, `waiting`: two players at a table, and those who look for each other; no network yet
//! - `matches`, `lobby`, `notes`: the same as virtual actors, and what they tell sessions
//! - `messages`, `player`, `pages`: the node's side of a player, and the page
//! - `remote`, `play`, `bots`: the other side, in a terminal

#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a sample is read whole: what a name does not say is said")]

pub mod bot;
pub mod bots;
pub mod clock;
pub mod lobby;
pub mod matches;
pub mod messages;
pub mod notes;
pub mod pages;
pub mod play;
pub mod player;
pub mod remote;
pub mod rules;
pub mod table;
pub mod waiting;

use throughline_vactor::{Durability, Vactors};

/// What of players, matches and the lobby survives a node that is killed: every turn.
pub const DURABILITY: Durability = Durability::EveryTurn;

/// Gives a node the kinds of the game: `Node` and `NodeBuilder` both take them.
pub trait Game: Sized {
    #[must_use]
    fn omok(self) -> Self;
}

impl Game for throughline::Node {
    fn omok(self) -> Self {
        self.sessions::<player::Player>().vactors::<matches::Match>().vactors::<lobby::Lobby>()
    }
}

impl Game for throughline::NodeBuilder {
    fn omok(self) -> Self {
        self.sessions::<player::Player>().vactors::<matches::Match>().vactors::<lobby::Lobby>()
    }
}
