//! Messages between the sessions of a node.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{
    SessionId,
    codec::{self, Codec, DecodeError},
    directory::Place,
};

/// A message of another session, sent with `send_to_local_session`.
#[derive(Debug, Clone)]
pub struct ServerMessage {
    from: SessionId,
    payload: Bytes,
    /// Its place in the receiver's mailbox.
    place: Option<Place>,
}

impl ServerMessage {
    pub(crate) const fn new(from: SessionId, payload: Bytes) -> Self {
        Self { from, payload, place: None }
    }

    pub(crate) fn placed(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The session that sent it.
    #[must_use]
    pub const fn from(&self) -> SessionId {
        self.from
    }

    /// Its content.
    ///
    /// # Errors
    /// [`DecodeError`] if the sender sent another type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        codec::decode(Codec::Cbor, &self.payload)
    }
}

/// Why a message to another session was not delivered: surely not, in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undelivered {
    /// No such session on this node: it has ended, or never was. Retrying does not help.
    #[error("no such session on this node")]
    NoSuchSession,
    /// Its mailbox is full (`session.mailbox`). Retrying later may help.
    #[error("its mailbox is full")]
    MailboxFull,
}
