//! A simulated bad network, for development: delay and loss on a healthy connection.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use throughline_link::Instant;

/// Bytes held back per direction, at most; beyond it nothing more is read or written.
const HELD_MAX: usize = 1 << 20;

/// How long TCP waits before it sends a lost segment again, at least: its minimum on Linux. A lost
/// batch is so much later, and all behind it with it.
const RESEND_AFTER: Duration = Duration::from_millis(200);

/// One direction of a simulated line: first in, first out, later.
#[derive(Debug, Default)]
pub(super) struct DelayLine {
    held: VecDeque<(Instant, Bytes)>,
    bytes: usize,
}

impl DelayLine {
    pub(super) fn push(&mut self, bytes: Bytes, now: Instant, delay: Duration, lost: bool) {
        let wait = if lost { delay.saturating_mul(3).saturating_add(RESEND_AFTER) } else { delay };
        let last = self.held.back().map_or(now, |(at, _)| *at);
        self.bytes += bytes.len();
        self.held.push_back(((now + wait).max(last), bytes));
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Bytes> {
        let (at, _) = self.held.front()?;
        if *at > now {
            return None;
        }
        let (_, bytes) = self.held.pop_front()?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.held.front().map(|(at, _)| *at)
    }

    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= HELD_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

/// A simulated line, both directions.
#[derive(Debug, Default)]
pub(super) struct SimulatedLink {
    pub(super) delay: Duration,
    pub(super) loss: f64,
    pub(super) inward: DelayLine,
    pub(super) outward: DelayLine,
    /// Drawn from for losses; any seed does.
    draw: u32,
}

impl SimulatedLink {
    /// Whether the next batch is lost: Marsaglia's xorshift32 (2003) against the probability.
    pub(super) fn loses(&mut self) -> bool {
        self.draw = if self.draw == 0 { 0x9E37_79B9 } else { self.draw };
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 17;
        self.draw ^= self.draw << 5;
        f64::from(self.draw) < self.loss * f64::from(u32::MAX)
    }

    /// Loses what is on the line.
    pub(super) fn cut(&mut self) {
        self.inward = DelayLine::default();
        self.outward = DelayLine::default();
    }

    /// Whether it can be taken away: it changes nothing and holds nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.delay.is_zero()
            && self.loss == 0.0
            && self.inward.is_empty()
            && self.outward.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overtakes_on_a_line_that_loses() {
        let mut link = SimulatedLink { loss: 0.5, ..SimulatedLink::default() };
        let delay = Duration::from_millis(10);
        for n in 0..100_u8 {
            let lost = link.loses();
            let now = Instant::from_micros(u64::from(n));
            link.inward.push(Bytes::from(vec![n]), now, delay, lost);
        }
        let end = Instant::from_micros(u64::MAX);
        for n in 0..100_u8 {
            assert_eq!(link.inward.pop(end).as_deref(), Some(&[n][..]));
        }
        assert!(link.inward.is_empty());
    }

    #[test]
    fn loss_comes_about_as_often_as_asked() {
        let mut link = SimulatedLink { loss: 0.2, ..SimulatedLink::default() };
        let lost = (0..10_000).filter(|_| link.loses()).count();
        assert!((1_500..2_500).contains(&lost), "{lost}");
    }
}
