//! What a hub has done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::limits::REFUSAL_LOG_PERIOD;

/// What a hub has done since it began to serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections now, of those that have proved the secret.
    pub connections: usize,
    /// Connections that proved the secret, ever.
    pub welcomed: u64,
    /// Connections refused for a wrong secret.
    pub wrong_secrets: u64,
    /// Connections refused or given up before the proof for another reason.
    pub refused: u64,
    /// Calls begun.
    pub calls: u64,
    /// Writes of answers, each a batch.
    pub batches: u64,
    /// Connections closed because their client took no answers.
    pub stalled: u64,
    /// Connections closed because their client sent what it must not.
    pub violations: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) welcomed: AtomicU64,
    pub(crate) wrong_secrets: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) stalled: AtomicU64,
    pub(crate) violations: AtomicU64,
    /// When a refusal was last logged.
    logged: Mutex<Option<Instant>>,
}

impl Counters {
    pub(crate) fn counts(&self, connections: usize) -> Counts {
        Counts {
            connections,
            welcomed: self.welcomed.load(Relaxed),
            wrong_secrets: self.wrong_secrets.load(Relaxed),
            refused: self.refused.load(Relaxed),
            calls: self.calls.load(Relaxed),
            batches: self.batches.load(Relaxed),
            stalled: self.stalled.load(Relaxed),
            violations: self.violations.load(Relaxed),
        }
    }

    /// Counts a connection that was refused, and logs it unless another one just was.
    pub(crate) fn count_refusal(&self, counter: &AtomicU64, why: &str) {
        let count = counter.fetch_add(1, Relaxed) + 1;
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|logged| logged.elapsed() >= REFUSAL_LOG_PERIOD) {
            *logged = Some(Instant::now());
            log::warn!("hub: refused a connection: {why} ({count} so far)");
        }
    }
}
