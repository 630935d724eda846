//! Those who look for a partner, and those who wait with a private code.
//!
//! Waiting is a lease: who waits says so again and again, and who does not is forgotten. So nobody
//! is paired with a player who is no more, however the player has gone. Nor with one who is away
//! just now: the lobby looks first, and who is back says again that it waits.
//!
//! Each wait of a player has a number, its ticket. Saying something twice with one ticket is saying
//! it once: who was paired with it is told the same again.

use serde::{Deserialize, Serialize};
use throughline::prelude::SessionId;

use crate::messages::Denial;
use crate::table::{Guest, Seat, Sitter};

/// Letters of a private code: none that is taken for another when read aloud or by hand.
const LETTERS: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Short enough to say on the phone.
const CODE_LEN: usize = 5;
/// Too many to try.
const CODES: u128 = 24_u128.pow(CODE_LEN as u32);

/// Who has not said for so long that they wait is forgotten.
pub const LEASE_MS: u64 = 20_000;

/// Who was paired is told the same again for so long: longer than a message is under way, unless
/// the whole cluster is away.
const PAIRED_KEPT_MS: u64 = 60_000;

/// Those who wait, at most: all of them must fit into a snapshot.
const WAITING_MAX: usize = 500;

/// Those who were paired and are remembered, at most, for the same reason. The oldest are forgotten
/// first.
const PAIRED_MAX: usize = 200;

/// What a player wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Want {
    /// Whoever else wants this.
    Partner,
    /// A friend who knows the code; who has one already keeps it, if it is free.
    Code(Option<String>),
    /// The one who waits with this code.
    Join(String),
}

/// What a player gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Found {
    /// Nobody yet; with the code that was asked for.
    Waits { code: Option<String> },
    /// A partner.
    Paired(Pairing),
}

/// A match that is to begin: both players sit down in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pairing {
    /// The ticket of the player who is told.
    pub ticket: u64,
    /// The match's key.
    pub id: String,
    /// The seat of the player who is told.
    pub seat: Seat,
    pub sitters: [Sitter; 2],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiter {
    guest: Guest,
    ticket: u64,
    code: Option<String>,
    until_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Paired {
    session: SessionId,
    pairing: Pairing,
    until_ms: u64,
}

/// The list of those who wait.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WaitingList {
    waiters: Vec<Waiter>,
    paired: Vec<Paired>,
}

impl WaitingList {
    /// A player wants something, or still wants it. Beside what it gets comes what another one is
    /// to be told: the one who waited.
    pub fn seek(
        &mut self,
        guest: Guest,
        ticket: u64,
        want: Want,
        now_ms: u64,
    ) -> Result<(Found, Option<(SessionId, Pairing)>), Denial> {
        self.tidy(now_ms);
        if let Some(paired) = self.paired_with(guest.session, ticket) {
            return Ok((Found::Paired(paired.clone()), None));
        }
        let until_ms = now_ms.saturating_add(LEASE_MS);
        let same = |waiter: &&mut Waiter| waiter.guest.session == guest.session;
        if let Some(own) = self.waiters.iter_mut().find(same).filter(|own| own.ticket == ticket) {
            own.until_ms = until_ms;
            return Ok((Found::Waits { code: own.code.clone() }, None));
        }
        // What the player wanted before, it does not want any more.
        self.forget(guest.session);
        let other = match &want {
            Want::Partner => self.waiters.iter().position(|waiter| waiter.code.is_none()),
            Want::Code(_) => None,
            Want::Join(code) => Some(self.with_code(code).ok_or(Denial::NoSuchCode)?),
        };
        if let Some(other) = other {
            let waiter = self.waiters.remove(other);
            let (own, others) = self.pair(waiter, guest, ticket, now_ms);
            return Ok((Found::Paired(own), Some(others)));
        }
        if self.waiters.len() >= WAITING_MAX {
            return Err(Denial::LobbyFull);
        }
        let code = match want {
            Want::Code(kept) => Some(self.code_for(guest.session, kept)),
            Want::Partner | Want::Join(_) => None,
        };
        self.waiters.push(Waiter { guest, ticket, code: code.clone(), until_ms });
        Ok((Found::Waits { code }, None))
    }

