//! One proxied connection: its plan and two pipes.
//!
//! A core without clock and sockets. The driver feeds what came (`handle_*`) and does what it asks
//! for (`poll_*`); times are since the connection's start.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::faults::{Fault, Faults, KINDS, Kind, Way};
use super::pipe::{Acted, Pipe};
use super::plan::FaultPlan;

/// A black-holed connection whose sides never close is given up after this long. It is longer than
/// any side should take to notice: a node's default is 5 s, a session lives 60 s without a
/// connection.
const HOLE_HELD_MAX: Duration = Duration::from_secs(120);

/// One of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client to the node.
    Up,
    /// From the node to the client.
    Down,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::Up, Self::Down];

    fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// How a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Both sides ended it, and were told.
    Closed,
    /// Close what is open.
    Cut,
    /// Reset what is open.
    Reset,
}

/// One proxied connection.
#[derive(Debug)]
pub(crate) struct Wire {
    connection: u64,
    plan: FaultPlan,
    pipes: [Pipe; 2],
    shut: [bool; 2],
    armed: Option<u32>,
    resetting: Option<Direction>,
    hole_until: Option<Duration>,
    begun: [bool; KINDS],
    fired: VecDeque<Kind>,
    over: Option<Over>,
}

impl Wire {
    pub(crate) fn new(faults: &Faults, connection: u64) -> Self {
        Self {
            connection,
            plan: FaultPlan::new(faults, connection, Duration::ZERO),
            pipes: Default::default(),
            shut: [false; 2],
            armed: None,
            resetting: None,
            hole_until: None,
            begun: [false; KINDS],
            // At most one of each kind can wait: `begun` is cleared when one fires.
            fired: VecDeque::new(),
            over: None,
        }
    }

    /// Time has passed.
    pub(crate) fn handle_time(&mut self, now: Duration) {
        if self.hole_until.is_some_and(|until| now >= until) {
            self.over.get_or_insert(Over::Cut);
        }
        if let Some(fault) = self.plan.handle_time(now) {
            self.handle_fault(now, fault);
        }
    }

    /// Other faults are wanted from now on. What has broken the connection is not undone.
    pub(crate) fn handle_faults(&mut self, now: Duration, faults: &Faults) {
        if !self.is_broken() {
            self.plan = FaultPlan::new(faults, self.connection, now);
        }
    }

    /// This fault happens now, unless the connection is broken or one side has ended it.
    pub(crate) fn handle_fault(&mut self, now: Duration, fault: Fault) {
        let live = Direction::BOTH.iter().all(|&way| !self.pipe(way).ended()) && !self.is_broken();
        match fault {
            Fault::Cut => {
                if live {
                    self.fired.push_back(Kind::Cut);
                }
                self.over.get_or_insert(Over::Cut);
            }
            _ if !live => {}
            Fault::Reset { point } => self.armed = Some(point),
            Fault::BlackHole(way) => {
                self.begun[fault.kind() as usize] = true;
                self.hole_until = Some(now + HOLE_HELD_MAX);
                for direction in Direction::BOTH {
                    let passes = match direction {
                        Direction::Up => way == Way::Down,
                        Direction::Down => way == Way::Up,
                    };
                    if !passes {
                        self.pipe(direction).handle_hole();
                    }
                }
                self.collect();
            }
            Fault::Delay { .. } | Fault::Throttle { .. } | Fault::Split { .. } => {
                self.begun[fault.kind() as usize] = true;
                for direction in Direction::BOTH {
                    self.pipe(direction).handle_passing(now, fault);
                }
            }
        }
    }

    /// Bytes came from the sender of that direction: at most [`Wire::space`].
    pub(crate) fn handle_bytes(&mut self, direction: Direction, now: Duration, bytes: &[u8]) {
        // A single byte cannot be cut: the reset waits for more.
        if let Some(point) = self.armed
            && bytes.len() > 1
        {
            self.armed = None;
            self.resetting = Some(direction);
            let places = bytes.len() - 1;
            let kept = 1 + usize::try_from(point).unwrap_or(usize::MAX) % places;
            self.pipe(direction).handle_bytes(now, &bytes[..kept]);
        } else {
            self.pipe(direction).handle_bytes(now, bytes);
        }
        self.collect();
    }

