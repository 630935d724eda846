//! Ordering a drain, and how far it is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use throughline_cluster::DrainReport;

use super::status::milliseconds;
use crate::{
    cluster::{DrainOrder, Stage},
    node::Shared,
};

/// What is left is named; of more than so many records, only the number.
const LEFT_NAMED_MAX: usize = 1_000;

/// A drain, as operators see it.
#[derive(Debug, Serialize)]
pub(crate) struct DrainStatus {
    state: DrainState,
    waiting: usize,
    leaving: usize,
    moved: u64,
    parked: u64,
    ended: u64,
    report: Option<ReportStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum DrainState {
    None,
    /// It is asked for, and has not looked at the sessions yet.
    Ordered,
    Running,
    Paused,
    Over,
}

/// How a drain ended.
#[derive(Debug, Serialize)]
pub(crate) struct ReportStatus {
    moved: u64,
    parked: u64,
    ended: u64,
    left: Vec<LeftStatus>,
    left_count: usize,
    has_left: bool,
    stopped: bool,
    took_ms: f64,
    pause_p50_ms: f64,
    pause_p99_ms: f64,
}

#[derive(Debug, Serialize)]
struct LeftStatus {
    record: String,
    why: String,
}

impl From<&DrainReport> for ReportStatus {
    fn from(report: &DrainReport) -> Self {
        let named = report.left.iter().take(LEFT_NAMED_MAX);
        Self {
            moved: report.moved,
            parked: report.parked,
            ended: report.ended,
            left: named
                .map(|(id, why)| LeftStatus { record: id.to_string(), why: why.clone() })
                .collect(),
            left_count: report.left.len(),
            has_left: report.has_left,
            stopped: report.stopped,
            took_ms: milliseconds(report.took),
            pause_p50_ms: milliseconds(report.pause_p50),
            pause_p99_ms: milliseconds(report.pause_p99),
        }
    }
}

impl DrainStatus {
    const fn empty(state: DrainState) -> Self {
        Self { state, waiting: 0, leaving: 0, moved: 0, parked: 0, ended: 0, report: None }
    }

    /// Where there is none.
    pub(crate) const fn none() -> Self {
        Self::empty(DrainState::None)
    }
}

/// Why a drain is not begun, paused, resumed or stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DrainNo {
    #[error(
        "the store `{0}` does not outlive this process, so there is nowhere to move its sessions: \
         stop the node with SIGTERM, or set store.at"
    )]
    NothingOutlives(String),
    #[error("the node has not joined its cluster: it is {0}; ask again when it serves")]
    NotServing(Stage),
    #[error("the drain is over; GET /drain has its report")]
    Over,
    #[error("no drain is under way")]
    NoDrain,
}

impl Shared {
    /// How far the drain is; `None` if none was begun.
    pub(crate) fn drain_status(&self) -> Option<DrainStatus> {
        let drain = &self.cluster.drain;
        let is_ordered = self.operator.drain_ordered.load(Ordering::Relaxed)
            || self.cluster.stage() == Stage::Draining;
        Some(match (drain.report(), drain.progress()) {
            (Some(report), _) => {
                let mut status = DrainStatus::empty(DrainState::Over);
                (status.moved, status.parked) = (report.moved, report.parked);
                status.ended = report.ended;
                status.report = Some(ReportStatus::from(&report));
                status
            }
            (None, Some(progress)) => DrainStatus {
                waiting: progress.waiting,
                leaving: progress.leaving,
                moved: progress.moved,
                parked: progress.parked,
                ended: progress.ended,
                ..DrainStatus::empty(match progress.paused {
                    true => DrainState::Paused,
                    false => DrainState::Running,
                })
            },
            (None, None) if is_ordered => DrainStatus::empty(DrainState::Ordered),
            (None, None) => return None,
        })
    }

    /// Begins to drain this node. One that is under way goes on as it was begun.
    pub(crate) fn start_drain(
        &self,
        rate: Option<u32>,
        deadline: Option<Duration>,
    ) -> Result<(), DrainNo> {
        if !self.cluster.is_durable() {
            return Err(DrainNo::NothingOutlives(self.cluster.store_name().to_owned()));
        }
        if self.cluster.drain.report().is_some() {
            return Err(DrainNo::Over);
        }
        match self.cluster.stage() {
            Stage::Serving | Stage::Draining => {}
            other => return Err(DrainNo::NotServing(other)),
        }
        if !self.operator.drain_ordered.swap(true, Ordering::Relaxed) {
            log::info!("operator: drain");
            self.cluster.drain.order(DrainOrder::Start { rate, deadline });
        }
        Ok(())
    }

    /// Pauses, resumes or stops the drain that is under way.
    pub(crate) fn change_drain(&self, order: DrainOrder) -> Result<(), DrainNo> {
        if self.cluster.drain.report().is_some() {
            return Err(DrainNo::Over);
        }
        if self.drain_status().is_none() {
            return Err(DrainNo::NoDrain);
        }
        log::info!("operator: drain: {order:?}");
        self.cluster.drain.order(order);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use throughline_cluster::RecordId;
    use throughline_link::SessionId;

    use super::*;

    #[test]
    fn a_report_names_what_is_left_and_counts_the_rest() {
        let id = |n: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            RecordId::session(SessionId(id))
        };
        let why = "its turn did not end".to_owned();
        let report = DrainReport {
            moved: 5,
            parked: 6,
            ended: 7,
            left: (0..1_200).map(|n| (id(n), why.clone())).collect(),
            has_left: false,
            stopped: true,
            took: Duration::from_secs(60),
            pause_p50: Duration::from_micros(2_500),
            pause_p99: Duration::from_millis(40),
        };
        let value = serde_json::to_value(ReportStatus::from(&report)).unwrap();
        assert_eq!(value["left"].as_array().unwrap().len(), LEFT_NAMED_MAX);
        assert_eq!(value["left_count"], 1_200);
        assert!(value["left"][0]["record"].as_str().unwrap().starts_with("session 0000"));
        assert_eq!(value["pause_p50_ms"], 2.5);
        assert_eq!(value["took_ms"], 60_000.0);
    }
}
