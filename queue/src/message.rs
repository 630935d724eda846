//! A message in a queue.

use bytes::Bytes;
use throughline_store::{Check, Entry, Write};

use crate::form::{FORM, FormError, Reader};
use crate::{Pieces, Position, keys};

/// Form and expiry, in front of the payload.
const HEAD_BYTES: usize = 9;

/// A message as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    key: Bytes,
    /// Its exact bytes, for the check that it is still there.
    value: Bytes,
    position: Position,
    expires_ms: u64,
}

impl Message {
    pub(crate) fn read(entry: Entry) -> Result<Self, FormError> {
        let position = keys::position_of(&entry.key)?;
        let mut reader = Reader::new("message", &entry.value)?;
        let expires_ms = reader.u64("expiry")?;
        Ok(Self { key: entry.key, value: entry.value, position, expires_ms })
    }

    /// Its value in the store.
    pub(crate) fn encode(expires_ms: u64, payload: &[u8]) -> Bytes {
        let mut value = Vec::with_capacity(HEAD_BYTES + payload.len());
        value.push(FORM);
        value.extend_from_slice(&expires_ms.to_be_bytes());
        value.extend_from_slice(payload);
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
        self.value.slice(HEAD_BYTES..)
    }

    /// Bytes of the payload of a message with this value.
    pub(crate) const fn payload_bytes(value: &Bytes) -> usize {
        value.len().saturating_sub(HEAD_BYTES)
    }

    pub(crate) const fn value(&self) -> &Bytes {
        &self.value
    }

    /// Its key in the store.
    #[must_use]
    pub const fn key(&self) -> &Bytes {
        &self.key
    }

    /// Bytes of key and value in the store.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }

    /// What belongs into the commit of whoever uses it up: the check that it is there, and its
    /// delete. If the check is refused, somebody else has used it up, or its sweep has.
    pub fn used_up(&self) -> Pieces {
        let (key, value) = (self.key.clone(), self.value.clone());
        let write = Write::Delete { key: key.clone() };
        Pieces { checks: vec![Check::Equals { key, value }], writes: vec![write] }
    }
}
