//! What nodes answer. Fields that an older node does not have are empty.

use serde::Deserialize;

/// `GET /status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) node: u32,
    pub(crate) state: String,
    pub(crate) sessions: u64,
    pub(crate) vactors: u64,
    pub(crate) connected: u64,
    pub(crate) handovers_in: u64,
    pub(crate) handovers_out: u64,
    pub(crate) parked: u64,
    pub(crate) lost: u64,
    pub(crate) pause_p99_ms: Option<f64>,
    pub(crate) uptime_s: u64,
    pub(crate) maintenance: bool,
    pub(crate) version: String,
    pub(crate) store_trouble: Option<String>,
    pub(crate) swept: Swept,
    pub(crate) queues: Queues,
    pub(crate) drain: Option<Drain>,
}

/// What sweeps have cleared away.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Swept {
    pub(crate) ended: u64,
    pub(crate) expired: u64,
    pub(crate) of_the_dead: u64,
    pub(crate) nodes: u64,
    pub(crate) members: u64,
}

/// What became of durable messages.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Queues {
    pub(crate) enqueued: u64,
    pub(crate) full: u64,
    pub(crate) handled: u64,
    pub(crate) pokes_lost: u64,
    pub(crate) dead_letters: u64,
    pub(crate) dead_letters_dropped: u64,
    pub(crate) dead_letters_lost: u64,
    pub(crate) swept: u64,
    pub(crate) swept_bytes: u64,
}

/// `GET /drain`.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Drain {
    /// `none`, `ordered`, `running`, `paused` or `over`.
    pub(crate) state: String,
    pub(crate) waiting: u64,
    pub(crate) leaving: u64,
    pub(crate) moved: u64,
    pub(crate) parked: u64,
    pub(crate) ended: u64,
    pub(crate) vactors: u64,
    /// An operator stopped it.
    pub(crate) stopped: bool,
    pub(crate) report: Option<DrainReport>,
}

impl Drain {
    pub(crate) const fn gone(&self) -> u64 {
        self.moved + self.parked + self.ended + self.vactors
    }

    pub(crate) const fn to_go(&self) -> u64 {
        self.waiting + self.leaving
    }
}

/// How a drain ended.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct DrainReport {
    pub(crate) moved: u64,
    pub(crate) parked: u64,
    pub(crate) ended: u64,
    /// How many were left behind; some or all of them are named.
    pub(crate) left: u64,
    /// A record, and why it is still there.
    pub(crate) left_sessions: Vec<(String, String)>,
    /// Whether the cluster knows that the node has left.
    pub(crate) has_left: bool,
    pub(crate) took_s: f64,
    pub(crate) pause_p50_ms: f64,
    pub(crate) pause_p99_ms: f64,
    pub(crate) pause_max_ms: f64,
    pub(crate) vactors: u64,
    pub(crate) lost: u64,
}

impl DrainReport {
    /// As the node's own exit status has it.
    pub(crate) const fn is_clean(&self) -> bool {
        self.left == 0 && self.lost == 0 && self.has_left
    }
}

/// `GET /sessions`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sessions {
    pub(crate) sessions: Vec<SessionRow>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<String>,
}

/// One session.
#[derive(Debug, Default, Deserialize, serde::Serialize)]
#[serde(default)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) key: Option<String>,
}
