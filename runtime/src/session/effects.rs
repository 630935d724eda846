//! What a turn does, staged until its end.

use std::time::Duration;

use throughline_link::{CloseCode, SessionId};

use super::Recipient;
use crate::{
    queues::{GroupName, Peers, StagedDurable},
    vactor::{Payload, Target},
};

/// One staged effect besides messages to the client.
#[derive(Debug)]
pub(crate) enum Effect {
    End(CloseCode),
    SetTimer {
        name: String,
        after: Duration,
        every: Option<Duration>,
    },
    CancelTimer(String),
    SendToLocalSession {
        to: SessionId,
        payload: Vec<u8>,
    },
    SendToSession {
        to: Recipient,
        payload: Vec<u8>,
    },
    /// To all members of a group, best effort.
    SendToGroup {
        group: GroupName,
        payload: Vec<u8>,
    },
    RegisterKey(String),
    /// Into the store.
    SwapOut,
    SimulateLink {
        delay: Duration,
        loss: f64,
    },
    /// A one-way message to a VActor.
    Tell {
        to: Target,
        message: &'static str,
        payload: Payload,
    },
}

/// The effects of one turn, in order; buffers are kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Messages to the client, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    pub(crate) others: Vec<Effect>,
    /// What goes into a commit, before all of this leaves.
    pub(crate) durable: StagedDurable,
    /// Whom the actor has met, with what the turn has staged.
    pub(crate) peers: Peers,
}

/// Buffers that grew beyond this are given back after the turn.
const KEEP_BYTES: usize = 4 * 1024;

impl Effects {
    /// Stages a message that `write` appends; what it appended is taken back if it fails.
    #[inline]
    pub(crate) fn send<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        match write(&mut self.bytes) {
            Ok(()) => {
                self.ends.push(self.bytes.len());
                Ok(())
            }
            Err(error) => {
                self.bytes.truncate(start);
                Err(error)
            }
        }
    }

    /// The messages to the client.
    #[inline]
    pub(crate) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let message = &self.bytes[start..end];
            start = end;
            message
        })
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.others.clear();
        self.durable.clear();
        self.peers.unstage();
        if self.bytes.capacity() > KEEP_BYTES {
            let peers = std::mem::take(&mut self.peers);
            *self = Self { peers, ..Self::default() };
        }
    }
}
