//! The arena: the lobby and the matches of this node.
//!
//! Two players of a match are two sessions, perhaps on two threads, so what they share lives
//! here, behind one lock that is held for microseconds. A match therefore lives in its node,
//! and ends with it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use throughline::prelude::SessionId;

use crate::bot::Bot;
use crate::lobby::Lobby;
use crate::matches::{Guest, Match, Seat, Sitter};
use crate::messages::{Denial, How, Tell};

static ARENA: Mutex<Arena> = Mutex::new(Arena::new());

/// Does something in the arena of this node, which waits meanwhile: `act` must not call this
/// again, nor take long.
pub fn arena<R>(act: impl FnOnce(&mut Arena) -> R) -> R {
    // Every change is complete before anything in it could panic, so a poisoned lock is sound.
    act(&mut ARENA.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Names a match. Sessions take it along to other nodes, where it must not mean another match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MatchId {
    /// A random number of the process that the match lives in.
    process: u64,
    number: u64,
}

/// A match that has just begun, and the session of the one who waited for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paired {
    pub id: MatchId,
    pub with: SessionId,
}

/// The lobby and the matches of a node. Each match has at least one session in it, so that the
/// node's limit of sessions bounds them, too.
#[derive(Debug)]
pub struct Arena {
    lobby: Lobby,
    matches: BTreeMap<MatchId, Match>,
    /// Drawn with the first match.
    process: Option<u64>,
    last_number: u64,
}

impl Arena {
    pub const fn new() -> Self {
        Self { lobby: Lobby::new(), matches: BTreeMap::new(), process: None, last_number: 0 }
    }

    /// The guest gets the first seat.
    pub fn play_bot(&mut self, guest: Guest, now_ms: u64) -> MatchId {
        let bot = Bot::new(now_ms);
        self.begin(Sitter::Player(guest), Sitter::Bot(bot), now_ms)
    }

    /// `None`: the guest waits now. Who waited gets the first seat.
    pub fn find_partner(&mut self, guest: Guest, now_ms: u64) -> Option<Paired> {
        let waited = self.lobby.find_partner(guest.clone())?;
        Some(self.pair(waited, guest, now_ms))
    }

    /// The guest waits for whoever knows the code that comes back.
    pub fn create_code(&mut self, guest: Guest) -> String {
        self.lobby.create_code(guest)
    }

    /// The guest waits again, with the same code if that is free.
    pub fn keep_code(&mut self, code: String, guest: Guest) -> String {
        self.lobby.keep_code(code, guest)
    }

    pub fn join_code(&mut self, code: &str, guest: Guest, now_ms: u64) -> Result<Paired, Denial> {
        let waited = self.lobby.join_code(code)?;
        Ok(self.pair(waited, guest, now_ms))
    }

    /// Refused if a partner has been found meanwhile.
    pub fn stop_waiting(&mut self, session: SessionId) -> Result<(), Denial> {
        if self.lobby.withdraw(session) { Ok(()) } else { Err(Denial::JustPaired) }
    }

    pub fn find(&mut self, id: MatchId) -> Result<&mut Match, Denial> {
        self.matches.get_mut(&id).ok_or(Denial::NoGame)
    }

    /// A player goes. If another stays, that session is to be told what comes back.
    pub fn leave(&mut self, id: MatchId, seat: Seat, how: How) -> Option<(SessionId, Vec<Tell>)> {
        let game = self.matches.get_mut(&id)?;
        let tells = game.leave(seat, how);
        let stays = game.partner(seat);
        if game.is_deserted() {
            self.matches.remove(&id);
        }
        Some((stays?, tells))
    }

    fn pair(&mut self, first: Guest, second: Guest, now_ms: u64) -> Paired {
        let with = first.session;
        let id = self.begin(Sitter::Player(first), Sitter::Player(second), now_ms);
        Paired { id, with }
    }

    fn begin(&mut self, first: Sitter, second: Sitter, now_ms: u64) -> MatchId {
        self.last_number += 1;
        let process = *self.process.get_or_insert_with(|| RandomState::new().hash_one(()));
        let id = MatchId { process, number: self.last_number };
        self.matches.insert(id, Match::new(first, second, now_ms));
        id
    }
}

#[cfg(test)]
mod tests;
