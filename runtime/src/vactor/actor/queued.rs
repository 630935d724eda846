//! Durable messages, from the inbox of a VActor.
//!
//! Where every turn is committed, a message leaves the inbox in the commit of its turn. Else it is
//! taken out by a commit before its turn begins: what was taken out is lost with the node, as the
//! state is.

use std::task::Context;

use bytes::Bytes;
use throughline_canary::canary;
use throughline_link::Instant;
use throughline_queue::Pieces;

use super::{VActorActor, commit::Committing, turn::What, work::Replier};
use crate::{
    queues::{QueuedMessage, Taking},
    vactor::{Durability, Job, Mode, Payload},
};

/// A message of the inbox is handled after so many other turns at the latest.
pub(super) const TURNS_BETWEEN: u32 = 16;

/// A message of the inbox whose turn runs.
#[derive(Debug, Clone)]
pub(super) struct QueuedTurn {
    pub(super) message: QueuedMessage,
    /// What the commit of the turn takes out of the inbox; `None`: it is out already.
    pub(super) used_up: Option<Pieces>,
    /// How often it was tried, this time included; 0: nobody knows how.
    pub(super) tries: u32,
}

impl VActorActor {
    /// Goes on with reading the inbox. True if anything happened.
    pub(super) fn read_inbox(&mut self, cx: &mut Context<'_>) -> bool {
        if self.uses_up() {
            return false;
        }
        let Some(holding) = &self.holding else { return false };
        let cluster = &self.worker.node.cluster;
        self.inboxes.poll(cx, &cluster.store, holding.held.header(), || cluster.wall_ms())
    }

    /// Whether a message is on its way out of the inbox. Until it is out, a read would find it
    /// there once more.
    fn uses_up(&self) -> bool {
        match &self.committing {
            Some(Committing::Turn(finished) | Committing::Lease(finished)) => {
                finished.what.is_queued()
            }
            Some(Committing::Taking(_) | Committing::Noting(_)) => true,
            Some(Committing::NotingReminder(_)) => false,
            None => self.turn.as_ref().is_some_and(|turn| turn.what.is_queued()),
        }
    }

    /// Begins with the next message of the inbox, if it is its turn. True if it has.
    pub(super) fn take_queued(&mut self, now: Instant) -> bool {
        let is_its_turn = self.inboxes.has_next()
            && self.turn.is_none()
            && self.reads.is_empty()
            && !self.leaving.is_wanted()
            && (self.inbox.is_empty() || self.since_queued >= TURNS_BETWEEN)
            && !self.is_over
            && !self.is_suspended()
            && !self.has_not_begun();
        if !is_its_turn {
            self.end_care();
            return false;
        }
        self.since_queued = 0;
        self.has_reminded = false;
        let now_ms = self.worker.node.cluster.wall_ms();
        let Some(holding) = &self.holding else { return false };
        let next = self.inboxes.next(holding.held.header(), now_ms);
        let Some(Taking { message, used_up }) = next else { return false };
        self.note_used(now);
        if self.settings.durability == Durability::EveryTurn && !canary!(QueuedDeletedFirst) {
            self.take_carefully(QueuedTurn { message, used_up: Some(used_up), tries: 1 });
        } else if self.commit(used_up).is_ok() {
            self.committing = Some(Committing::Taking(message));
        } else {
            self.inboxes.again();
        }
        true
    }

    /// Begins the turn of a message.
    pub(super) fn begin_queued(
        &mut self,
        message: QueuedMessage,
        used_up: Option<Pieces>,
        tries: u32,
    ) {
        let node = std::sync::Arc::clone(&self.worker.node);
        let kind = node.vactors.kind(self.kind);
        let named = named(message.bytes()).and_then(|(name, payload)| {
            let all = kind.messages().iter();
            let index = all.clone().position(|(own, mode)| *own == name && *mode == Mode::Turn);
            index.map(|index| (index, payload))
        });
        let Some((index, payload)) = named else {
            // It may be of a node with a newer build.
            let name = name_of(&message);
            let why = format!("its kind has no message `{}` here", name.escape_debug());
            return self.set_aside(QueuedTurn { message, used_up, tries: 0 }, &why);
        };
        let job = Job::Message(index, Payload::Bytes(payload));
        let queued = QueuedTurn { message, used_up, tries };
        let what = What::Queued(Box::new(queued.clone()));
        self.begin_turn(job, what, Replier::Nobody, node.clock.now());
        if self.turn.is_none() {
            self.file_lost(&queued, "the state before its turn could not be written");
        }
    }

    /// The turn of a message has failed.
    pub(super) fn try_queued_again(&mut self, queued: QueuedTurn, why: &str) {
        let mut tries_max = self.worker.node.config.session.poison_tries;
        if canary!(PoisonForEver) {
            tries_max *= 1_000;
        }
        if self.is_over {
            self.file_lost(&queued, why);
        } else if queued.tries < tries_max {
            let QueuedTurn { message, used_up, tries } = queued;
            self.begin_queued(message, used_up, tries + 1);
        } else {
            self.set_aside(queued, why);
        }
    }
}

/// Longest name that is looked at: those of messages are shorter.
const NAME_MAX: usize = 64;

/// The name of a message, as far as it has one.
pub(super) fn name_of(message: &QueuedMessage) -> String {
    named(message.bytes()).map(|(name, _)| name).unwrap_or_default()
}

/// The name of a message and its bytes, out of a pair in CBOR.
fn named(body: &Bytes) -> Option<(String, Bytes)> {
    // An array of two, and a text of less than 24 bytes, or with its length in the next byte.
    let (0x82, rest) = (*body.first()?, body.get(1..)?) else { return None };
    let (length, skip) = match *rest.first()? {
        head @ 0x60..=0x77 => (usize::from(head - 0x60), 2),
        0x78 => (usize::from(*rest.get(1)?), 3),
        _ => return None,
    };
    if length > NAME_MAX || body.len() < skip + length {
        return None;
    }
    let name = std::str::from_utf8(&body[skip..skip + length]).ok()?;
    Some((name.to_owned(), body.slice(skip + length..)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, decode, encode};

    #[test]
    fn a_name_and_its_message_are_read_from_a_pair() {
        for name in ["a", "place", &"x".repeat(40)] {
            let mut body = Vec::new();
            encode(Codec::Cbor, &(name, (7_u8, "seven")), &mut body).unwrap();
            let (found, rest) = named(&body.into()).unwrap();
            assert_eq!(found, name);
            let read: (u8, String) = decode(Codec::Cbor, &rest).unwrap();
            assert_eq!(read, (7, "seven".to_owned()));
        }
    }

    #[test]
    fn what_is_no_pair_of_a_name_and_a_message_is_none() {
        for bytes in
            [&b""[..], b"\x82", b"\x82\x65ab", b"\x83\x61a\x01", b"\x82\x01\x02", b"\x82\x78"]
        {
            assert_eq!(named(&Bytes::from_static(bytes)), None, "{bytes:x?}");
        }
    }
}
