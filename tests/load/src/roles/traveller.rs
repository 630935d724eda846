//! The session kind of the cluster's scenarios: what it counts travels with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use throughline::prelude::*;

use crate::numbers::{Checker, Counts, Numbered};

/// The name of the kind; with crash-proof turns, or without.
pub(crate) const fn kind(crash_proof: bool) -> &'static str {
    if crash_proof { Traveller::<true>::KIND } else { Traveller::<false>::KIND }
}

/// What a client sends to learn the totals of its session: shorter than any numbered message.
pub(crate) const REPORT: &[u8] = b"report";

const OWN: &str = "own";

/// What the client asks for when it logs in, as JSON.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Wishes {
    /// Bytes of state beside the counters.
    pub(crate) state: usize,
    /// How often the session sends of its own accord; 0: never.
    pub(crate) own_ms: u64,
}

/// What a session counted in all its life, on whichever nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// What it handled of its client's messages; `sent` is 0 here.
    pub(crate) up: Counts,
    /// Numbered messages it sent.
    pub(crate) sent: u64,
    /// Times that a node took it over.
    pub(crate) moves: u64,
}

/// Bytes at the end of what a crash-proof one sends: the process that the turn ran in.
const PROCESS_BYTES: usize = 4;

/// What a crash-proof one sent, and the process that made it; others send the message alone.
pub(crate) fn made_by(crash_proof: bool, message: &[u8]) -> (&[u8], Option<u32>) {
    match message.split_last_chunk::<PROCESS_BYTES>() {
        Some((message, process)) if crash_proof => (message, Some(u32::from_be_bytes(*process))),
        _ => (message, None),
    }
}

/// Checks the numbers that come and answers each with one of its own. All of it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Traveller<const CRASH_PROOF: bool> {
    checker: Checker,
    totals: Totals,
    own_ms: u64,
    /// What makes it as large as asked for.
    notes: Notes,
}

impl<const CRASH_PROOF: bool> Traveller<CRASH_PROOF> {
    fn send(&mut self, ctx: &mut Context<Self>) {
        self.totals.sent += 1;
        let mut message = Numbered::message(self.totals.sent);
        if CRASH_PROOF {
            message.extend(std::process::id().to_be_bytes());
        }
        ctx.send(Raw::from(message));
    }
}

/// So many letters of state, which change with every message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Notes(String);

impl Notes {
    pub(crate) fn new(letters: usize) -> Self {
        Self("a".repeat(letters))
    }

    /// Another letter in front: whoever writes the state writes other bytes.
    pub(crate) fn turn_over(&mut self) {
        if let Some(last) = self.0.pop() {
            self.0.insert(0, if last == 'z' { 'a' } else { 'z' });
        }
    }
}

impl<const CRASH_PROOF: bool> Session for Traveller<CRASH_PROOF> {
    const KIND: &'static str = if CRASH_PROOF { "steady-traveller" } else { "traveller" };
    const DURABILITY: Durability =
        if CRASH_PROOF { Durability::EveryTurn } else { Durability::OnSwapOut };
    type In = Raw;
    type Out = Raw;

    async fn login(login: Login<'_>) -> Result<Self, Refusal> {
        let wishes: Wishes = serde_json::from_str(login.text()?).unwrap_or_default();
        Ok(Self {
            checker: Checker::default(),
            totals: Totals::default(),
            own_ms: wishes.own_ms,
            notes: Notes::new(wishes.state.min(STATE_MAX)),
        })
    }

    async fn message(&mut self, Raw(message): Raw, ctx: &mut Context<Self>) -> Outcome {
        if message == REPORT {
            // Nothing may be on its way behind the totals.
            ctx.cancel_timer(OWN);
            ctx.send(Raw::from(serde_json::to_vec(&self.totals)?));
            return Ok(());
        }
        if self.totals.sent == 0 && self.own_ms > 0 {
            // Only a client that was welcomed sends; a login whose answer was lost has none.
            ctx.repeat_timer(OWN, Duration::from_millis(self.own_ms));
        }
        self.notes.turn_over();
        self.totals.up += match Numbered::number(&message) {
            Some(number) => self.checker.handle(number),
            None => Counts { corrupted: 1, ..Counts::default() },
        };
        self.send(ctx);
        Ok(())
    }

    async fn restored(&mut self, _ctx: &mut Context<Self>) -> Outcome {
        self.totals.moves += 1;
        Ok(())
    }

    async fn timer(&mut self, _name: &str, ctx: &mut Context<Self>) -> Outcome {
        self.send(ctx);
        Ok(())
    }

    async fn destroyed(&mut self, reason: EndReason, _ctx: &mut Context<Self>) -> Outcome {
        if reason != EndReason::Left {
            let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
            *ended.entry(format!("{reason:?}")).or_default() += 1;
        }
        Ok(())
    }
}

/// The largest state: what a snapshot may be by default, less room for what is retained.
pub(crate) const STATE_MAX: usize = 128 * 1024;

/// Sessions of this process that ended other than by their client's leaving, by their reason.
static ENDED: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// How the sessions of this process ended.
pub(crate) fn ended() -> BTreeMap<String, u64> {
    ENDED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
