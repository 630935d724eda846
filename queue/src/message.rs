//! A message in a queue, and the rows that messages stand in.
//!
//! A row has one message, or several that were enqueued to a named queue in one commit: those are
//! mostly taken out together, and a row costs a store about the same whatever it has.

use bytes::Bytes;
use throughline_canary::canary;
use throughline_store::{Check, Entry, Write};

use crate::form::{FORM, FormError, Reader, SHARED_FORM, put_sized};
use crate::{Pieces, Position, keys};

/// Form and expiry, in front of the payload.
const HEAD_BYTES: usize = 9;
/// Number, expiry and length, in front of each payload of a row that is shared.
pub(crate) const SHARED_HEAD_BYTES: usize = 20;

/// A message as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Key and exact bytes of its row, for the check that it is still there.
    row: Entry,
    position: Position,
    expires_ms: u64,
    payload: Bytes,
}

impl Message {
    /// A message that has its row alone.
    pub(crate) fn read(row: Entry) -> Result<Self, FormError> {
        let position = keys::position_of(&row.key)?;
        let mut reader = Reader::new("message", &row.value)?;
        let expires_ms = reader.u64("expiry")?;
        let payload = reader.rest();
        Ok(Self { row, position, expires_ms, payload })
    }

    /// Adds the messages of a row, in their order.
    pub(crate) fn read_row(row: Entry, messages: &mut Vec<Self>) -> Result<(), FormError> {
        if row.value.first() != Some(&SHARED_FORM) {
            messages.push(Self::read(row)?);
            return Ok(());
        }
        let first = keys::position_of(&row.key)?;
        let mut reader = Reader::of_form("messages", &row.value, SHARED_FORM)?;
        while !reader.is_at_end() {
            let position = Position { number: reader.u64("number")?, ..first };
            let expires_ms = reader.u64("expiry")?;
            let payload = reader.sized("payload")?;
            messages.push(Self { row: row.clone(), position, expires_ms, payload });
        }
        Ok(())
    }

    /// The value of a row that it has alone.
    pub(crate) fn encode(expires_ms: u64, payload: &[u8]) -> Bytes {
        let mut value = Vec::with_capacity(HEAD_BYTES + payload.len());
        value.push(FORM);
        value.extend_from_slice(&expires_ms.to_be_bytes());
        value.extend_from_slice(payload);
        value.into()
    }

    /// The value of a row that messages share: their numbers, expiries and payloads.
    pub(crate) fn encode_shared<'a>(
        messages: impl Iterator<Item = (u64, u64, &'a Bytes)>,
    ) -> Bytes {
        let mut value = vec![SHARED_FORM];
        for (number, expires_ms, payload) in messages {
            value.extend_from_slice(&number.to_be_bytes());
            value.extend_from_slice(&expires_ms.to_be_bytes());
            put_sized(&mut value, payload);
        }
        value.into()
    }

    /// Where it stands in its queue.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// When it expires, in milliseconds since 1970 UTC.
    #[must_use]
    pub const fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// Whether it has expired: then nobody may handle it any more.
    #[must_use]
    pub const fn is_expired(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_ms
    }

    /// What was enqueued.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.payload.clone()
    }

    /// The key of its row in the store.
    #[must_use]
    pub const fn key(&self) -> &Bytes {
        &self.row.key
    }

    /// Bytes of its row, key and value.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.row.key.len() + self.row.value.len()
    }

    /// What belongs into the commit of whoever uses it up: the check that it is there, and its
    /// delete. If the check is refused, somebody else has used it up, or its sweep has; or, in a
    /// named queue, another one of its row: read again.
    ///
    /// Those of one queue must not go into the same commit, if they share a row.
    pub fn used_up(&self) -> Pieces {
        let Entry { key, value } = self.row.clone();
        let mut others = Vec::new();
        // It was read before, so it is readable.
        if Self::read_row(self.row.clone(), &mut others).is_ok() {
            others.retain(|other| other.position != self.position);
        }
        let write = if others.is_empty() {
            Write::Delete { key: key.clone() }
        } else {
            let kept = others.iter().map(|m| (m.position.number, m.expires_ms, &m.payload));
            Write::Put { key: key.clone(), value: Self::encode_shared(kept) }
        };
        Pieces { checks: vec![Check::Equals { key, value }], writes: vec![write] }
    }

    /// The same for all messages of some rows.
    pub(crate) fn rows_used_up<'a>(messages: impl Iterator<Item = &'a Self>) -> Pieces {
        let mut pieces = Pieces::default();
        let mut last = None;
        for message in messages {
            let Entry { key, value } = &message.row;
            // Messages of one row are neighbours.
            if last.replace(key) == Some(key) {
                continue;
            }
            if !canary!(DequeueUnchecked) {
                pieces.checks.push(Check::Equals { key: key.clone(), value: value.clone() });
            }
            pieces.writes.push(Write::Delete { key: key.clone() });
        }
        pieces
    }
}
