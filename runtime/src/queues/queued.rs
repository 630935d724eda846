//! A durable message, as its receiver gets it.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use throughline_queue::{DeadLetter, Message, Position, QueueName};

use super::{Address, Died, address_of, envelope};
use crate::codec::{self, Codec, DecodeError};

/// A message out of a queue: of this session, or of its key.
#[derive(Debug, Clone)]
pub struct QueuedMessage {
    from: Option<Address>,
    body: Bytes,
    position: Position,
    expires_ms: u64,
    /// Where it stood, and as what: so it goes to the dead letters, should nobody handle it.
    queue: QueueName,
    payload: Bytes,
}

impl QueuedMessage {
    pub(crate) fn new(message: &Message, queue: QueueName) -> Self {
        let payload = message.payload();
        let (from, body) = envelope::open(&payload);
        let from = from.as_ref().and_then(address_of);
        let (position, expires_ms) = (message.position(), message.expires_ms());
        Self { from, body, position, expires_ms, queue, payload }
    }

    /// The dead letter that it becomes when it is given up.
    pub(crate) fn dead_letter(&self, died: Died<'_>, now_ms: u64) -> DeadLetter {
        let Died { kind, hook, tries, why } = died;
        let [kind, hook, why] = [kind, hook, why].map(str::to_owned);
        let (to, payload, expires_ms) = (self.queue.clone(), self.payload.clone(), self.expires_ms);
        DeadLetter { to, payload, expires_ms, dead_ms: now_ms, tries, kind, hook, why }
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
