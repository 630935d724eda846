//! A durable message, as its receiver gets it.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use throughline_queue::{Message, Position};

use super::{Address, address_of, envelope};
use crate::codec::{self, Codec, DecodeError};

/// A message out of a queue: of this session, or of its key.
#[derive(Debug, Clone)]
pub struct QueuedMessage {
    from: Option<Address>,
    body: Bytes,
    position: Position,
    expires_ms: u64,
}

impl QueuedMessage {
    pub(crate) fn new(message: &Message) -> Self {
        let (from, body) = envelope::open(&message.payload());
        let from = from.as_ref().and_then(address_of);
        Self { from, body, position: message.position(), expires_ms: message.expires_ms() }
    }

    /// Its content.
    ///
    /// # Errors
    /// [`DecodeError`] if the sender sent another type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        codec::decode(Codec::Cbor, &self.body)
    }

    /// Its content in bytes, for senders outside that write something else than CBOR.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The session or VActor that sent it; `None`: somebody outside.
    #[must_use]
    pub const fn from(&self) -> Option<&Address> {
        self.from.as_ref()
    }

    /// Where it stood in its queue. No two messages have the same.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// When it would have expired, in milliseconds since 1970 UTC.
    #[must_use]
    pub const fn expires_ms(&self) -> u64 {
        self.expires_ms
    }
}
