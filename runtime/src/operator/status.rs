//! What a node does, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::DrainStatus;
use crate::{
    cluster::{Stage, SweptStatus},
    node::Shared,
    peers::PeerCounts,
    queues::QueueStatus,
};

/// What a node does. Counts are since its start.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    node: u32,
    incarnation: String,
    state: Stage,
    version: &'static str,
    sessions: usize,
    connected: usize,
    turns: u64,
    handovers_in: u64,
    handovers_out: u64,
    parked: u64,
    lost: u64,
    fenced: u64,
    load_failures: u64,
    /// VActors in memory.
    vactors: usize,
    vactors_begun: u64,
    vactors_moved: u64,
    vactors_parked: u64,
    /// Begun from nothing, since their state was lost.
    vactors_lost: u64,
    vactor_turns_failed: u64,
    /// Best-effort messages to VActors that were given up: too many waited, or it was nowhere.
    vactor_tells_lost: u64,
    large_snapshots: u64,
    /// `None` before the first.
    pause_p50_ms: Option<f64>,
    pause_p99_ms: Option<f64>,
    uptime_s: u64,
    maintenance: bool,
    store: String,
    /// What is wrong with the store, in words; `None` if nothing is known to be.
    store_trouble: Option<String>,
    /// What sweeps have cleared away.
    swept: SweptStatus,
    /// Durable messages.
    queues: QueueStatus,
    /// Connections with the other nodes.
    peers: PeerCounts,
    drain: Option<DrainStatus>,
}

impl Shared {
    /// What this node does.
    pub(crate) fn status(&self) -> Status {
        let cluster = &self.cluster;
        let (connected, sessions) = self.admission.counts();
        let member = cluster.member();
        let counts = &cluster.counts;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let turns = self
            .operator
            .pulses
            .get()
            .map_or(0, |pulses| pulses.iter().map(|pulse| pulse.turns()).sum());
        Status {
            node: self.config.cluster.node,
            incarnation: format!("{:016x}", member.incarnation),
            state: cluster.stage(),
            version: env!("CARGO_PKG_VERSION"),
            sessions,
            connected,
            turns,
            handovers_in: count(&counts.taken),
            handovers_out: count(&counts.moved),
            parked: count(&counts.parked),
            lost: count(&counts.lost),
            fenced: count(&counts.fenced),
            load_failures: count(&counts.load_failures),
            vactors: self.vactors.len(),
            vactors_begun: count(&self.vactors.counts.activated),
            vactors_moved: count(&self.vactors.counts.moved),
            vactors_parked: count(&self.vactors.counts.parked),
            vactors_lost: count(&self.vactors.counts.lost),
            vactor_turns_failed: count(&self.vactors.counts.failed_turns),
            vactor_tells_lost: count(&self.vactors.counts.lost_tells),
            large_snapshots: count(&counts.large_snapshots),
            pause_p50_ms: counts.pause(50).map(milliseconds),
            pause_p99_ms: counts.pause(99).map(milliseconds),
            uptime_s: self.clock.now().as_micros() / 1_000_000,
            maintenance: self.operator.maintenance().is_some(),
            store: cluster.store_name().to_owned(),
            store_trouble: cluster.store.about().trouble,
            swept: counts.swept.status(),
            queues: self.queues.counts.status(),
            peers: cluster.peers().map(|peers| peers.counts()).unwrap_or_default(),
            drain: self.drain_status(),
        }
    }
}

/// With microseconds, and no digits beyond them.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}
