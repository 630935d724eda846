//! The header of a record: what every commit that acts for it checks.

use core::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use throughline_link::Secret;

use crate::{
    defaults::{KIND_MAX, LOGIN_MAX},
    form::{FORM, FormError, Reader, put_sized},
    id::{Class, Member, NodeId, RecordId, SessionKey, TooLong, at_most},
};

const WHAT: &str = "header";

/// What a header takes beside its names, in bytes, with all that it need not have.
const NUMBERS_MAX: usize = 112;

/// What of a record never changes within a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    kind: String,
    login: Bytes,
    secret: Secret,
}

// The derived one would need it of `Secret`, which the link keeps from tables.
impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.kind, &self.login, self.secret.0).hash(state);
    }
}

impl Identity {
    /// Kind, login identity (for the ban hook) and secret of a new record.
    ///
    /// # Errors
    /// [`TooLong`] for the kind or the login identity.
    pub fn new(kind: &str, login: &[u8], secret: Secret) -> Result<Self, TooLong> {
        at_most("kind", kind.len(), KIND_MAX)?;
        at_most("login identity", login.len(), LOGIN_MAX)?;
        Ok(Self { kind: kind.to_owned(), login: Bytes::copy_from_slice(login), secret })
    }

    /// The kind of session or VActor.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Who logged in, as the game's ban hook knows them.
    #[must_use]
    pub const fn login(&self) -> &Bytes {
        &self.login
    }

    /// The session's secret: the proof of a resume is checked against it.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// Where a record is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Created; nothing of it was seen outside.
    New,
    /// A snapshot, owned by nobody.
    Parked,
    /// A snapshot that its owner has not started yet, or not with an effect.
    Handed,
    /// Acting, without a snapshot: an owner that dies takes it along.
    Running,
    /// Acting, with the snapshot of the last turn.
    Committed,
    /// Over, with the number of its close code.
    Ended(u16),
}

impl State {
    /// Whether a snapshot stands beside the header.
    #[must_use]
    pub const fn has_snapshot(self) -> bool {
        matches!(self, Self::Parked | Self::Handed | Self::Committed)
    }

    /// Whether nothing leaves its owner before the owner's next commit, so that it may be taken
    /// from one that does not answer.
    #[must_use]
    pub const fn may_be_seized(self) -> bool {
        matches!(self, Self::Handed | Self::Committed)
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }

    const fn parts(self) -> (u8, u16) {
        match self {
            Self::New => (1, 0),
            Self::Parked => (2, 0),
            Self::Handed => (3, 0),
            Self::Running => (4, 0),
            Self::Committed => (5, 0),
            Self::Ended(reason) => (6, reason),
        }
    }

    const fn from_parts(parts: (u8, u16)) -> Option<Self> {
        Some(match parts {
            (1, 0) => Self::New,
            (2, 0) => Self::Parked,
            (3, 0) => Self::Handed,
            (4, 0) => Self::Running,
            (5, 0) => Self::Committed,
            (6, reason) => Self::Ended(reason),
            _ => return None,
        })
    }
}

/// The header of a record. Two are equal only if no commit lies between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Header {
    /// Whose it is.
    pub id: RecordId,
    /// Kind, login identity, secret.
    pub identity: Arc<Identity>,
    /// Random; new whenever state starts from nothing.
    pub life: u64,
    /// Where it is in its life.
    pub state: State,
    /// Grows with each change of owner.
    pub epoch: u64,
    /// The one that may act for it.
    pub owner: Option<Member>,
    /// Grows with each commit; no number is proposed twice.
    pub version: u64,
    /// The version of the game's state in the snapshot.
    pub state_version: u32,
    /// The `version` whose commit wrote the snapshot; 0 without one.
    pub snapshot_version: u64,
    /// The highest attempt counter that a client was let in with.
    pub attempt: u64,
    /// Take-overs from dead owners since the last committed turn.
    pub crashes: u8,
    /// The session key it holds.
    pub key: Option<SessionKey>,
    /// When it is looked at though nobody asks, in milliseconds since 1970 UTC: expiry, the end
    /// of its being remembered, the next reminder. Its row in the due index has this time.
    pub due: Option<u64>,
}

