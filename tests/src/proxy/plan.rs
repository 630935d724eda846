//! Which fault comes when, from a seed.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use super::faults::{Fault, Faults, Kind, Way};

/// Spreads connection numbers over the seeds of their generators, so that neighbours share nothing
/// (the odd constant of Fibonacci hashing: 2^64 divided by the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The faults of one connection, one after the other. It has no clock: times are since the
/// connection's start and come from the caller. The same seed and connection number give the same
/// faults.
#[derive(Debug)]
pub struct FaultPlan {
    faults: Faults,
    random: Rng,
    next_at: Option<Duration>,
}

impl FaultPlan {
    /// The plan of the connection of that number, made at `now`.
    pub fn new(faults: &Faults, connection: u64, now: Duration) -> Self {
        let random = Rng::with_seed(faults.seed ^ connection.wrapping_add(1).wrapping_mul(SPREAD));
        let mut plan = Self { faults: faults.clone(), random, next_at: None };
        plan.schedule(now);
        plan
    }

    /// When [`FaultPlan::handle_time`] has something to say; `None`: never again.
    pub fn poll_at(&self) -> Option<Duration> {
        self.next_at
    }

    /// The fault that is due at `now`, if one is. After one that breaks the connection there is
    /// none.
    pub fn handle_time(&mut self, now: Duration) -> Option<Fault> {
        if self.next_at.is_none_or(|at| now < at) {
            return None;
        }
        self.next_at = None;
        let kind = self.draw_kind()?;
        let fault = self.draw_fault(kind);
        if !kind.breaks() {
            self.schedule(now + fault.lasting());
        }
        Some(fault)
    }

    fn schedule(&mut self, from: Duration) {
        if self.weights() > 0 {
            let every = self.faults.every.clone();
            self.next_at = Some(from + self.draw_duration(&every));
        }
    }

    fn weights(&self) -> u32 {
        self.faults.kinds.iter().map(|(_, weight)| weight).sum()
    }

    fn draw_kind(&mut self) -> Option<Kind> {
        let mut drawn = self.random.u32(0..self.weights());
        for &(kind, weight) in &self.faults.kinds {
            if drawn < weight {
                return Some(kind);
            }
            drawn -= weight;
        }
        None
    }

    fn draw_fault(&mut self, kind: Kind) -> Fault {
        let lasting = self.faults.lasting.clone();
        match kind {
            Kind::Cut => Fault::Cut,
            Kind::Reset => Fault::Reset { point: self.random.u32(..) },
            Kind::BlackHoleUp => Fault::BlackHole(Way::Up),
            Kind::BlackHoleDown => Fault::BlackHole(Way::Down),
            Kind::BlackHole => Fault::BlackHole(Way::Both),
            Kind::Delay => {
                let delay = self.faults.delay.clone();
                Fault::Delay {
                    by: self.draw_duration(&delay),
                    lasting: self.draw_duration(&lasting),
                }
            }
            Kind::Throttle => {
                let Range { start, end } = self.faults.bytes_per_s;
                let bytes_per_s = self.random.u32(start..end.max(start.saturating_add(1)));
                Fault::Throttle {
                    bytes_per_s: bytes_per_s.max(1),
                    lasting: self.draw_duration(&lasting),
                }
            }
            Kind::Split => Fault::Split { lasting: self.draw_duration(&lasting) },
        }
    }

    /// A duration of the range, to the microsecond; its start if the range is empty.
    fn draw_duration(&mut self, range: &Range<Duration>) -> Duration {
        let width = range.end.saturating_sub(range.start).as_micros();
        let width = u64::try_from(width).unwrap_or(u64::MAX);
        range.start + Duration::from_micros(self.random.u64(0..width.max(1)))
    }
}
