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
    /// So many look for a partner: to all who are in the lobby, on every node.
    Crowd { looking: usize },
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

/// The group of the players who are in the lobby.
pub const LOBBY: &str = "omok-lobby";

/// What a player was not told within this time, it is not told any more: by then its session has
/// looked by itself, or has expired.
const TOLD_WITHIN: Duration = Duration::from_secs(120);

/// Tells a player's session something, wherever it is: it is kept until the session has heard it,
/// whatever becomes of its node meanwhile, or of this one.
pub async fn note<V: VActor>(ctx: &mut Context<V>, to: SessionId, note: &Note) {
    // A queue that is full is of a session that hears nothing; if it ever does again, it looks.
    let _ = ctx.send_reliable(to, note, TOLD_WITHIN).await;
}
