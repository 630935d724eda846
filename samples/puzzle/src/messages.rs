//! What is said between a client and the node, as JSON. Whatever a client asks, the answer is the
//! whole view, so it never depends on what the client has seen before.

use serde::{Deserialize, Serialize};

use crate::database::{Progress, Standing};
use crate::rules::Motion;

/// What a new client sends to log in.
#[derive(Debug, Serialize, Deserialize)]
pub struct Joining {
    /// 1 to 24 characters, all printable; blanks at the ends are dropped.
    pub name: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    Look,
    Move(Move),
}

/// The `number`th move of a day, from 1. To ask for it again is harmless.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Move {
    pub day: u32,
    pub number: u32,
    pub motion: Motion,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum Tell {
    View(Box<View>),
    /// What was asked was not done.
    Refused {
        why: Denial,
    },
    /// An operator's word.
    Announced {
        text: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct View {
    pub name: String,
    /// The node that serves this player.
    pub node: u32,
    /// Since 1970, UTC; and when the next one begins, in milliseconds.
    pub day: u32,
    pub next_ms: u64,
    pub over: bool,
    #[serde(flatten)]
    pub progress: Progress,
    #[serde(flatten)]
    pub standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    NothingMoves,
    WrongNumber,
    OtherDay,
    /// It may have been done, or not: ask again, with the same number.
    Database,
}
