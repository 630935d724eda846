//! To whom a durable message goes.

use std::fmt;

use throughline_cluster::{RecordId, TooLong, defaults::SESSION_KEY_MAX};
use throughline_link::SessionId;
use throughline_queue::QueueName;

use super::SendReliableError;

/// Who a durable message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// The session of this id, as long as it lives.
    Session(SessionId),
    /// Whichever session holds this key when it looks into its queue: this one, or the next one
    /// that registers it.
    Key(String),
    /// A VActor.
    VActor {
        /// Its kind.
        kind: String,
        /// Its key.
        key: String,
    },
}

impl From<SessionId> for Address {
    fn from(id: SessionId) -> Self {
        Self::Session(id)
    }
}

impl From<&str> for Address {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Address {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session {id}"),
            Self::Key(key) => write!(f, "the session of key `{}`", key.escape_debug()),
            Self::VActor { kind, key } => write!(f, "VActor {kind}/{}", key.escape_debug()),
        }
    }
}

/// The address of a record.
pub(crate) fn address_of(id: &RecordId) -> Option<Address> {
    if let Some(session) = id.session_id() {
        return Some(Address::Session(session));
    }
    let (kind, key) = id.vactor_name()?;
    let key = core::str::from_utf8(key).ok()?;
    Some(Address::VActor { kind: kind.to_owned(), key: key.to_owned() })
}

/// The address whose queue this is.
pub(crate) fn address_of_queue(queue: &QueueName) -> Option<Address> {
    match queue.session_key() {
        Some(key) => Some(Address::Key(key.to_owned())),
        None => address_of(&record_of(queue)?),
    }
}

/// The queue of an address.
pub(crate) fn queue_of(to: &Address) -> Result<QueueName, SendReliableError> {
    let of_record = |id: &RecordId| QueueName::record(id.as_bytes());
    let name = match to {
        Address::Session(id) => of_record(&RecordId::session(*id)),
        Address::Key(key) if key.is_empty() || key.len() > SESSION_KEY_MAX => {
            let (bytes, limit) = (key.len(), SESSION_KEY_MAX);
            return Err(TooLong { what: "session key", bytes, limit }.into());
        }
        Address::Key(key) => QueueName::key(key),
        Address::VActor { kind, key } => of_record(&RecordId::vactor(kind, key.as_bytes())?),
    };
    Ok(name?)
}

/// The record whose inbox this queue is.
pub(crate) fn record_of(queue: &QueueName) -> Option<RecordId> {
    queue.record_id().and_then(RecordId::from_bytes)
}
