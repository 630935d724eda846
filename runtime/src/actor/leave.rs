//! How a session leaves this node: its last turn, its snapshot, and what is left behind.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use throughline_canary::canary;
use throughline_cluster::{Gone, Member, RecordId, Reply, Went};
use throughline_link::{CloseCode, Instant, NodeLink};

use super::{Ending, Input, Resuming, SessionActor, turn, turn::Turns};
use crate::{
    arrive,
    care::{Care, Noted},
    cluster::{self, Asked, Sending, drainer::Release},
    codec::{self, Codec, EncodeError},
    node::suits,
    peers::Answerer,
    queues::TravellingPeer,
    session::Session,
    snapshot::{self, SnapshotError},
    transport::Transport,
};

/// What travels of a session, beside what its record's header has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionSnapshot {
    /// Numbers, retained messages, secret and attempt counter, as the link exports them.
    pub(crate) link: Bytes,
    /// The game's state, in CBOR.
    pub(crate) state: Bytes,
    pub(crate) timers: Vec<TravellingTimer>,
    /// The groups that it is in.
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    /// The time of the last message that it enqueued, which never goes back within a life, in
    /// milliseconds since 1970 UTC.
    #[serde(default)]
    pub(crate) enqueued_ms: u64,
    /// Whom it has met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) peers: Vec<TravellingPeer>,
    /// Inputs whose turns began when this was written, after a node of this session had died.
    #[serde(default, skip_serializing_if = "Noted::is_none")]
    pub(crate) care: Noted,
    /// The session key that a turn has asked for, and that is not taken yet: of kinds that commit
    /// every turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wanted_key: Option<String>,
}

impl SessionSnapshot {
    /// That of a session before its first turn.
    pub(crate) fn first(link: &NodeLink, state: Bytes) -> Result<Bytes, EncodeError> {
        let (link, enqueued_ms) = (link.export().into(), 0);
        let (timers, groups, peers) = (Vec::new(), Vec::new(), Vec::new());
        let care = Noted::default();
        let wanted_key = None;
        let first = Self { link, state, timers, groups, enqueued_ms, peers, care, wanted_key };
        let mut body = Vec::new();
        codec::encode(Codec::Cbor, &first, &mut body)?;
        Ok(body.into())
    }
}

/// A session's timer on its way to another node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TravellingTimer {
    pub(crate) name: String,
    /// What was left of its time, in microseconds.
    pub(crate) after: u64,
    pub(crate) every: Option<u64>,
}

/// A node that asks for a session while a commit is under way waits so long at most. Beyond that
/// its client may be elsewhere, and must not be waited for by a record that is handed over.
const ASK_WAITS: Duration = Duration::from_millis(500);

/// How far a session is from leaving.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Since when a snapshot is wanted: no turn begins, and nothing is written.
    pub(super) wanted: Option<Instant>,
    /// The game's `swap_out` has begun.
    pub(super) begun: bool,
    /// It has run: if the session stays, `restored` follows.
    ran: bool,
    /// Who asked while a commit was under way, and when: of several, the last one.
    waiting: Option<Box<(Asked, Instant)>>,
    /// Who asked, and how they are answered.
    pub(super) asked: Vec<(Member, u64, Option<Answerer>)>,
    /// A resume that came meanwhile: of several, the last one.
    pub(super) resume: Option<Box<Resuming<Transport>>>,
    /// When it is parked, since its client was told to come back elsewhere.
    pub(super) park_at: Option<Instant>,
    /// Others have taken the session: nothing of it may leave here.
    pub(super) fenced: bool,
    /// Nobody finds it any more, and its mailbox is looked at once more.
    pub(super) last_look: bool,
    /// Why it could not leave.
    why: Option<Cow<'static, str>>,
}

