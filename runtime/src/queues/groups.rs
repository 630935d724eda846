//! Groups: who of this node is in which.
//!
//! The sessions of a node that are in a group stand in its table, so that one message to each node
//! reaches them all. For reliable messages each member has a row in the store, too, which is
//! written by the commit of the turn that joins, and deleted by that of the turn that leaves.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use throughline_link::{Instant, SessionId};

use super::SendReliableError;

/// Longest name of a group: it stands in a key for each member.
const NAME_BYTES_MAX: usize = 64;

/// What the rows of members begin with.
const MEMBERS: &[u8] = b"xg";

/// How often a node looks for members of a group that are no more: each is a read.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Groups whose last look is remembered, at most: beyond that all are forgotten, and looked at once
/// more.
const TIDIED_MAX: usize = 4096;

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

/// The members of groups that are on this node.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    members: Mutex<HashMap<GroupName, BTreeSet<SessionId>>>,
    tidied: Mutex<HashMap<GroupName, Instant>>,
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

    /// Whether it is time to look for members that are no more. Whoever hears yes does so.
    pub(crate) fn is_due(&self, group: &GroupName, now: Instant) -> bool {
        let mut tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
        if tidied.get(group).is_some_and(|last| now < *last + TIDY_EVERY) {
            return false;
        }
        if tidied.len() >= TIDIED_MAX {
            tidied.clear();
        }
        tidied.insert(group.clone(), now);
        true
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

    #[test]
    fn members_that_are_no_more_are_looked_for_now_and_then() {
        let (groups, chat) = (Groups::default(), GroupName::new("chat").unwrap());
        let at = |s: u64| Instant::from_micros(s * 1_000_000);
        assert!(groups.is_due(&chat, at(100)));
        assert!(!groups.is_due(&chat, at(159)));
        assert!(groups.is_due(&chat, at(160)));
    }
}
