//! What is said between a client and the node, as JSON.
//!
//! A client only asks; what it is told is what happened. Moves come one by one, each with its
//! number: Throughline delivers every message once and in order, so a client may build its
//! board from them. The whole view comes at the start, after a repair and on `look`, for
//! clients that have just been loaded again and know nothing.

use serde::{Deserialize, Serialize};

use crate::clock::Turn;
use crate::rules::{Point, Stone};

/// What a new client sends to log in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Joining {
    /// 1 to 24 characters, none of them a control character; blanks at the ends are dropped.
    pub name: String,
}

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Send the whole view.
    Look,
    PlayBot,
    /// Play whoever else asks this; the first one waits.
    FindPartner,
    /// Wait for the one who knows the code, which the answer tells.
    CreateCode,
    JoinCode {
        code: String,
    },
    StopWaiting,
    /// The `number`th stone of this game, so that one that is asked for again is not placed twice:
    /// it is answered as done.
    Place {
        x: u8,
        y: u8,
        number: usize,
    },
    Resign,
    /// Play the same partner again, with colours swapped. Begins when both have asked.
    Rematch,
    /// Back to the lobby. In the middle of a game it loses it.
    Leave,
    /// For the network panel: make this player's link worse, by a second and half of the packets
    /// at most.
    Link {
        delay_ms: u64,
        loss_percent: u8,
    },
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum Tell {
    View(View),
    /// The `number`th stone of this game. `turn` is gone when it ended the game.
    Placed {
        number: usize,
        at: Point,
        stone: Stone,
        turn: Option<Turn>,
    },
    Over(Ending),
    RematchOffered {
        by: Stone,
    },
    PartnerLeft,
    /// The match goes on at another node: only to be shown.
    MatchMoved {
        node: u32,
    },
    /// So many players look for a partner: to those in the lobby, when it changes.
    Crowd {
        looking: usize,
    },
    /// Nobody has done anything in the match for a long time: back to the lobby.
    MatchClosed,
    /// A word of the operators to all players.
    Announced {
        text: String,
    },
    /// What was asked is not possible, and has changed nothing.
    Refused {
        why: Denial,
        text: String,
    },
}

/// All that a player sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub name: String,
    /// The number of the node that serves the player: only to be shown.
    pub node: u32,
    #[serde(flatten)]
    pub place: Seen,
}

/// Where the player is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "kebab-case")]
pub enum Seen {
    Lobby,
    Waiting { code: Option<String> },
    Game(Game),
}

/// A game as one of its players sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Game {
    /// This player's colour.
    pub mine: Stone,
    pub black: String,
    pub white: String,
    /// Every stone so far, black first.
    pub moves: Vec<Point>,
    /// `None` when the game is over.
    pub turn: Option<Turn>,
    pub over: Option<Ending>,
    /// Who would like to play again.
    pub rematch: Option<Stone>,
    pub partner_left: bool,
    /// The number of the node that runs the match: only to be shown.
    pub match_node: u32,
}

/// How a game ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// `None`: a draw.
    pub winner: Option<Stone>,
    pub how: How,
    /// The winning row, if there is one.
    pub row: Vec<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Five,
    BoardFull,
    Resigned,
    /// The loser's turn clock ran out.
    Time,
    /// The loser went back to the lobby, or logged out.
    Left,
    /// The loser's connection did not come back within the session timeout.
    Away,
}

/// Why something asked was refused. The text of the error is for the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    #[error("the node cannot read that message")]
    Unreadable,
    #[error("you are not in a game")]
    NoGame,
    #[error("you are in a game: leave it first")]
    InGame,
    #[error("you are waiting for a partner: stop that first")]
    Waiting,
    #[error("you are not waiting for a partner")]
    NotWaiting,
    #[error("a partner has just been found")]
    JustPaired,
    #[error("nobody waits with this code")]
    NoSuchCode,
    #[error("too many are waiting: try again later")]
    LobbyFull,
    #[error("it is not your turn")]
    NotYourTurn,
    #[error("another stone was placed with this move")]
    OtherStone,
    #[error("that point is outside the board")]
    OffBoard,
    #[error("there is a stone already")]
    Taken,
    #[error("the game is over")]
    GameOver,
    #[error("the game is not over yet")]
    GameGoesOn,
    #[error("you have asked for a rematch already")]
    RematchAsked,
    #[error("your partner has left")]
    PartnerLeft,
    #[error("this cannot be reached just now, and nothing was done: try again")]
    Unreachable,
    #[error("this node does not simulate bad links")]
    LinkNotSimulated,
    #[error("a link is delayed by 1000 ms and loses 50 % at most")]
    LinkTooBad,
}

impl From<Denial> for Tell {
    fn from(why: Denial) -> Self {
        Self::Refused { why, text: why.to_string() }
    }
}

#[cfg(test)]
mod tests;
