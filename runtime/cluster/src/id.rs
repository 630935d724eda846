//! Names of records, nodes and session keys.

use core::fmt;

use bytes::Bytes;
use throughline_link::SessionId;

use crate::defaults::{RECORD_ID_MAX, SESSION_KEY_MAX};

/// A name longer than its limit. Whoever chose it must choose a shorter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {what} of {bytes} bytes, where at most {limit} are allowed")]
pub struct TooLong {
    /// What it names.
    pub what: &'static str,
    /// Its length.
    pub bytes: usize,
    /// The longest allowed.
    pub limit: usize,
}

pub(crate) const fn at_most(what: &'static str, bytes: usize, limit: usize) -> Result<(), TooLong> {
    if bytes > limit { Err(TooLong { what, bytes, limit }) } else { Ok(()) }
}

/// The name of a record: of a session or of a VActor, which are the same thing to a cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(Bytes);

/// What a record is a record of: decides what becomes of it after a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A session: it ends as lost.
    Session,
    /// A VActor: it starts again from nothing.
    VActor,
}

const SESSION: u8 = b's';
const VACTOR: u8 = b'v';

impl RecordId {
    /// The record of a session.
    #[must_use]
    pub fn session(id: SessionId) -> Self {
        Self([&[SESSION], id.0.as_slice()].concat().into())
    }

    /// The record of the VActor of this kind and key.
    ///
    /// # Errors
    /// [`TooLong`], if kind and key together are.
    pub fn vactor(kind: &str, key: &[u8]) -> Result<Self, TooLong> {
        // The length in front keeps ("ab", "c") and ("a", "bc") apart.
        at_most("kind", kind.len(), usize::from(u8::MAX))?;
        let length = u8::try_from(kind.len()).unwrap_or(u8::MAX);
        let id = [&[VACTOR, length], kind.as_bytes(), key].concat();
        at_most("VActor key", id.len(), RECORD_ID_MAX)?;
        Ok(Self(id.into()))
    }

    /// What `as_bytes` gave. `None` if these bytes name no record.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let is_session = bytes.first() == Some(&SESSION) && bytes.len() == 17;
        let is_vactor = matches!(bytes, [VACTOR, length, rest @ ..]
            if rest.len() >= usize::from(*length) && bytes.len() <= RECORD_ID_MAX);
        (is_session || is_vactor).then(|| Self(Bytes::copy_from_slice(bytes)))
    }

    /// The name as it stands in keys.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Kind and key, if it is a VActor.
    #[must_use]
    pub fn vactor_name(&self) -> Option<(&str, &[u8])> {
        let [VACTOR, length, rest @ ..] = &self.0[..] else { return None };
        let (kind, key) = rest.split_at_checked(usize::from(*length))?;
        Some((core::str::from_utf8(kind).ok()?, key))
    }

    /// Session or VActor.
    #[must_use]
    pub fn class(&self) -> Class {
        if self.0.first() == Some(&SESSION) { Class::Session } else { Class::VActor }
    }

    /// The session's id, if it is a session.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        match self.class() {
            Class::Session => self.0[1..].try_into().ok().map(SessionId),
            Class::VActor => None,
        }
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.session_id() {
            Some(id) => write!(f, "session {id}"),
            None => match self.vactor_name() {
                Some((kind, key)) => write!(f, "VActor {kind}/{}", key.escape_ascii()),
                None => write!(f, "VActor {}", self.0[2..].escape_ascii()),
            },
        }
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({self})")
    }
}

/// A node's number within its cluster; it survives restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// One life of a node: who owns, who beats, who is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The node.
    pub node: NodeId,
    /// Random, and never used again.
    pub incarnation: u64,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08x}", self.node, self.incarnation >> 32)
    }
}

/// The player's own id, registered by the game after login.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(Bytes);

impl SessionKey {
    /// A session key.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn new(key: &str) -> Result<Self, TooLong> {
        at_most("session key", key.len(), SESSION_KEY_MAX)?;
        Ok(Self(Bytes::copy_from_slice(key.as_bytes())))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        core::str::from_utf8(bytes).ok().and_then(|key| Self::new(key).ok())
    }

    /// The key as it stands in the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({})", self.0.escape_ascii())
    }
}
