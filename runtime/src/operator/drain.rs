//! Ordering a drain, and how far it is.

use std::time::Duration;

use serde::Serialize;
use throughline_cluster::DrainReport;

use crate::{
    cluster::{DrainOrder, Stage},
    node::{Shared, StopReport},
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
    vactors: u64,
    /// An operator stopped it.
    stopped: bool,
    report: Option<StopReport>,
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

/// How a drain ended, as the node itself prints it at its end, but for the number of names.
fn report_of(report: &DrainReport) -> StopReport {
    let mut shown = StopReport::of(report);
    shown.left_sessions.truncate(LEFT_NAMED_MAX);
    shown
}

impl DrainStatus {
    const fn empty(state: DrainState) -> Self {
        Self {
            state,
            waiting: 0,
            leaving: 0,
            moved: 0,
            parked: 0,
            ended: 0,
            vactors: 0,
            stopped: false,
            report: None,
        }
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
    #[error(
        "the drain is over, and GET /drain has its report; SIGTERM drains what it left once more, \
         and ends the process"
    )]
    Over,
    #[error("no drain is under way")]
    NoDrain,
}

impl Shared {
    /// Whether a drain is ordered that is not over.
    pub(super) fn has_drain_ahead(&self) -> bool {
        self.cluster.drain.is_ordered() && self.cluster.drain.report().is_none()
    }

    /// How far the drain is; `None` if none was begun.
    pub(crate) fn drain_status(&self) -> Option<DrainStatus> {
        let drain = &self.cluster.drain;
        let is_ordered = drain.is_ordered() || self.cluster.stage() == Stage::Draining;
        Some(match (drain.report(), drain.progress()) {
            (Some(report), _) => {
                let mut status = DrainStatus::empty(DrainState::Over);
                (status.moved, status.parked) = (report.moved, report.parked);
                (status.ended, status.stopped) = (report.ended, report.stopped);
                status.vactors = report.vactors;
                status.report = Some(report_of(&report));
                status
            }
            // It counts nothing before its beginning is committed.
            (None, Some(_)) if self.cluster.stage() == Stage::Serving => {
                DrainStatus::empty(DrainState::Ordered)
            }
            (None, Some(progress)) => DrainStatus {
                waiting: progress.waiting,
                leaving: progress.leaving,
                moved: progress.moved,
                parked: progress.parked,
                ended: progress.ended,
                vactors: progress.vactors,
                ..DrainStatus::empty(match progress.paused {
                    true => DrainState::Paused,
                    false => DrainState::Running,
                })
            },
            (None, None) if is_ordered => DrainStatus::empty(DrainState::Ordered),
            (None, None) => return None,
        })
    }

    /// Begins to drain this node. One that is under way goes on as it was begun. Where it then
    /// stands.
    pub(crate) fn start_drain(
        &self,
        rate: Option<u32>,
        deadline: Option<Duration>,
    ) -> Result<DrainStatus, DrainNo> {
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
        // Operators are answered by one thread, so nobody orders one in between.
        if let Some(status) = self.drain_status() {
            return Ok(status);
        }
        log::info!("operator: drain");
        self.cluster.drain.order(DrainOrder::Start { rate, deadline });
        Ok(DrainStatus::empty(DrainState::Ordered))
    }

    /// Pauses, resumes or stops the drain that is under way.
    pub(crate) fn change_drain(&self, order: DrainOrder) -> Result<DrainStatus, DrainNo> {
        if self.cluster.drain.report().is_some() {
            return Err(DrainNo::Over);
        }
        let mut status = self.drain_status().ok_or(DrainNo::NoDrain)?;
        log::info!("operator: drain: {order:?}");
        self.cluster.drain.order(order);
        // As it is in a moment: orders are obeyed in turn, before a further session is begun.
        match (order, status.state) {
            (DrainOrder::Pause, DrainState::Running) => status.state = DrainState::Paused,
            (DrainOrder::Resume, DrainState::Paused) => status.state = DrainState::Running,
            (DrainOrder::Stop, _) => status.stopped = true,
            _ => {}
        }
        Ok(status)
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
            vactors: 3,
            lost: 0,
            left: (0..1_200).map(|n| (id(n), why.clone())).collect(),
            has_left: false,
            stopped: true,
            took: Duration::from_secs(60),
            pause_p50: Duration::from_micros(2_500),
            pause_p99: Duration::from_millis(40),
            pause_max: Duration::from_millis(55),
        };
        let value = serde_json::to_value(report_of(&report)).unwrap();
        assert_eq!(value["left_sessions"].as_array().unwrap().len(), LEFT_NAMED_MAX);
        assert_eq!(value["left"], 1_200);
        assert_eq!((&value["vactors"], &value["lost"]), (&3.into(), &0.into()));
        assert_eq!(value["pause_max_ms"], 55.0);
        assert!(value["left_sessions"][0][0].as_str().unwrap().starts_with("session 0000"));
    }
}
