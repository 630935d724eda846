//! Messages between the sessions of a node.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{
    SessionId,
    codec::{self, Codec, DecodeError},
    directory::Place,
};

/// Who a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recipient {
    /// The session of this id.
    Session(SessionId),
    /// The session that holds this key, whichever it is when the message gets there.
    Key(String),
}

impl From<SessionId> for Recipient {
    fn from(id: SessionId) -> Self {
        Self::Session(id)
    }
}

impl From<&str> for Recipient {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Recipient {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session {id}"),
            Self::Key(key) => write!(f, "the session of key `{}`", key.escape_debug()),
        }
    }
}

/// A message of another session, sent with `send_to_session` or `send_to_local_session`.
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

    /// What it holds, to be sent on.
    pub(crate) fn payload(&self) -> Bytes {
        self.payload.clone()
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

/// Why a message to another session was not delivered: surely not, but for `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undelivered {
    /// No such session: it has ended, or never was; of `send_to_local_session`: not on this node.
    /// Retrying does not help.
    #[error("no such session")]
    NoSuchSession,
    /// Its mailbox is full (`session.mailbox`), or the sender has too many messages under way.
    /// Retrying later may help.
    #[error("its mailbox is full")]
    MailboxFull,
    /// The session is in the store, without a node: its client is away. Retrying helps when the
    /// client is back.
    #[error("the session is parked")]
    Parked,
    /// Its node could not be reached in 5 s. Retrying later may help.
    #[error("its node cannot be reached")]
    Unreachable,
    /// Its node was asked and did not answer: the message may have arrived.
    #[error("its node did not answer: it may have arrived")]
    Unknown,
}