    /// The sender of that direction sends no more.
    pub(crate) fn handle_end(&mut self, direction: Direction) {
        self.pipe(direction).handle_end();
        self.collect();
        self.settle();
    }

    /// The sender of that direction is gone: nothing comes from it, nothing reaches it.
    pub(crate) fn handle_gone(&mut self, direction: Direction) {
        self.pipe(direction).handle_end();
        self.pipe(direction.other()).handle_lost();
        self.collect();
        if self.pipe(direction).is_silent() {
            self.settle();
        } else {
            self.over.get_or_insert(Over::Reset);
        }
    }

    /// How many bytes may come from the sender of that direction now.
    pub(crate) fn space(&mut self, direction: Direction) -> usize {
        if self.resetting.is_some() { 0 } else { self.pipe(direction).space() }
    }

    /// Bytes that may be written to the receiver of that direction now.
    pub(crate) fn poll_write(&mut self, direction: Direction, now: Duration) -> Option<&[u8]> {
        self.pipe(direction).poll_write(now)
    }

    /// So many of the polled bytes were written.
    pub(crate) fn handle_written(&mut self, direction: Direction, now: Duration, count: usize) {
        self.pipe(direction).handle_written(now, count);
        self.collect();
        if self.resetting == Some(direction) && self.pipe(direction).is_empty() {
            self.fired.push_back(Kind::Reset);
            self.over.get_or_insert(Over::Reset);
        }
    }

    /// Whether the receiver of that direction is to be told the end now. Says so once.
    pub(crate) fn poll_shutdown(&mut self, direction: Direction) -> bool {
        let pipe = self.pipe(direction);
        let wanted = pipe.ended() && pipe.is_empty() && !pipe.is_silent();
        if !wanted || self.shut[direction as usize] {
            return false;
        }
        self.shut[direction as usize] = true;
        self.settle();
        true
    }

    /// A fault that has fired since the last call.
    pub(crate) fn poll_fired(&mut self) -> Option<Kind> {
        self.collect();
        self.fired.pop_front()
    }

    /// Whether and how it is over. Then nothing else may be called.
    pub(crate) fn poll_over(&self) -> Option<Over> {
        self.over
    }

    /// When bytes for the receiver of that direction are due; `None`: none are there.
    pub(crate) fn write_at(&mut self, direction: Direction) -> Option<Duration> {
        self.pipe(direction).write_at()
    }

    /// When [`Wire::handle_time`] is to be called next.
    pub(crate) fn poll_at(&self) -> Option<Duration> {
        [self.plan.poll_at(), self.hole_until].into_iter().flatten().min()
    }

    fn pipe(&mut self, direction: Direction) -> &mut Pipe {
        match direction {
            Direction::Up => &mut self.pipes[0],
            Direction::Down => &mut self.pipes[1],
        }
    }

    fn is_broken(&self) -> bool {
        self.over.is_some() || self.resetting.is_some() || self.hole_until.is_some()
    }

    /// Counts what the pipes have done, once for each fault that began.
    fn collect(&mut self) {
        for pipe in &mut self.pipes {
            while let Some(acted) = pipe.poll_acted() {
                let kinds: &[Kind] = match acted {
                    Acted::Swallowed => &[Kind::BlackHoleUp, Kind::BlackHoleDown, Kind::BlackHole],
                    Acted::Delayed => &[Kind::Delay],
                    Acted::Throttled => &[Kind::Throttle],
                    Acted::Split => &[Kind::Split],
                };
                for &kind in kinds {
                    if std::mem::take(&mut self.begun[kind as usize]) {
                        self.fired.push_back(kind);
                    }
                }
            }
        }
    }

    fn settle(&mut self) {
        let settled = |(pipe, shut): (&Pipe, &bool)| pipe.ended() && (pipe.is_silent() || *shut);
        if self.pipes.iter().zip(&self.shut).all(settled) {
            self.over.get_or_insert(Over::Closed);
        }
    }
}
