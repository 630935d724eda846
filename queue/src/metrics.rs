//! What a handle has done, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a handle has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Messages enqueued.
    pub enqueued: u64,
    /// Commits that took.
    pub enqueue_commits: u64,
    /// Enqueues refused since a queue, or all together, were full.
    pub full: u64,
    /// Messages returned by `dequeue_all`, with and without a token.
    pub dequeued: u64,
    /// Messages removed by `ack`.
    pub acked: u64,
    /// Expired messages that a dequeue met and removed.
    pub expired: u64,
    /// Commits that were refused since somebody else was faster with a message.
    pub contended: u64,
    /// Commits of unknown outcome that were settled.
    pub settled: u64,
    /// Rows that its sweep has read.
    pub swept_rows: u64,
    /// Expired messages that its sweep has removed.
    pub swept: u64,
    /// Bytes of their keys and values: the space that came back.
    pub swept_bytes: u64,
}

/// The same while it counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) enqueued: AtomicU64,
    pub(crate) enqueue_commits: AtomicU64,
    pub(crate) full: AtomicU64,
    pub(crate) dequeued: AtomicU64,
    pub(crate) acked: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) contended: AtomicU64,
    pub(crate) settled: AtomicU64,
    pub(crate) swept_rows: AtomicU64,
    pub(crate) swept: AtomicU64,
    pub(crate) swept_bytes: AtomicU64,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn read(&self) -> Metrics {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            enqueued: of(&self.enqueued),
            enqueue_commits: of(&self.enqueue_commits),
            full: of(&self.full),
            dequeued: of(&self.dequeued),
            acked: of(&self.acked),
            expired: of(&self.expired),
            contended: of(&self.contended),
            settled: of(&self.settled),
            swept_rows: of(&self.swept_rows),
            swept: of(&self.swept),
            swept_bytes: of(&self.swept_bytes),
        }
    }
}
