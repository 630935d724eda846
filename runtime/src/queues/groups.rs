//! Groups: who of this node is in which.
//!
//! The sessions of a node that are in a group stand in its table, so that one message to each node
//! reaches them all. For reliable messages each member has a row in the store, too, which is
//! written by the commit of the turn that joins, and deleted by that of the turn that leaves.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use throughline_cluster::RecordId;
use throughline_link::SessionId;

use super::SendReliableError;

/// Longest name of a group: it stands in a key for each member.
const NAME_BYTES_MAX: usize = 64;

/// What the rows of members begin with.
const MEMBERS: &[u8] = b"xg";

/// The name of a group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupName(Arc<str>);

impl GroupName {
    /// The group of this name. A group is there as soon as somebody is in it.
    ///
    /// # Errors
    /// [`SendReliableError::GroupName`].
    pub(crate) fn new(name: &str) -> Result<Self, SendReliableError> {
        match name.len() {
            1..=NAME_BYTES_MAX => Ok(Self(name.into())),
            bytes => Err(SendReliableError::GroupName { bytes }),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What the keys of its members' rows begin with.
    pub(crate) fn rows(&self) -> Vec<u8> {
        let length = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        [MEMBERS, &[length], self.0.as_bytes()].concat()
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupName({})", self.0.escape_debug())
    }
}

/// What the rows of all members of all groups begin with.
pub(crate) const fn all_member_rows() -> Bytes {
    Bytes::from_static(MEMBERS)
}

/// Whose row this is.
pub(crate) fn member_of(row: &[u8]) -> Option<RecordId> {
    let (length, rest) = row.strip_prefix(MEMBERS)?.split_first()?;
    RecordId::from_bytes(rest.get(usize::from(*length)..)?)
}

/// The members of groups that are on this node.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    members: Mutex<HashMap<GroupName, BTreeSet<SessionId>>>,
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, HashMap<GroupName, BTreeSet<SessionId>>> {
        // No code that can panic runs under the lock.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn join(&self, group: &GroupName, id: SessionId) {
        self.lock().entry(group.clone()).or_default().insert(id);
    }

    pub(crate) fn leave(&self, group: &GroupName, id: SessionId) {
        if let Entry::Occupied(mut entry) = self.lock().entry(group.clone()) {
            entry.get_mut().remove(&id);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    /// The members on this node.
    pub(crate) fn members(&self, group: &GroupName) -> Vec<SessionId> {
        self.lock().get(group).map(|all| all.iter().copied().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_forgotten_with_its_last_member() {
        let (groups, chat) = (Groups::default(), GroupName::new("chat").unwrap());
        let (ann, bob) = (SessionId([1; 16]), SessionId([2; 16]));
        groups.join(&chat, ann);
        groups.join(&chat, bob);
        groups.join(&chat, ann);
        assert_eq!(groups.members(&chat), [ann, bob]);
        groups.leave(&chat, ann);
        groups.leave(&chat, ann);
        assert_eq!(groups.members(&chat), [bob]);
        groups.leave(&chat, bob);
        assert!(groups.lock().is_empty());
    }

    #[test]
    fn the_rows_of_one_group_are_none_of_anothers() {
        let rows = |name: &str| GroupName::new(name).unwrap().rows();
        assert!(!rows("ab").starts_with(&rows("a")));
        assert!(GroupName::new("").is_err() && GroupName::new(&"x".repeat(65)).is_err());
    }
}
