//! Names of queues.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::defaults::{
    DEAD_LETTER_HEAD_BYTES_MAX, NAME_BYTES_MAX, NAME_IN_KEY_BYTES_MAX, PAYLOAD_BYTES_MAX,
};

const NAMED: u8 = b'n';
const RECORD: u8 = b'r';
const KEY: u8 = b'k';
const OPERATORS: u8 = b'o';
/// The bare name of the dead letters.
const DEAD_LETTERS: &[u8] = b"dead-letters";
/// In front of a hash, where a name is too long for a key.
const HASHED: u8 = b'h';

/// A name longer than [`NAME_BYTES_MAX`]. Whoever chose it must choose a shorter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a queue has {bytes} bytes, at most {}", NAME_BYTES_MAX - 1)]
pub struct NameError {
    /// Its length.
    pub bytes: usize,
}

/// The name of a queue. A queue is there as soon as something is enqueued to its name.
#[derive(Clone)]
pub struct QueueName {
    /// Tag and name.
    whole: Bytes,
    /// The same, as it stands in keys.
    in_key: Bytes,
}

/// Whose queue it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// Of those who know its plain name.
    Named,
    /// The inbox of a session or VActor: the name is its record id.
    Record,
    /// Of whoever holds a session key.
    Key,
    /// Of the operators: Throughline itself fills it, and no program takes from it.
    Operators,
}

impl QueueName {
    /// A queue of its own, known by this name alone.
    ///
    /// # Errors
    /// The name is too long.
    pub fn named(name: &str) -> Result<Self, NameError> {
        Self::tagged(NAMED, name.as_bytes())
    }

    /// The inbox of the session or VActor with this record id, in bytes.
    ///
    /// # Errors
    /// The id is too long; none of a cluster is.
    pub fn record(id: &[u8]) -> Result<Self, NameError> {
        Self::tagged(RECORD, id)
    }

    /// The queue of whoever holds this session key.
    ///
    /// # Errors
    /// The key is too long; none that a session can register is.
    pub fn key(key: &str) -> Result<Self, NameError> {
        Self::tagged(KEY, key.as_bytes())
    }

    /// The queue that has what could not be handled.
    #[must_use]
    pub fn dead_letters() -> Self {
        let whole = Bytes::from([&[OPERATORS], DEAD_LETTERS].concat());
        Self { in_key: whole.clone(), whole }
    }

    fn tagged(tag: u8, name: &[u8]) -> Result<Self, NameError> {
        if name.len() >= NAME_BYTES_MAX {
            return Err(NameError { bytes: name.len() });
        }
        let whole = Bytes::from([&[tag], name].concat());
        let in_key = if whole.len() <= NAME_IN_KEY_BYTES_MAX {
            whole.clone()
        } else {
            [&[HASHED], Sha256::digest(&whole).as_slice()].concat().into()
        };
        Ok(Self { whole, in_key })
    }

    /// What [`as_bytes`](Self::as_bytes) gave. `None` if these bytes are no name.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&tag, name) = bytes.split_first()?;
        let is_text = || std::str::from_utf8(name).is_ok();
        let fits = match tag {
            NAMED | KEY | OPERATORS => is_text(),
            RECORD => true,
            _ => false,
        };
        if fits { Self::tagged(tag, name).ok() } else { None }
    }

    /// The whole name, its tag in front.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.whole
    }

    /// The name as it stands in keys: itself, or its hash.
    #[must_use]
    pub fn in_key(&self) -> &[u8] {
        &self.in_key
    }

    /// The largest payload that this queue takes: a dead letter has a whole message in it.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        match self.kind() {
            NameKind::Operators => PAYLOAD_BYTES_MAX + DEAD_LETTER_HEAD_BYTES_MAX,
            _ => PAYLOAD_BYTES_MAX,
        }
    }

    /// Whose queue it is.
    #[must_use]
    pub fn kind(&self) -> NameKind {
        match self.whole[0] {
            RECORD => NameKind::Record,
            KEY => NameKind::Key,
            OPERATORS => NameKind::Operators,
            _ => NameKind::Named,
        }
    }

    /// The name without its tag: a plain name, a record id, or a session key.
    #[must_use]
    pub fn bare(&self) -> &[u8] {
        &self.whole[1..]
    }

    /// The record id, if this is the inbox of a session or VActor.
    #[must_use]
    pub fn record_id(&self) -> Option<&[u8]> {
        (self.kind() == NameKind::Record).then(|| self.bare())
    }

    /// The session key, if this is the queue of one.
    #[must_use]
    pub fn session_key(&self) -> Option<&str> {
        let key = (self.kind() == NameKind::Key).then(|| self.bare())?;
        std::str::from_utf8(key).ok()
    }
}

// The whole name says all.
impl PartialEq for QueueName {
    fn eq(&self, other: &Self) -> bool {
        self.whole == other.whole
    }
}

impl Eq for QueueName {}

impl Hash for QueueName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.whole.hash(state);
    }
}

impl PartialOrd for QueueName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueueName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.whole.cmp(&other.whole)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind() {
            NameKind::Named => "name",
            NameKind::Record => "record",
            NameKind::Key => "key",
            NameKind::Operators => "operators",
        };
        write!(f, "{kind}:{}", self.bare().escape_ascii())
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueName({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_different_kinds_are_different_queues() {
        let names = [QueueName::named("ann"), QueueName::key("ann"), QueueName::record(b"ann")];
        let names = names.map(Result::unwrap);
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
        assert_eq!(names[1].session_key(), Some("ann"));
        assert_eq!(names[2].record_id(), Some(&b"ann"[..]));
        assert_eq!(names[0].to_string(), "name:ann");
        let dead = QueueName::dead_letters();
        assert_ne!(QueueName::named("dead-letters").unwrap(), dead);
        assert_eq!(QueueName::from_bytes(dead.as_bytes()), Some(dead));
    }

    proptest! {
        #[test]
        fn every_name_that_is_taken_fits_a_key_and_is_read_back(bytes in 0..600_usize) {
            let name = "n".repeat(bytes);
            let Ok(name) = QueueName::named(&name) else {
                prop_assert!(bytes >= NAME_BYTES_MAX);
                return Ok(());
            };
            prop_assert!(name.in_key().len() <= NAME_IN_KEY_BYTES_MAX);
            prop_assert_eq!(QueueName::from_bytes(name.as_bytes()), Some(name));
        }
    }
}
