//! What a store has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Groups written, each with one sync.
    pub groups: u64,
    /// Commits answered `Ok`.
    pub commits: u64,
    /// Records written or deleted by them.
    pub records: u64,
    /// Commits answered `Refused`: stale headers, lost races.
    pub refused: u64,
    /// Times that a write or sync failed and the store was closed.
    pub failures: u64,
    /// Times that it was opened anew after that.
    pub reopened: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) reopened: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            groups: read(&self.groups),
            commits: read(&self.commits),
            records: read(&self.records),
            refused: read(&self.refused),
            failures: read(&self.failures),
            reopened: read(&self.reopened),
        }
    }
}

pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
