//! What a store has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Transactions that were committed.
    pub groups: u64,
    /// Commits answered `Ok`.
    pub commits: u64,
    /// Records written or deleted by them.
    pub records: u64,
    /// Commits answered `Refused`: stale headers, lost races.
    pub refused: u64,
    /// Commits answered `Unknown`.
    pub unknown: u64,
    /// Transactions that were tried again: the server did not serialize them, or their connection
    /// broke and they had not landed.
    pub repeated: u64,
    /// Transactions whose answer was lost, and of which it was found out what became of them.
    pub resolved: u64,
    /// Connections that were opened.
    pub connections: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) resolved: AtomicU64,
    pub(crate) connections: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            groups: read(&self.groups),
            commits: read(&self.commits),
            records: read(&self.records),
            refused: read(&self.refused),
            unknown: read(&self.unknown),
            repeated: read(&self.repeated),
            resolved: read(&self.resolved),
            connections: read(&self.connections),
        }
    }
}

pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