impl<S: Session> SessionActor<S> {
    /// Another node wants the session.
    pub(super) fn asked(&mut self, asked: Asked, now: Instant) {
        if self.committing.is_some() {
            // A kind that commits every turn is hardly ever without one.
            let waiting = self.leaving.waiting.replace(Box::new((asked, now)));
            if let Some((asked, _)) = waiting.map(|waiting| *waiting) {
                Asked::say_not_yet(asked.answer);
            }
            return;
        }
        let Asked { ask, to, answer } = asked;
        let is_busy = self.keying.is_some() || self.ending != Ending::No || self.link.is_ended();
        let Some(holding) = &mut self.holding else {
            return Asked::say(answer, Reply::ReadAgain);
        };
        if is_busy {
            return Asked::say_not_yet(answer);
        }
        let elsewhere = self.worker.node.cluster.others(Some(holding.held.header()));
        self.leaving.asked.push((ask.from, ask.request, answer));
        holding.held.handle_ask(ask, to, &elsewhere);
    }

    /// The commit is over: who asked meanwhile is heard. True if somebody was.
    pub(super) fn hear_waiting(&mut self, now: Instant) -> bool {
        if self.committing.is_some() {
            return false;
        }
        let Some(waiting) = self.leaving.waiting.take() else { return false };
        let (asked, since) = *waiting;
        if now.since(since) > ASK_WAITS {
            Asked::say_not_yet(asked.answer);
        } else {
            self.asked(asked, now);
        }
        true
    }

    pub(super) fn say(&mut self, from: Member, request: u64, reply: Reply) {
        let asked = &mut self.leaving.asked;
        let index = asked.iter().position(|(f, r, _)| (*f, *r) == (from, request));
        if let Some((_, _, answer)) = index.map(|index| asked.swap_remove(index)) {
            Asked::say(answer, reply);
        }
    }

    /// The node drains: the client is told to come back elsewhere.
    pub(super) fn release(&mut self, release: Release, now: Instant) {
        if self.ending != Ending::No {
            let drain = &self.worker.node.cluster.drain;
            match self.holding {
                Some(_) => drain.failed(&self.record(), "its end is not written yet"),
                None => drain.gone(&self.record(), Went::Ended, Duration::ZERO),
            }
            return;
        }
        let all = self.worker.node.cluster.others(None);
        let is_websocket = self.connection.as_ref().is_some_and(|c| c.transport.is_websocket());
        let others: Vec<_> = suits(&all, is_websocket).cloned().collect();
        let wait = u32::try_from(release.reconnect_in.as_millis()).unwrap_or(u32::MAX);
        self.link.announce_restart(wait, &others);
        let is_there = self.connection.is_some();
        let park_in = if is_there { release.park_in } else { Duration::ZERO };
        self.leaving.park_at = Some(now + park_in);
    }

    /// The game wants it out of memory: its client is told to come back, and it is parked.
    pub(super) fn park_now(&mut self, now: Instant) {
        if self.ending == Ending::No && self.leaving.park_at.is_none() {
            self.link.announce_restart(0, &[]);
            self.leaving.park_at = Some(now);
        }
    }

    /// When the session is parked, unless it has gone before.
    pub(super) fn park_at(&self) -> Option<Instant> {
        self.leaving.park_at
    }

    pub(super) fn park_if_due(&mut self, now: Instant) {
        if self.leaving.park_at.is_none_or(|at| at > now) || self.ending != Ending::No {
            return;
        }
        self.leaving.park_at = None;
        let cluster = &self.worker.node.cluster;
        let mut expires = cluster.ms_from_now(self.worker.node.config.session.timeout);
        if canary!(ExpiresEarly) {
            expires = cluster.ms_from_now(Duration::ZERO);
        }
        if let Some(holding) = &mut self.holding {
            // Refused only while something else is under way, which is not so here.
            let _ = holding.held.park(Some(expires));
        }
    }

    /// Begins the game's last turn here, once the turn under way has ended.
    pub(super) fn swap_out(&mut self, now: Instant) -> bool {
        let is_busy = self.turn.is_some() || self.committing.is_some();
        if self.leaving.wanted.is_none() || self.leaving.begun || is_busy {
            return false;
        }
        if self.ending != Ending::No || self.link.is_ended() || self.keying.is_some() {
            self.stay("it is about to end, or to take a key");
            return true;
        }
        self.leaving.begun = true;
        self.begin_turn(Input::SwapOut(self.version()), now);
        true
    }