impl Header {
    /// Session or VActor.
    #[must_use]
    pub fn class(&self) -> Class {
        self.id.class()
    }

    /// The bytes of the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let Identity { kind, login, .. } = &*self.identity;
        let key = self.key.as_ref().map_or(0, |key| key.as_bytes().len());
        let names = self.id.as_bytes().len() + kind.len() + login.len() + key;
        // Hardly more than it takes: a store in memory keeps these very bytes.
        let mut out = Vec::with_capacity(NUMBERS_MAX + names);
        let (state, reason) = self.state.parts();
        out.extend_from_slice(&[FORM, state]);
        out.extend_from_slice(&reason.to_be_bytes());
        put_sized(&mut out, self.id.as_bytes());
        put_sized(&mut out, self.identity.kind.as_bytes());
        for number in [self.life, self.epoch, self.version] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.push(u8::from(self.owner.is_some()));
        if let Some(owner) = self.owner {
            out.extend_from_slice(&owner.node.0.to_be_bytes());
            out.extend_from_slice(&owner.incarnation.to_be_bytes());
        }
        out.extend_from_slice(&self.state_version.to_be_bytes());
        out.extend_from_slice(&self.snapshot_version.to_be_bytes());
        out.extend_from_slice(&self.attempt.to_be_bytes());
        out.push(self.crashes);
        out.push(u8::from(self.key.is_some()));
        if let Some(key) = &self.key {
            put_sized(&mut out, key.as_bytes());
        }
        out.push(u8::from(self.due.is_some()));
        if let Some(due) = self.due {
            out.extend_from_slice(&due.to_be_bytes());
        }
        put_sized(&mut out, &self.identity.login);
        out.extend_from_slice(&self.identity.secret.0);
        out.into()
    }

    /// Reads the bytes of the store.
    ///
    /// # Errors
    /// [`FormError`]; the record is left as it is.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormError> {
        let mut reader = Reader::new(WHAT, bytes)?;
        let state = (reader.u8("state")?, reader.u16("state")?);
        let state = State::from_parts(state).ok_or_else(|| reader.damaged("state"))?;
        let id = reader.sized("id")?;
        let id = RecordId::from_bytes(id).ok_or_else(|| reader.damaged("id"))?;
        let kind = reader.text("kind")?;
        let life = reader.u64("life")?;
        let epoch = reader.u64("epoch")?;
        let version = reader.u64("version")?;
        let owner = flag(&mut reader, "owner")?.then(|| member(&mut reader)).transpose()?;
        let state_version = reader.u32("state version")?;
        let snapshot_version = reader.u64("snapshot version")?;
        let attempt = reader.u64("attempt")?;
        let crashes = reader.u8("crashes")?;
        let key = flag(&mut reader, "key")?.then(|| reader.sized("key")).transpose()?;
        let key = key.map(|key| SessionKey::from_bytes(key).ok_or_else(|| reader.damaged("key")));
        let key = key.transpose()?;
        let due = flag(&mut reader, "due")?.then(|| reader.u64("due")).transpose()?;
        let login = reader.sized("login")?;
        let secret = Secret(reader.array("secret")?);
        reader.end()?;
        let identity = Identity::new(kind, login, secret).map_err(|_| reader.damaged("kind"))?;
        Ok(Self {
            id,
            identity: Arc::new(identity),
            life,
            state,
            epoch,
            owner,
            version,
            state_version,
            snapshot_version,
            attempt,
            crashes,
            key,
            due,
        })
    }
}

fn flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, FormError> {
    match reader.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.damaged(field)),
    }
}

/// Reads a node and its incarnation.
pub(crate) fn member(reader: &mut Reader<'_>) -> Result<Member, FormError> {
    let node = NodeId(reader.u32("node")?);
    Ok(Member { node, incarnation: reader.u64("incarnation")? })
}

#[cfg(test)]
mod tests;
