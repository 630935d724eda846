//! What matches and the lobby tell sessions, wherever these are.

use serde::{Deserialize, Serialize};
use throughline_vactor::{VActor, prelude::*};

use crate::messages::{Game, Tell};
use crate::waiting::Pairing;

/// What a session is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Note {
    /// The lobby has found a partner.
    Begins(Pairing),
    /// Something happened in this match.
    Happened { id: String, news: News },
    /// The match goes on at this node.
    Moved { id: String, node: u32 },
    /// The match is no more: nobody did anything in it for long.
    Closed { id: String },
}

/// What happened in a match, for one of its players. News have numbers, so that who hears them late
/// or twice, or misses some, notices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct News {
    /// 1 is the beginning of the match.
    pub number: u64,
    /// How things are now. Given when a game begins, and to who has looked.
    pub game: Option<Box<Game>>,
    /// Or what has changed since the last news.
    pub tells: Vec<Tell>,
    /// The node that runs the match.
    pub node: u32,
}

/// Tells a player's session something, wherever it is.
pub fn note<V: VActor>(ctx: &mut Context<V>, to: SessionId, note: &Note) {
    ctx.send_to_session(to, note);
}
