//! The drain of a node: everything it owns is moved or parked, then it leaves.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use throughline_canary::canary;
use throughline_link::Instant;

use crate::{
    defaults::{DRAIN_AGAIN, DRAIN_CATCH_UP, DRAIN_DEADLINE, DRAIN_RATE},
    id::RecordId,
};

/// How fast a drain goes, and when it gives up.
#[derive(Debug, Clone, Copy)]
pub struct DrainConfig {
    /// Records that are begun in a second: 500 by default. Each client that is told to come back
    /// costs the other nodes a handover.
    pub rate: u32,
    /// What is left then is named and left behind.
    pub deadline: Duration,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self { rate: DRAIN_RATE, deadline: DRAIN_DEADLINE }
    }
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrainAction {
    /// Turn readiness off, and commit `draining`; answer with `handle_draining`.
    Begin,
    /// Tell the client of this record to come back elsewhere, and swap it out as its turn ends:
    /// moved if its client comes to another node first, else parked. Answer with `handle_gone` or
    /// `handle_failed`.
    Release(RecordId),
    /// Commit `left`, after a scan of the owner index; answer with `handle_left`, or, if the scan
    /// found more, with `handle_found`.
    Leave,
    /// It is over; exit with status 0 only if the report says that nothing is left.
    Over(DrainReport),
}

/// Where a drain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainProgress {
    /// Not begun yet.
    pub waiting: usize,
    /// Begun, and not gone yet.
    pub leaving: usize,
    /// Sessions at another node.
    pub moved: u64,
    /// Sessions in the store.
    pub parked: u64,
    /// Sessions that were over before they could go.
    pub ended: u64,
    /// VActors that have gone, wherever.
    pub vactors: u64,
    /// An operator has paused it.
    pub paused: bool,
}

/// How a drain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainReport {
    /// Sessions that went to another node.
    pub moved: u64,
    /// Sessions that went into the store.
    pub parked: u64,
    /// Sessions that were over before they could go.
    pub ended: u64,
    /// VActors that went to another node or into the store, or were over before.
    pub vactors: u64,
    /// Records whose state was lost: this node was thought dead meanwhile.
    pub lost: u64,
    /// Records that are still here, each with the last reason why.
    pub left: Vec<(RecordId, String)>,
    /// The node's entry says `left`: nothing names it an owner.
    pub has_left: bool,
    /// An operator stopped it.
    pub stopped: bool,
    /// How long it took.
    pub took: Duration,
    /// Half of the records were without an owner for at most this long.
    pub pause_p50: Duration,
    /// 99 of 100 records were without an owner for at most this long.
    pub pause_p99: Duration,
    /// No record was without an owner for longer.
    pub pause_max: Duration,
}

/// Where a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// To another node.
    Moved,
    /// Into the store.
    Parked,
    /// It ended.
    Ended,
    /// Others took it from a node that they thought dead, without its state.
    Lost,
}

/// How many records went where.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    moved: u64,
    parked: u64,
    ended: u64,
    vactors: u64,
    lost: u64,
}