    /// The last turn has ended: the snapshot goes into the commit.
    pub(super) fn give_snapshot(&mut self, now: Instant) {
        self.leaving.ran = true;
        let written = self.turns.as_ref().and_then(Turns::take_written);
        let written = written.map(|(state, version)| (Bytes::from(state), version));
        // What its last turn sends durably was a commit of its own, with the state.
        let committed = || S::DURABILITY.is_every_turn().then(|| self.committed.clone());
        let written = written.or_else(committed);
        if self.link.is_ended() {
            return self.stay("its game ended it");
        }
        let Some((state, version)) = written else { return self.stay("its state was not written") };
        match self.snapshot(state, now) {
            Ok(body) => {
                if let Some(holding) = &mut self.holding {
                    holding.held.handle_snapshot(Some((body, version)));
                }
            }
            Err(why) => self.stay(why.to_string()),
        }
    }

    /// What is to stand in the store, within its limit.
    pub(super) fn snapshot(&self, state: Bytes, now: Instant) -> Result<Bytes, SnapshotError> {
        let snapshot = self.unwritten_snapshot(state, now);
        snapshot::encode(&self.worker.node, &self.record(), &snapshot)
    }

    pub(super) fn unwritten_snapshot(&self, state: Bytes, now: Instant) -> SessionSnapshot {
        SessionSnapshot {
            link: self.link.export().into(),
            state,
            timers: match canary!(SwapOutForgetsTimers) {
                true => Vec::new(),
                false => self.timers.export(now, &self.inbox.timers()),
            },
            groups: self.group_names(),
            enqueued_ms: self.enqueued_ms,
            peers: self.shared.effects.borrow().peers.export(),
            care: Care::noted(self.care.as_deref()),
            wanted_key: self.wanted_key.clone(),
        }
    }

    /// The version in which a state is written now.
    pub(super) fn version(&self) -> u32 {
        let view = self.worker.node.cluster.view();
        view.common_version(S::KIND, S::STATE_VERSION, S::OLDEST_VERSION)
    }

    /// The game's last turn here was set aside, so there is no snapshot.
    pub(super) fn stay_after_swap_out(&mut self) {
        self.leaving.ran = true;
        self.stay("its swap_out failed");
    }

    /// There is no snapshot: the session stays.
    pub(super) fn stay(&mut self, why: impl Into<Cow<'static, str>>) {
        self.leaving.why = Some(why.into());
        if let Some(holding) = &mut self.holding {
            holding.held.handle_snapshot(None);
        }
    }

    /// It did not leave after all.
    pub(super) fn goes_on(&mut self) {
        if self.leaving.wanted.take().is_none() {
            return;
        }
        self.leaving.begun = false;
        let why = self.leaving.why.take();
        let why =
            why.as_deref().unwrap_or("its commit was refused, or another node asked too early");
        if std::mem::take(&mut self.leaving.ran) {
            self.queue(Input::Restored);
            if let Some(key) = self.wanted_key.take() {
                self.register_key(&key);
            }
        }
        self.worker.node.cluster.drain.failed(&self.record(), why);
    }

    pub(super) fn record(&self) -> RecordId {
        RecordId::session(self.link.session_id())
    }

    /// The record is no longer this node's.
    pub(super) fn gone(&mut self, gone: Gone, now: Instant) {
        use std::sync::atomic::Ordering::Relaxed;
        let holding = self.holding.take();
        self.link.hold_end(false);
        self.keying = None;
        let node = Arc::clone(&self.worker.node);
        let (counts, drain) = (&node.cluster.counts, &node.cluster.drain);
        let pause = self.leaving.wanted.map_or(Duration::ZERO, |since| now.since(since));
        match gone {
            Gone::Ended(_) => {
                self.ended = holding.map(|holding| Box::new(holding.held.header().clone()));
                return drain.gone(&self.record(), Went::Ended, pause);
            }
            Gone::Fenced => return self.fence(now),
            Gone::Moved(..) => {
                counts.moved.fetch_add(1, Relaxed);
                drain.gone(&self.record(), Went::Moved, pause);
            }
            Gone::Parked => {
                counts.parked.fetch_add(1, Relaxed);
                drain.gone(&self.record(), Went::Parked, pause);
            }
        }
        self.unlist();
        self.send_on();
        if let Some(old) = self.connection.take()
            && matches!(gone, Gone::Moved(..))
        {
            // Its client is at the other node, or is two.
            self.say_taken_over(old, true);
        }
        turn::drop_quietly(self.turns.take());
        self.permit = None;
        self.ending = Ending::Forgotten;
        if let Some(resume) = self.leaving.resume.take() {
            arrive::come_again(&self.worker, *resume);
        }
    }

