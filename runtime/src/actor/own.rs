//! The driver of the session's record: its commits, and its key.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use throughline_cluster::{Ending as RecordEnding, HeldAction, SessionKey};
use throughline_link::{CloseCode, Instant};

use super::{Ending, SessionActor, ToSession};
use crate::{
    cluster::{Keying, take_key},
    queues::Inboxes,
    session::Session,
};

/// An end that could not be written is tried again after so long: the store was away.
const END_AGAIN: Duration = Duration::from_millis(100);

/// Commits of a key that others were faster with, at most: then its players fight over it.
const KEY_COMMITS_MAX: u32 = 64;

impl<S: Session> SessionActor<S> {
    /// Whether this node may act for the session at this moment.
    pub(super) fn may_act(&self) -> bool {
        let Some(holding) = &self.holding else { return true };
        let node = &self.worker.node;
        node.cluster.may_act(node.clock.lease_now())
            && node.cluster.is_mine(holding.held.header().owner)
    }

    /// Whether the record is an earlier incarnation's of this node.
    pub(super) fn is_stale(&self) -> bool {
        let owner = self.holding.as_ref().and_then(|holding| holding.held.header().owner);
        !self.worker.node.cluster.is_mine(owner)
    }

    /// Whether nothing goes on: no turn begins, nothing is read or written.
    #[inline]
    pub(super) fn is_suspended(&self) -> bool {
        let Some(holding) = &self.holding else { return false };
        !self.acts
            || self.keying.is_some()
            || self.leaving.wanted.is_some()
            || !holding.held.may_act()
    }

    /// Whether this is nobody's session: it tells one client an end that the store remembers.
    pub(super) const fn is_told_only(&self) -> bool {
        !self.is_listed && self.holding.is_none() && self.ended.is_none()
    }

    /// Whether only the memory of the session is left.
    const fn is_buried(&self) -> bool {
        matches!(self.ending, Ending::Ended(_))
    }

    /// Goes on with the record. True if anything happened.
    #[inline]
    pub(super) fn own(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.end_again.is_some_and(|at| at <= now) {
            self.end_again = None;
            self.commit_end(self.link.end_code().unwrap_or(CloseCode::HandlerFailed));
        }
        let mut any = self.acts && self.keying.is_some() && self.poll_keying(cx);
        while let Some(holding) = &mut self.holding
            && let Poll::Ready(action) = holding.poll(cx)
        {
            any = true;
            match action {
                HeldAction::SwapOut => self.leaving.wanted = Some(now),
                HeldAction::GoOn => self.goes_on(),
                HeldAction::Committed if self.committing.is_some() => self.commit_is_in(now),
                HeldAction::Committed => self.key_is_taken(),
                HeldAction::NotCommitted if self.committing.is_some() => {
                    self.commit_is_not_in(now);
                }
                HeldAction::NotCommitted if self.is_buried() => {
                    self.end_again = Some(now + END_AGAIN)
                }
                HeldAction::NotCommitted => self.key_is_not_taken(),
                HeldAction::Reply(ask, reply) => self.say(ask.from, ask.request, reply),
                HeldAction::Gone(gone) => self.gone(gone, now),
                _ => {}
            }
        }
        any | self.hear_waiting(now) | self.swap_out(now)
    }

    /// The turn under way goes on while nothing else does. True if it ended.
    pub(super) fn finish_turn(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.turn.is_none() || !self.acts {
            return false;
        }
        self.poll_turn(cx, now) || self.overran(now)
    }

    /// Writes the end of the session into its record; until that is in, nobody is told.
    pub(super) fn commit_end(&mut self, code: CloseCode) {
        if self.leaving.wanted.is_some() {
            self.stay("it ended");
            self.leaving.wanted = None;
        }
        let node = &self.worker.node;
        let Some(holding) = &mut self.holding else { return };
        let mut last = bytes::Bytes::from(self.link.export());
        if last.len() > node.config.session.snapshot_max {
            // A client that comes back elsewhere then hears the reason, and not the last messages.
            last = bytes::Bytes::new();
        }
        let until = node.cluster.ms_from_now(node.config.link.ended_memory);
        let ending = RecordEnding { reason: code.number(), last, until };
        if let Err(error) = holding.held.end(&ending) {
            log::error!("session {}: its end is not written: {error}", self.link.session_id());
            self.holding = None;
            self.link.hold_end(false);
        }
    }

    /// The end is remembered no longer: the client knows it, its time is over, or others need the
    /// room.
    pub(super) fn dismiss(&mut self) {
        let Some(header) = self.ended.take() else { return };
        let node = std::sync::Arc::clone(&self.worker.node);
        actix_rt::spawn(async move { node.cluster.dismiss(&header).await });
    }

