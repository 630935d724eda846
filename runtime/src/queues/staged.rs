//! What a turn is to write beside its record, staged until its end.

use bytes::Bytes;
use throughline_queue::QueueName;

use super::{GroupName, SendReliableError};

/// Messages, and changes of groups, of one turn: they go into one commit, beside its record, within
/// what a store takes.
pub(crate) const DURABLE_MAX: usize = 1024;

/// Payloads of one turn, together: a quarter of what a commit may have, whose snapshot may be as
/// large, and whose rows have keys.
pub(crate) const DURABLE_BYTES_MAX: usize = 1024 * 1024;

/// One thing that a turn writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Durable {
    /// A message for a queue. It expires at a time in milliseconds since 1970 UTC.
    Enqueue { to: QueueName, payload: Bytes, expires_ms: u64 },
    /// The actor is a member of this group from now on, or is no more.
    Member { group: GroupName, joins: bool },
}

/// What one turn writes, in order.
#[derive(Debug, Default)]
pub(crate) struct StagedDurable {
    entries: Vec<Durable>,
    bytes: usize,
}

impl StagedDurable {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Stages one more.
    ///
    /// # Errors
    /// [`SendReliableError::TooMuch`].
    pub(crate) fn push(&mut self, durable: Durable) -> Result<(), SendReliableError> {
        let bytes = match &durable {
            Durable::Enqueue { payload, .. } => payload.len(),
            Durable::Member { .. } => 0,
        };
        self.has_room(1, bytes)?;
        self.bytes += bytes;
        if let Durable::Member { group, .. } = &durable {
            // The last word of a turn counts.
            self.forget_member(group);
        }
        self.entries.push(durable);
        Ok(())
    }

    /// Whether so many messages of so many bytes each can be staged, too.
    ///
    /// # Errors
    /// [`SendReliableError::TooMuch`].
    pub(crate) fn has_room(&self, messages: usize, each: usize) -> Result<(), SendReliableError> {
        let bytes = self.bytes.saturating_add(messages.saturating_mul(each));
        if self.entries.len() + messages > DURABLE_MAX || bytes > DURABLE_BYTES_MAX {
            let (messages, bytes) = (DURABLE_MAX, DURABLE_BYTES_MAX);
            return Err(SendReliableError::TooMuch { messages, bytes });
        }
        Ok(())
    }

    /// The groups that are joined, or left.
    pub(crate) fn members(&self, joins: bool) -> impl Iterator<Item = &GroupName> {
        self.entries.iter().filter_map(move |durable| match durable {
            Durable::Member { group, joins: so } if *so == joins => Some(group),
            _ => None,
        })
    }

    /// Forgets what was staged for a group: it stays as it is.
    pub(crate) fn forget_member(&mut self, name: &GroupName) {
        let is_it =
            |durable: &Durable| matches!(durable, Durable::Member { group, .. } if group == name);
        self.entries.retain(|durable| !is_it(durable));
    }

    /// Takes all, for the commit.
    pub(crate) fn take(&mut self) -> Vec<Durable> {
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_room_can_be_staged_and_one_byte_more_cannot() {
        let message = |bytes| Durable::Enqueue {
            to: QueueName::record(b"ann").expect("a name"),
            payload: Bytes::from(vec![0; bytes]),
            expires_ms: 1,
        };
        let mut staged = StagedDurable::default();
        let half = DURABLE_BYTES_MAX / 2;
        assert!(staged.has_room(2, half).is_ok());
        assert!(staged.has_room(2, half + 1).is_err());
        assert!(staged.has_room(DURABLE_MAX + 1, 0).is_err());
        staged.push(message(half)).expect("room");
        assert!(staged.has_room(1, half).is_ok());
        assert!(staged.has_room(2, half).is_err(), "what is staged counts");
        staged.push(message(half)).expect("room");
        assert!(staged.push(message(1)).is_err());
    }
}