    /// With whom a player would be paired who wants this now: to be asked first whether it is
    /// there. Who waits with a code is expected by the friend, and paired in any case.
    pub fn first_for(
        &self,
        session: SessionId,
        ticket: u64,
        want: &Want,
        now_ms: u64,
    ) -> Option<SessionId> {
        let is_own = |waiter: &Waiter| waiter.guest.session == session && waiter.ticket == ticket;
        let is_known =
            self.waiters.iter().any(is_own) || self.paired_with(session, ticket).is_some();
        if *want != Want::Partner || is_known {
            return None;
        }
        let others = self.waiters.iter().filter(|waiter| waiter.guest.session != session);
        let mut fit = others.filter(|waiter| waiter.code.is_none() && waiter.until_ms > now_ms);
        fit.next().map(|waiter| waiter.guest.session)
    }

    /// A player is away: it is nobody's partner until it says again that it waits.
    pub fn forget(&mut self, session: SessionId) {
        self.waiters.retain(|waiter| waiter.guest.session != session);
    }

    /// How many look for whoever else does.
    pub fn looking(&self) -> usize {
        self.waiters.iter().filter(|waiter| waiter.code.is_none()).count()
    }

    /// A player waits no more. If it has been paired with this ticket, it is told so.
    pub fn stop(&mut self, session: SessionId, ticket: u64) -> Option<Pairing> {
        self.forget(session);
        self.paired_with(session, ticket).cloned()
    }

    fn pair(
        &mut self,
        waiter: Waiter,
        guest: Guest,
        ticket: u64,
        now_ms: u64,
    ) -> (Pairing, (SessionId, Pairing)) {
        let Waiter { guest: first, ticket: first_ticket, .. } = waiter;
        let sessions = [first.session, guest.session];
        let id = match_id(first.session, first_ticket);
        let sitters = [Sitter::Player(first), Sitter::Player(guest)];
        let pairing =
            |ticket, seat| Pairing { ticket, id: id.clone(), seat, sitters: sitters.clone() };
        let pairings = [pairing(first_ticket, Seat::First), pairing(ticket, Seat::Second)];
        let until_ms = now_ms.saturating_add(PAIRED_KEPT_MS);
        for (session, pairing) in sessions.into_iter().zip(pairings.clone()) {
            self.paired.retain(|paired| paired.session != session);
            self.paired.push(Paired { session, pairing, until_ms });
        }
        let surplus = self.paired.len().saturating_sub(PAIRED_MAX);
        self.paired.drain(..surplus);
        let [others, own] = pairings;
        (own, (sessions[0], others))
    }

    fn tidy(&mut self, now_ms: u64) {
        self.waiters.retain(|waiter| waiter.until_ms > now_ms);
        self.paired.retain(|paired| paired.until_ms > now_ms);
    }

    fn paired_with(&self, session: SessionId, ticket: u64) -> Option<&Pairing> {
        let mut all = self.paired.iter().filter(|paired| paired.session == session);
        all.find(|paired| paired.pairing.ticket == ticket).map(|paired| &paired.pairing)
    }

    /// Case and blanks at its ends do not matter.
    fn with_code(&self, code: &str) -> Option<usize> {
        let code = code.trim().to_ascii_uppercase();
        self.waiters.iter().position(|waiter| waiter.code.as_ref() == Some(&code))
    }

    fn code_for(&self, session: SessionId, kept: Option<String>) -> String {
        if let Some(kept) = kept.filter(|kept| self.with_code(kept).is_none()) {
            return kept;
        }
        // A session id is random, so a code is read off it; the next free one if that is in use.
        let mut number = (u128::from_be_bytes(session.0) % CODES) as u32;
        // Ends: there are far more codes than may wait.
        while self.with_code(&code(number)).is_some() {
            number = (number + 1) % CODES as u32;
        }
        code(number)
    }
}

/// The key of a match that no other match has: a session has each ticket once.
pub fn match_id(session: SessionId, ticket: u64) -> String {
    format!("{session}-{ticket}")
}

fn code(mut number: u32) -> String {
    let mut letter = || {
        let letter = LETTERS[(number % 24) as usize];
        number /= 24;
        char::from(letter)
    };
    (0..CODE_LEN).map(|_| letter()).collect()
}

#[cfg(test)]
mod tests;
