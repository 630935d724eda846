//! What the connections between nodes count.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use throughline_link::Instant;

use crate::peers::limits::REFUSAL_LOG_PERIOD;

/// Counts of the connections between nodes, since the start of this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct PeerCounts {
    /// Authenticated connections that stand now, dialed and accepted.
    pub(crate) connections: usize,
    /// Calls of this node.
    pub(crate) calls: u64,
    /// Tells of this node.
    pub(crate) tells: u64,
    /// Tells of this node that surely or possibly were not sent.
    pub(crate) dropped: u64,
    /// Calls and tells of other nodes that were begun.
    pub(crate) handled: u64,
    /// Calls and tells of other nodes that were refused, as their incarnation is.
    pub(crate) refused_messages: u64,
    /// Connections that did not pass the handshake of this node.
    pub(crate) refused: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicUsize,
    pub(crate) calls: AtomicU64,
    pub(crate) tells: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) handled: AtomicU64,
    pub(crate) refused_messages: AtomicU64,
    refused: AtomicU64,
    /// When a line about refusals was last logged, and how many there were since.
    logged: Mutex<(Option<Instant>, u64)>,
}

/// A connection that stands, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Standing(Arc<Counters>);

impl Counters {
    pub(crate) fn counts(&self) -> PeerCounts {
        PeerCounts {
            connections: self.connections.load(Relaxed),
            calls: self.calls.load(Relaxed),
            tells: self.tells.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            handled: self.handled.load(Relaxed),
            refused_messages: self.refused_messages.load(Relaxed),
            refused: self.refused.load(Relaxed),
        }
    }

    pub(crate) fn count_connection(self: &Arc<Self>) -> Standing {
        self.connections.fetch_add(1, Relaxed);
        Standing(self.clone())
    }

    /// Counts a handshake that this node refused.
    pub(crate) fn count_refusal(&self, now: Instant, why: &dyn std::fmt::Display) {
        self.refused.fetch_add(1, Relaxed);
        self.warn(now, &format_args!("refused a connection: {why}"));
    }

    /// Logs, at most once per period: what refuses may do so often.
    pub(crate) fn warn(&self, now: Instant, what: &dyn std::fmt::Display) {
        let mut logged = self.logged.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (last, skipped) = &mut *logged;
        if last.is_some_and(|last| now.since(last) < REFUSAL_LOG_PERIOD) {
            *skipped += 1;
            return;
        }
        match std::mem::take(skipped) {
            0 => log::warn!("nodes: {what}"),
            more => log::warn!("nodes: {what} (and {more} such before)"),
        }
        *last = Some(now);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