    /// What is in memory cannot be trusted, and what was committed can: it is dropped here, and its
    /// client finds it where it was.
    pub(super) fn unload(&mut self) {
        self.holding = None;
        // A drain that waits for it takes it from the store.
        self.worker.node.cluster.drain.failed(&self.record(), "it went back to its last commit");
        self.link.hold_end(false);
        self.keying = None;
        self.unlist();
        self.send_on();
        self.connection = None;
        turn::drop_quietly(self.turns.take());
        self.permit = None;
        self.ending = Ending::Forgotten;
        // Welcomed here, its client would hear the numbers of the turn that came to nothing.
        if let Some(resume) = self.leaving.resume.take() {
            arrive::come_again(&self.worker, *resume);
        }
    }

    /// Others took the session, since this node was thought dead. Its game hears of the loss, and
    /// nothing that it does about it leaves.
    pub(super) fn fence(&mut self, now: Instant) {
        if std::mem::replace(&mut self.leaving.fenced, true) {
            return;
        }
        self.holding = None;
        self.link.hold_end(false);
        self.keying = None;
        self.forget_commit();
        // A queued message may have been taken, and its turn not begun, for want of the lease.
        if self.turns.as_ref().is_some_and(Turns::withdraw) {
            self.turn = None;
        }
        self.shared.caller.fence();
        self.leaving.wanted = None;
        self.leaving.asked.clear();
        self.leaving.resume = None;
        let counts = &self.worker.node.cluster.counts;
        counts.dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let drain = &self.worker.node.cluster.drain;
        drain.gone(&self.record(), S::DURABILITY.went_when_taken(), Duration::ZERO);
        self.unlist();
        if self.connection.take().is_some() {
            self.link.handle_disconnected(now);
            self.set_peer(None);
        }
        // Who wrote to it hears that it is over.
        self.send_on();
        self.link.end(CloseCode::Lost);
        if matches!(self.ending, Ending::Ended(_)) {
            self.ending = Ending::Forgotten;
        }
    }

    /// Messages of other sessions that wait go after it, and what it is to hear of its own.
    pub(super) fn send_on(&mut self) {
        let (node, id) = (Arc::clone(&self.worker.node), self.link.session_id());
        let mut inputs = Vec::new();
        while let Some(input) = self.inbox.pop(false) {
            inputs.push(input);
        }
        inputs.extend(self.mail.drain(..).filter_map(|mail| match mail {
            super::ToSession::Server(message) => Some(Input::Server(message)),
            super::ToSession::Undelivered(to, why) => Some(Input::Undelivered(to, why)),
            super::ToSession::Asked(asked) => {
                Asked::say(asked.answer, Reply::ReadAgain);
                None
            }
            _ => None,
        }));
        let mut waiting = Vec::new();
        for input in inputs {
            match input {
                Input::Server(message) => waiting.push(message),
                Input::Undelivered(to, why) => cluster::report(&node, id, to, why),
                _ => {}
            }
        }
        if waiting.is_empty() {
            return;
        }
        let errand = node.cluster.errand();
        actix_rt::spawn(async move {
            for message in waiting {
                let (from, payload) = (message.from(), message.payload());
                drop(message);
                let errand = Arc::clone(&errand);
                let sending = Sending { from, to: id.into(), payload, _errand: errand };
                if let Err(why) = sending.deliver(&node).await {
                    cluster::report(&node, from, id.into(), why);
                }
            }
        });
    }
}
