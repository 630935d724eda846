//! One process of the cluster, as it is seen from here.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{
    process::{Ended, Process},
    role::Role,
    status::{DrainStatus, Status},
};

/// Whether a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    /// It was never started.
    Absent,
    /// It runs, and does not serve yet.
    Starting,
    /// It serves.
    Serving,
    /// It was told to stop.
    Stopping,
    /// It does not run: why, in a word or two.
    Ended(String),
}

/// A process and what is known of it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) role: Role,
    pub(super) life: Life,
    pub(super) process: Option<Process>,
    /// Counts its starts: what is said of an earlier one is not of this one.
    pub(super) start: u32,
    pub(super) started_at: Instant,
    /// Waits until it serves.
    pub(super) probe: Option<AbortHandle>,
    /// Whether it was killed from here.
    pub(super) killed: bool,
    pub(super) status: Option<Status>,
    /// Whether an answer to the last question is still to come.
    pub(super) asked: bool,
    pub(super) turns_per_s: f64,
    /// Sessions at the beginning of its drain.
    pub(super) drained_from: Option<u64>,
    status_at: Instant,
}

/// Shorter spans say nothing about a rate.
const RATE_SPAN_MIN: Duration = Duration::from_millis(100);

impl Member {
    pub(super) fn new(role: Role) -> Self {
        let now = Instant::now();
        Self {
            role,
            life: Life::Absent,
            process: None,
            start: 0,
            started_at: now,
            probe: None,
            killed: false,
            status: None,
            asked: false,
            turns_per_s: 0.0,
            drained_from: None,
            status_at: now,
        }
    }

    pub(super) fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// A process was started for it.
    pub(super) fn begin(&mut self, process: Process, probe: AbortHandle) {
        let now = Instant::now();
        *self = Self {
            life: Life::Starting,
            process: Some(process),
            start: self.start + 1,
            started_at: now,
            probe: Some(probe),
            ..Self::new(self.role)
        };
    }

    /// What the table says in its column `state`.
    pub(super) fn state(&self) -> &str {
        let reported = self.status.as_ref().map(|status| status.state.as_str());
        match &self.life {
            Life::Absent => "-",
            Life::Starting => "starting",
            // It may say more than that it serves: draining, lapsed, fenced.
            Life::Serving => reported.unwrap_or("serving"),
            Life::Stopping => reported.filter(|&state| state == "draining").unwrap_or("stopping"),
            Life::Ended(how) => how,
        }
    }

    /// Takes what the node says of itself; the result is what has changed, as events.
    pub(super) fn learn(&mut self, status: Status) -> Vec<String> {
        let now = Instant::now();
        let span = now - self.status_at;
        let before = self.status.take().unwrap_or_default();
        if span >= RATE_SPAN_MIN {
            let turns = status.turns.saturating_sub(before.turns);
            // The first status has all turns since the start.
            let is_first = before.state.is_empty();
            self.turns_per_s = if is_first { 0.0 } else { turns as f64 / span.as_secs_f64() };
            self.status_at = now;
        }
        let mut changes = Vec::new();
        if status.state != before.state && !before.state.is_empty() {
            changes.extend(match status.state.as_str() {
                "draining" => Some(format!("drain started, {} sessions", before.sessions)),
                "fenced" => Some("declared dead by the others: it drops what it held".to_owned()),
                "lapsed" => Some("its lease has lapsed: it does not act".to_owned()),
                "serving" => Some("serving again".to_owned()),
                // Its end follows at once, and says more.
                _ => None,
            });
        }
        if status.state == "draining" && self.drained_from.is_none() {
            self.drained_from = Some(status.sessions.max(before.sessions));
        }
        if status.lost > before.lost {
            changes.push(format!("{} sessions lost with their node", status.lost - before.lost));
        }
        if let Some(drain) =
            status.drain.as_ref().filter(|drain| before.drain.as_ref() != Some(drain))
        {
            changes.extend(progress(drain));
        }
        self.status = Some(status);
        changes
    }