    /// Takes a key for this session: it ends the session that holds it, wherever that is.
    pub(super) fn register_key(&mut self, key: &str) {
        if self.shared.key.borrow().as_deref() == Some(key) {
            return;
        }
        // Its length was checked when it was staged.
        let Ok(key) = SessionKey::new(key) else { return };
        let refused = self.keying.take().map_or(0, |keying| keying.refused);
        let id = self.link.session_id();
        let found = take_key(&self.worker.node, key.clone(), id, refused);
        self.keying = Some(Box::new(Keying { key, found: Some(found), refused }));
    }

    fn poll_keying(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(keying) = &mut self.keying else { return false };
        let Some(found) = &mut keying.found else { return false };
        let Poll::Ready(found) = Pin::new(found).poll(cx) else { return false };
        keying.found = None;
        let id = self.link.session_id();
        let (Some(found), Some(holding)) = (found, &mut self.holding) else {
            log::error!("session {id}: its key cannot be taken: who holds it does not end");
            self.keying = None;
            self.link.end(CloseCode::HandlerFailed);
            return true;
        };
        let node = &self.worker.node;
        let until = node.cluster.ms_from_now(node.config.link.ended_memory);
        let reason = CloseCode::KeyTaken.number();
        let loser = RecordEnding { reason, last: bytes::Bytes::new(), until };
        if holding.held.take_key(&keying.key, &found, &loser).is_err() {
            self.key_is_not_taken();
        }
        true
    }

    fn key_is_taken(&mut self) {
        let Some(keying) = self.keying.take() else { return };
        self.wanted_key = None;
        let (directory, id) = (&self.worker.node.directory, self.link.session_id());
        let key = String::from_utf8_lossy(keying.key.as_bytes()).into_owned();
        if let Some(old) = self.shared.key.replace(None) {
            directory.release_key(&old, id);
        }
        directory.register_key(&key, id);
        self.shared.key.replace(Some(key));
        self.inboxes.look(Inboxes::KEY);
    }

    /// Others were faster: it is looked at again.
    fn key_is_not_taken(&mut self) {
        let Some(keying) = &mut self.keying else { return };
        keying.refused += 1;
        let (refused, key) = (keying.refused, keying.key.clone());
        if refused >= KEY_COMMITS_MAX {
            self.keying = None;
            self.link.end(CloseCode::HandlerFailed);
            return;
        }
        let id = self.link.session_id();
        let found = take_key(&self.worker.node, key.clone(), id, refused);
        self.keying = Some(Box::new(Keying { key, found: Some(found), refused }));
    }

    /// Nobody finds the session here any more.
    pub(super) fn unlist(&mut self) {
        let (directory, id) = (&self.worker.node.directory, self.link.session_id());
        if let Some(key) = self.shared.key.take() {
            directory.release_key(&key, id);
        }
        if std::mem::take(&mut self.is_listed) {
            directory.remove(id);
            self.leave_groups();
            self.leave_peers();
        }
    }

    pub(super) fn holds_key(&self, key: &str) -> bool {
        self.shared.key.borrow().as_deref() == Some(key)
    }

    /// Whether the session is suspended for a key whose holder has not ended yet, and for nothing
    /// else: two that want each other's key must not wait for each other.
    fn only_waits_for_key(&self) -> bool {
        self.acts
            && self.keying.as_ref().is_some_and(|keying| keying.found.is_some())
            && self.leaving.wanted.is_none()
            && self.holding.as_ref().is_some_and(|holding| holding.held.may_act())
    }

    fn end_without_key(&mut self, code: CloseCode) {
        self.keying = None;
        self.link.end(code);
    }

    /// The client goes to another node now, not only when it has heard nothing for long. Nothing is
    /// said to it: what may be said is not known here any more.
    fn let_go(&mut self, now: Instant) {
        if !self.acts {
            self.leaving.resume = None;
            self.drop_connection(now);
        }
    }

    /// What is said to a session that is suspended: only what cannot wait.
    pub(super) fn take_urgent_mail(&mut self, now: Instant) -> bool {
        let mut any = false;
        for message in std::mem::take(&mut self.mail) {
            match message {
                ToSession::Asked(asked) => self.asked(*asked, now),
                ToSession::Fenced => self.fence(now),
                ToSession::Adrift => self.let_go(now),
                ToSession::End(code) if self.only_waits_for_key() => self.end_without_key(code),
                ToSession::EndForKey(key) if self.only_waits_for_key() => {
                    if self.holds_key(&key) {
                        self.end_without_key(CloseCode::KeyTaken);
                    }
                }
                ToSession::Arrived(resume) => {
                    // One that came before is dropped: its client tries again, or is this one.
                    self.leaving.resume = Some(resume);
                    continue;
                }
                other => {
                    self.mail.push_back(other);
                    continue;
                }
            }
            any = true;
        }
        any
    }
}
