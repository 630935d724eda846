//! What matches and the lobby tell sessions, wherever these are.

use serde::{Deserialize, Serialize};
use throughline_vactor::{VActor, prelude::*};

use crate::messages::{Denial, Game, Tell};
use crate::waiting::Pairing;

/// What a session is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Note {
    /// The lobby has put the player who has this ticket on its list.
    Waits { ticket: u64, code: Option<String> },
    /// The lobby does not let the player of this ticket wait.
    NotListed { ticket: u64, why: Denial },
    /// The lobby has found a partner.
    Begins(Pairing),
    /// Something happened in this match.
    Happened { id: String, news: News },
    /// What the player wanted in this match was not possible, and has changed nothing.
    Refused { id: String, why: Denial },
    /// The match goes on at this node.
    Moved { id: String, node: u32 },
    /// So many look for a partner: to all who are in the lobby, on every node.
    Crowd { looking: usize },
    /// The match is no more: nobody did anything in it for long.
    Closed { id: String },
}

/// What happened in a match, for one of its players. Each comes once and in order, but a look at
/// the match may be ahead of them: so news have numbers.
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

/// Durable messages are kept for so long, in both directions: longer than a cluster is away. Who
/// has gone for good will not read them.
pub const KEPT_FOR: Duration = Duration::from_secs(600);

/// Tells a player's session something, wherever it is. It is written in the commit of this turn,
/// and handled once, whatever becomes of the session's node meanwhile, or of this one.
pub async fn note<V: VActor>(ctx: &mut Context<V>, to: SessionId, note: &Note) {
    // A queue that is full is of a session that hears nothing; if it does again, it looks.
    let _ = ctx.send_reliable(to, note, KEPT_FOR).await;
}