impl Counts {
    fn add(&mut self, id: &RecordId, went: Went) {
        match went {
            Went::Lost => self.lost += 1,
            _ if id.session_id().is_none() => self.vactors += 1,
            Went::Moved => self.moved += 1,
            Went::Parked => self.parked += 1,
            Went::Ended => self.ended += 1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Beginning,
    Releasing,
    Leaving,
    Over,
}

/// A drain: a state machine without a clock.
#[derive(Debug)]
pub struct Drain {
    rate: u32,
    begun: Instant,
    /// The deadline.
    until: Instant,
    phase: Phase,
    paused: bool,
    stopped: bool,
    waiting: BTreeSet<RecordId>,
    leaving: BTreeSet<RecordId>,
    failures: BTreeMap<RecordId, String>,
    counts: Counts,
    /// One per record that went; at most what the node owned.
    pauses: Vec<Duration>,
    /// When the next record may be begun.
    next: Instant,
    /// When records that could not go may be tried again.
    again: Instant,
    actions: VecDeque<DrainAction>,
}

impl Drain {
    /// A drain that begins now.
    #[must_use]
    pub fn new(config: DrainConfig, now: Instant) -> Self {
        Self {
            rate: config.rate,
            begun: now,
            until: now + config.deadline,
            phase: Phase::Beginning,
            paused: false,
            stopped: false,
            waiting: BTreeSet::new(),
            leaving: BTreeSet::new(),
            failures: BTreeMap::new(),
            counts: Counts::default(),
            pauses: Vec::new(),
            next: now,
            again: now,
            actions: VecDeque::from([DrainAction::Begin]),
        }
    }

    /// `draining` is committed; `owned` is what the node owns. Nothing can be added any more.
    pub fn handle_draining(&mut self, owned: impl IntoIterator<Item = RecordId>, now: Instant) {
        // A node that was fenced as it was about to leave drains anew, as another incarnation: its
        // order to leave was that of the one before.
        if matches!(self.phase, Phase::Beginning | Phase::Leaving) {
            self.phase = Phase::Releasing;
            self.actions.retain(|action| *action != DrainAction::Leave);
            self.waiting.extend(owned);
            self.next = now;
            self.go_on(now);
        }
    }

    /// A record is gone; `pause` is how long nobody could act for it, as far as this node knows.
    pub fn handle_gone(&mut self, id: &RecordId, went: Went, pause: Duration, now: Instant) {
        if !self.leaving.remove(id) && !self.waiting.remove(id) {
            return;
        }
        self.failures.remove(id);
        self.counts.add(id, went);
        if matches!(went, Went::Moved | Went::Parked) {
            self.pauses.push(pause);
        }
        self.go_on(now);
    }

    /// A record could not go, and stays. It is tried again, in its turn, until the deadline.
    pub fn handle_failed(&mut self, id: &RecordId, why: &str, now: Instant) {
        if self.leaving.remove(id) {
            self.failures.insert(id.clone(), why.to_owned());
            self.waiting.insert(id.clone());
            self.again = now + DRAIN_AGAIN;
            self.go_on(now);
        }
    }

    /// The scan before `left` found records: the node was handed them before it began to drain.
    pub fn handle_found(&mut self, owned: impl IntoIterator<Item = RecordId>, now: Instant) {
        if self.phase == Phase::Leaving {
            self.phase = Phase::Releasing;
            self.waiting.extend(owned);
            self.go_on(now);
        }
    }

    /// `left` is committed, or could not be.
    pub fn handle_left(&mut self, has_left: bool, now: Instant) {
        if self.phase == Phase::Leaving {
            self.finish(has_left, now);
        }
    }

    /// Begins no further record until [`resume`](Self::resume). The deadline still holds.
    pub fn pause(&mut self) {
        self.paused = true;
        self.take_back();
    }

    /// Goes on after a pause.
    pub fn resume(&mut self, now: Instant) {
        self.paused = false;
        self.next = now;
        self.go_on(now);
    }

    /// Goes on, paused or not, at another rate and with a whole deadline from now: the node is to
    /// end, whatever was ordered of its drain before. A drain that is over stays so.
    pub fn restart(&mut self, config: DrainConfig, now: Instant) {
        if self.phase != Phase::Over {
            self.rate = config.rate;
            self.until = now + config.deadline;
            self.resume(now);
        }
    }

    /// Stops here: what has not gone stays, and the node with it. It takes nothing new, since its
    /// entry says `draining`; a restart makes it a node like any other.
    pub fn stop(&mut self, now: Instant) {
        self.stopped = true;
        self.finish(false, now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.until {
            self.finish(false, now);
        } else {
            self.go_on(now);
        }
    }

    fn go_on(&mut self, now: Instant) {
        if self.phase != Phase::Releasing {
            return;
        }
        // What the store held up is not made up for at once: the rate is that of the whole drain.
        self.next = self.next + now.since(self.next).saturating_sub(DRAIN_CATCH_UP);
        let gap = Duration::from_secs(1) / self.rate.max(1);
        while !self.paused && now >= self.next {
            // What failed before comes after what was not tried yet.
            let untried = self.waiting.iter().find(|id| !self.failures.contains_key(*id));
            let failed = self.waiting.first().filter(|_| now >= self.again);
            let Some(id) = untried.or(failed).cloned() else { break };
            self.waiting.remove(&id);
            self.leaving.insert(id.clone());
            self.next = self.next + gap;
            self.actions.push_back(DrainAction::Release(id));
        }
        if self.waiting.is_empty() && (self.leaving.is_empty() || canary!(DrainLeavesEarly)) {
            self.phase = Phase::Leaving;
            self.actions.push_back(DrainAction::Leave);
        }
    }

    /// What was to be released, and the driver has not come to, waits again.
    fn take_back(&mut self) {
        let Self { actions, leaving, waiting, .. } = self;
        actions.retain(|action| {
            let DrainAction::Release(id) = action else { return true };
            waiting.extend(leaving.take(id));
            false
        });
    }

    fn finish(&mut self, has_left: bool, now: Instant) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        self.take_back();
        // Nor does a node leave whose drain is over.
        self.actions.clear();
        self.pauses.sort_unstable();
        let rank = |percent: usize| {
            let last = self.pauses.len().saturating_sub(1);
            self.pauses.get((self.pauses.len() * percent / 100).min(last)).copied()
        };
        let why = |id: &RecordId| {
            let failed = self.failures.get(id).cloned();
            failed.unwrap_or_else(|| match self.leaving.contains(id) {
                true => "its turn or its commit did not end".to_owned(),
                false => "its turn to go did not come".to_owned(),
            })
        };
        let left = self.leaving.iter().chain(&self.waiting).map(|id| (id.clone(), why(id)));
        let Counts { moved, parked, ended, vactors, lost } = self.counts;
        let report = DrainReport {
            moved,
            parked,
            ended,
            vactors,
            lost,
            left: left.collect(),
            has_left,
            stopped: self.stopped,
            took: now.since(self.begun),
            pause_p50: rank(50).unwrap_or_default(),
            pause_p99: rank(99).unwrap_or_default(),
            pause_max: self.pauses.last().copied().unwrap_or_default(),
        };
        self.actions.push_back(DrainAction::Over(report));
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<DrainAction> {
        self.actions.pop_front()
    }

    /// When `handle_timeout` is to be called, if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Over => None,
            Phase::Releasing if !self.paused && !self.waiting.is_empty() => {
                let all_failed = self.waiting.iter().all(|id| self.failures.contains_key(id));
                let next = if all_failed { self.next.max(self.again) } else { self.next };
                Some(next.min(self.until))
            }
            _ => Some(self.until),
        }
    }

    /// Whether it has ended: its report is the last action, and no order changes it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Where it stands.
    #[must_use]
    pub fn progress(&self) -> DrainProgress {
        let Counts { moved, parked, ended, vactors, .. } = self.counts;
        DrainProgress {
            waiting: self.waiting.len(),
            leaving: self.leaving.len(),
            moved,
            parked,
            ended,
            vactors,
            paused: self.paused,
        }
    }
}
