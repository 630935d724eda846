//! A node stops: it is drained, or, without a store that outlives it, ends its sessions.

use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use throughline_cluster::DrainReport;
use throughline_link::CloseCode;

use crate::{
    actor::ToSession,
    cluster::{DrainOrder, Order, Stage},
    environment::Spawner,
    node::{RunningNode, Shared},
};

/// How often a stopping node looks whether its sessions have ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What became of the sessions when a node stopped.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StopReport {
    /// Sessions that went to another node, to which their clients had come.
    pub moved: u64,
    /// Sessions that were written into the store, for their clients to come back to.
    pub parked: u64,
    /// Sessions that ended: with `NodeStopped`, if the store outlives nothing.
    pub ended: usize,
    /// VActors that went to another node or into the store, or ended before.
    pub vactors: u64,
    /// Sessions and VActors whose state was lost: the node was thought dead meanwhile.
    pub lost: u64,
    /// Sessions and VActors that were still here at the deadline.
    pub left: usize,
    /// Those, each with the reason why it is still here.
    pub left_sessions: Vec<(String, String)>,
    /// Whether the cluster knows that the node has left.
    pub has_left: bool,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// Half of the sessions were without an owner for at most this long, in milliseconds, as far
    /// as this node knows: until they were committed.
    pub pause_p50_ms: f64,
    /// The same of 99 in 100.
    pub pause_p99_ms: f64,
    /// The longest of them.
    pub pause_max_ms: f64,
}

impl StopReport {
    /// The report of a drain.
    pub(crate) fn of(report: &DrainReport) -> Self {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        Self {
            moved: report.moved,
            parked: report.parked,
            ended: usize::try_from(report.ended).unwrap_or(usize::MAX),
            vactors: report.vactors,
            lost: report.lost,
            left: report.left.len(),
            left_sessions: report
                .left
                .iter()
                .map(|(id, why)| (id.to_string(), why.clone()))
                .collect(),
            has_left: report.has_left,
            took_s: report.took.as_secs_f64(),
            pause_p50_ms: millis(report.pause_p50),
            pause_p99_ms: millis(report.pause_p99),
            pause_max_ms: millis(report.pause_max),
        }
    }

    /// Whether nothing was lost: the exit status is 0 only then.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left == 0 && self.lost == 0 && self.has_left
    }
}

impl RunningNode {
    /// Stops the node. With a store that outlives it: drains it, for `drain.deadline` (60 s) at
    /// most; what cannot go is named, and left. Else: ends every session with `NodeStopped`, and
    /// waits for their `destroyed` hooks and last messages, for `node.shutdown-time` (10 s) at
    /// most.
    pub fn stop(mut self) -> StopReport {
        let report = if self.shared.cluster.is_durable() && !self.has_drained() {
            self.drain()
        } else if let Some(report) = self.shared.cluster.drain.report() {
            StopReport::of(&report)
        } else {
            self.end_sessions()
        };
        self.wait_for_goodbyes();
        self.end();
        report
    }

    /// Whether an operator has drained the node: then only its exit is left to do.
    #[must_use]
    pub fn has_drained(&self) -> bool {
        has_drained(&self.shared)
    }

    /// Where a drain stands: sessions that are still here, and those that have gone.
    #[must_use]
    pub fn drain_progress(&self) -> Option<(usize, u64)> {
        self.progress()()
    }

    /// The same, for whoever watches a node that stops.
    pub(super) fn progress(&self) -> impl Fn() -> Option<(usize, u64)> + use<> {
        let node = Arc::clone(&self.shared);
        move || {
            let progress = node.cluster.drain.progress()?;
            let gone = progress.moved + progress.parked + progress.ended + progress.vactors;
            Some((progress.waiting + progress.leaving, gone))
        }
    }

    /// Whether the store outlives the process, so that a stop is a drain.
    pub(super) fn is_durable(&self) -> bool {
        self.shared.cluster.is_durable()
    }

    /// Drains the node, as SIGTERM does, and leaves it running. Blocks until that is done: a node
    /// on the caller's own thread ([`NodeHere`](crate::NodeHere)) cannot be drained so, and only
    /// begins to.
    pub fn drain(&self) -> StopReport {
        let node = Arc::clone(&self.shared);
        if matches!(node.cluster.handle(), Spawner::Here(_)) {
            node.cluster.drain.order(DrainOrder::Start { rate: None, deadline: None });
            return StopReport::default();
        }
        let (told, tells) = mpsc::sync_channel(1);
        node.cluster.drain.order(DrainOrder::Start { rate: None, deadline: None });
        self.shared.cluster.handle().spawn(async move {
            node.cluster.drain.ended().await;
            let _ = told.send(());
        });
        // It ends by its own deadline.
        let _ = tells.recv();
        let report = self.shared.cluster.drain.report();
        report.as_ref().map(StopReport::of).unwrap_or_default()
    }

    /// Ended sessions may still tell their clients so.
    fn wait_for_goodbyes(&self) {
        self.shared.stopping.send_replace(true);
        let deadline = Instant::now() + self.shared.config.node.shutdown_time;
        // What sessions sent to other nodes in their last turns is delivered, too.
        let goes_on = || self.shared.admission.counts().0 > 0 || self.shared.cluster.has_errands();
        while goes_on() && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
    }

    fn end_sessions(&self) -> StopReport {
        let sessions = self.shared.admission.counts().1;
        self.shared.stopping.send_replace(true);
        let deadline = Instant::now() + self.shared.config.node.shutdown_time;
        let mut told = HashSet::new();
        let left = loop {
            // Again and again: a login that was under way becomes a session after the first look.
            for (id, actor) in self.shared.directory.all() {
                let end = ToSession::End(CloseCode::NodeStopped);
                if !told.contains(&id) && actor.try_send(end).is_ok() {
                    told.insert(id);
                }
            }
            let (links, left) = self.shared.admission.counts();
            if left == 0 && links == 0 || Instant::now() >= deadline {
                break left;
            }
            thread::sleep(LOOK_EVERY);
        };
        let ended = sessions.saturating_sub(left);
        StopReport { ended, left, has_left: true, ..StopReport::default() }
    }
}

fn has_drained(node: &Shared) -> bool {
    node.cluster.stage() == Stage::Left && node.cluster.drain.report().is_some()
}

/// Drains a node on its caller's thread, waits for its goodbyes, and ends its lease.
pub(super) async fn stop_here(node: Arc<Shared>) -> StopReport {
    let cluster = &node.cluster;
    // What a drain that was stopped or failed has left is drained once more.
    if !has_drained(&node) {
        cluster.drain.order(DrainOrder::Start { rate: None, deadline: None });
        cluster.drain.ended().await;
    }
    let report = cluster.drain.report().as_ref().map(StopReport::of).unwrap_or_default();
    node.stopping.send_replace(true);
    let goodbyes = async {
        while node.admission.counts().0 > 0 || cluster.has_errands() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // What has not left by then is dropped, as at every stop.
    let _ = tokio::time::timeout(node.config.node.shutdown_time, goodbyes).await;
    cluster.order(Order::Stop);
    report
}
