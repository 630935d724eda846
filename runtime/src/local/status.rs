//! What a node says of itself: `GET /status`.

use serde::Deserialize;

/// The part of a node's status that is shown. What a node does not say counts as nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) state: String,
    pub(super) sessions: u64,
    pub(super) vactors: u64,
    /// Since its start.
    pub(super) turns: u64,
    /// Sessions that came from other nodes or from the store.
    pub(super) handovers_in: u64,
    pub(super) lost: u64,
    pub(super) pause_p99_ms: Option<f64>,
    pub(super) drain: Option<DrainStatus>,
}

/// How far a drain is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct DrainStatus {
    pub(super) waiting: u64,
    pub(super) leaving: u64,
    pub(super) moved: u64,
    pub(super) parked: u64,
    /// Gone, to another node or into the store.
    pub(super) vactors: u64,
    /// `running`, `paused`, `over`.
    pub(super) state: String,
}
