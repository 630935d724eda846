//! What happened to durable messages on this node, for operators.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;
use throughline_queue::Swept;

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct QueueCounts {
    /// Messages that turns of this node, and those outside, enqueued.
    pub(crate) enqueued: AtomicU64,
    /// Messages that were not, since a queue was full.
    pub(crate) full: AtomicU64,
    /// Messages that were handled here.
    pub(crate) handled: AtomicU64,
    /// Messages that others had taken before.
    pub(crate) missed: AtomicU64,
    /// Pokes of other nodes that were answered.
    pub(crate) poked: AtomicU64,
    /// Pokes that nobody answered: the regular look finds what they were for.
    pub(crate) pokes_lost: AtomicU64,
    /// Messages to members of groups that were not delivered.
    pub(crate) group_lost: AtomicU64,
    /// Messages that nobody could handle, and that are dead letters now.
    pub(crate) dead_letters: AtomicU64,
    /// Dead letters that made room for others.
    pub(crate) dead_letters_dropped: AtomicU64,
    /// Messages that nobody could handle, and that could not be written as dead letters either.
    pub(crate) dead_letters_lost: AtomicU64,
    swept_rows: AtomicU64,
    swept: AtomicU64,
    swept_bytes: AtomicU64,
}

/// The same at a moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct QueueStatus {
    enqueued: u64,
    full: u64,
    handled: u64,
    missed: u64,
    poked: u64,
    pokes_lost: u64,
    group_lost: u64,
    dead_letters: u64,
    dead_letters_dropped: u64,
    dead_letters_lost: u64,
    swept_rows: u64,
    swept: u64,
    swept_bytes: u64,
}

impl QueueCounts {
    pub(crate) fn add_swept(&self, swept: &Swept) {
        self.swept_rows.fetch_add(swept.looked_at, Relaxed);
        self.swept.fetch_add(swept.removed, Relaxed);
        self.swept_bytes.fetch_add(swept.removed_bytes, Relaxed);
    }

    pub(crate) fn status(&self) -> QueueStatus {
        QueueStatus {
            enqueued: self.enqueued.load(Relaxed),
            full: self.full.load(Relaxed),
            handled: self.handled.load(Relaxed),
            missed: self.missed.load(Relaxed),
            poked: self.poked.load(Relaxed),
            pokes_lost: self.pokes_lost.load(Relaxed),
            group_lost: self.group_lost.load(Relaxed),
            dead_letters: self.dead_letters.load(Relaxed),
            dead_letters_dropped: self.dead_letters_dropped.load(Relaxed),
            dead_letters_lost: self.dead_letters_lost.load(Relaxed),
            swept_rows: self.swept_rows.load(Relaxed),
            swept: self.swept.load(Relaxed),
            swept_bytes: self.swept_bytes.load(Relaxed),
        }
    }
}
