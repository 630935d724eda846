//! What this node's sweeps have cleared away, for operators: no table grows with what is over.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct SweptCounts {
    ended: AtomicU64,
    expired: AtomicU64,
    of_the_dead: AtomicU64,
    nodes: AtomicU64,
    members: AtomicU64,
}

/// The same, as it is told.
#[derive(Debug, Serialize)]
pub(crate) struct SweptStatus {
    /// Records removed with their index rows: what has ended, and parked sessions whose time was
    /// over and that have no last hook.
    ended: u64,
    /// Parked sessions whose last hook was run, since their time was over.
    expired: u64,
    /// Records of nodes that are gone, parked or ended.
    of_the_dead: u64,
    /// Entries of nodes that are gone, and owned nothing any more, with what was asked of them.
    nodes: u64,
    /// Members of groups that had ended.
    members: u64,
}

impl SweptCounts {
    pub(super) fn add_ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_of_the_dead(&self) {
        self.of_the_dead.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_node(&self) {
        self.nodes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_members(&self, count: usize) {
        self.members.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn status(&self) -> SweptStatus {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SweptStatus {
            ended: read(&self.ended),
            expired: read(&self.expired),
            of_the_dead: read(&self.of_the_dead),
            nodes: read(&self.nodes),
            members: read(&self.members),
        }
    }
}