    /// It has ended; the result is the event, and whether it ended well.
    pub(super) fn end(&mut self, ended: &Ended) -> (String, bool) {
        if let Some(probe) = self.probe.take() {
            probe.abort();
        }
        let was = std::mem::replace(&mut self.life, Life::Absent);
        (self.process, self.status, self.turns_per_s) = (None, None, 0.0);
        let (how, well) = described(ended);
        let was_stopping = was == Life::Stopping;
        let (state, event) = match was {
            _ if self.killed => ("killed".to_owned(), "killed".to_owned()),
            Life::Starting => (how.clone(), format!("did not start, {how}")),
            // It had not come so far as to mind signals, and so held nothing.
            Life::Stopping if is_terminated(ended) => ("stopped".to_owned(), "stopped".to_owned()),
            Life::Stopping if well => ("stopped".to_owned(), "stopped".to_owned()),
            // A node ends so when nothing is left in it, whoever asked for that.
            Life::Serving if well => ("drained".to_owned(), "drained".to_owned()),
            Life::Stopping => (how.clone(), format!("stopped with something left, {how}")),
            _ => (how.clone(), format!("died, {how}")),
        };
        self.life = Life::Ended(state);
        let line = match ended.last_line.as_str() {
            _ if self.killed || was_stopping && is_terminated(ended) => "",
            // Of a good end, what it says of its end.
            line if well => line.strip_prefix("stopped: ").unwrap_or_default(),
            line => line,
        };
        let separator = if line.is_empty() { "" } else { ": " };
        let well = well || self.killed || was_stopping && is_terminated(ended);
        (format!("{event}{separator}{line}"), well)
    }
}

/// Whether SIGTERM ended it, and not it itself.
fn is_terminated(ended: &Ended) -> bool {
    let signal = ended.status.and_then(|status| status.signal());
    signal == Some(rustix::process::Signal::TERM.as_raw())
}

/// How a process ended, in words, and whether its exit status is 0.
fn described(ended: &Ended) -> (String, bool) {
    let Some(status) = ended.status else { return ("status unknown".to_owned(), false) };
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "status unknown".to_owned(),
    };
    (how, status.success())
}

/// How far a drain is; `None` before anything has gone.
fn progress(drain: &DrainStatus) -> Option<String> {
    let &DrainStatus { waiting, leaving, moved, parked, vactors, ref state } = drain;
    if moved + parked + vactors == 0 {
        return None;
    }
    let paused = if state == "paused" { " (paused)" } else { "" };
    let left = waiting + leaving;
    Some(match vactors {
        0 => format!("{moved} sessions moved, {parked} parked, {left} left{paused}"),
        _ => format!(
            "{moved} sessions moved, {parked} parked, {vactors} VActors gone, {left} left{paused}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    fn ended(raw: i32, last_line: &str) -> Ended {
        let status = Some(ExitStatus::from_raw(raw));
        Ended { status, last_line: last_line.to_owned() }
    }

    fn node(life: Life) -> Member {
        Member { life, ..Member::new(Role::Node(2)) }
    }

    #[test]
    fn a_node_that_dies_by_itself_says_its_status_and_its_last_line() {
        let mut member = node(Life::Serving);
        let (event, well) = member.end(&ended(101 << 8, "panicked at a wall"));
        assert_eq!(event, "died, exit status 101: panicked at a wall");
        assert!(!well);
        assert_eq!(member.state(), "exit status 101");
        let (event, _) = node(Life::Serving).end(&ended(9, ""));
        assert_eq!(event, "died, signal 9");
    }

    #[test]
    fn an_end_that_was_asked_for_is_no_death() {
        let mut killed = Member { killed: true, ..node(Life::Serving) };
        assert_eq!(killed.end(&ended(9, "serving")), ("killed".to_owned(), true));
        let (event, well) = node(Life::Stopping).end(&ended(0, "stopped: 0 left"));
        assert_eq!((event.as_str(), well), ("stopped: 0 left", true));
        let (event, well) = node(Life::Stopping).end(&ended(1 << 8, "3 left"));
        assert_eq!(event, "stopped with something left, exit status 1: 3 left");
        assert!(!well);
    }

    #[test]
    fn a_drain_is_told_from_its_start() {
        let mut member = node(Life::Serving);
        let serving = Status { state: "serving".to_owned(), sessions: 27, ..Status::default() };
        assert!(member.learn(serving.clone()).is_empty());
        let draining = Status { state: "draining".to_owned(), sessions: 9, ..serving };
        assert_eq!(member.learn(draining), ["drain started, 27 sessions"]);
        assert_eq!((member.state(), member.drained_from), ("draining", Some(27)));
        // VActors are gone while sessions still wait for their turn.
        let drain = DrainStatus { waiting: 20, vactors: 3, ..DrainStatus::default() };
        let status = member.status.clone().unwrap();
        let gone = member.learn(Status { drain: Some(drain), ..status });
        assert_eq!(gone, ["0 sessions moved, 0 parked, 3 VActors gone, 20 left"]);
        let (event, well) = member.end(&ended(0, ""));
        assert_eq!((event.as_str(), well), ("drained", true));
    }
}
