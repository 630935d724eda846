//! Another node's clock, as seen from here.

use throughline_link::Instant;

use crate::peers::limits::CLOCK_SAMPLE_AGE_MAX;

/// How far the clock of another node is ahead of this one's, at least.
///
/// A sample was taken before it came, so it never says more than the truth: a deadline that was
/// converted by it is never later over there than it is here. Of several samples the largest one
/// is the best, as it was on its way for the shortest time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OtherClock {
    ahead_micros: i128,
    sampled: Instant,
}

impl OtherClock {
    pub(crate) fn new(now: Instant, stamp: u64) -> Self {
        Self { ahead_micros: i128::from(stamp) - i128::from(now.as_micros()), sampled: now }
    }

    /// The other node's clock said `stamp`, in a frame that has come now.
    pub(crate) fn handle_sample(&mut self, now: Instant, stamp: u64) {
        let sample = Self::new(now, stamp);
        let is_old = now.since(self.sampled) >= CLOCK_SAMPLE_AGE_MAX;
        if is_old || sample.ahead_micros >= self.ahead_micros {
            *self = sample;
        }
    }

    /// This moment on the other node's clock, or a little before.
    pub(crate) fn at(&self, moment: Instant) -> u64 {
        let there = i128::from(moment.as_micros()) + self.ahead_micros;
        u64::try_from(there.max(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Instant = Instant::from_micros(5_000_000);

    #[test]
    fn a_deadline_is_never_later_there_than_here() {
        // The other clock is 1 s behind; frames are on their way for 3, 1 and 2 ms.
        let mut clock = OtherClock::new(START + Duration::from_millis(3), 4_000_000);
        let deadline = START + Duration::from_secs(1);
        assert_eq!(clock.at(deadline), 4_997_000);
        clock.handle_sample(START + Duration::from_millis(11), 4_010_000);
        assert_eq!(clock.at(deadline), 4_999_000);
        clock.handle_sample(START + Duration::from_millis(22), 4_020_000);
        assert_eq!(clock.at(deadline), 4_999_000);
    }

    #[test]
    fn an_old_sample_gives_way_as_clocks_differ_in_speed() {
        let mut clock = OtherClock::new(START, 9_000_000);
        let later = START + CLOCK_SAMPLE_AGE_MAX;
        clock.handle_sample(later, 38_990_000);
        assert_eq!(clock.at(later), 38_990_000);
        assert_eq!(clock.at(Instant::ZERO), 3_990_000);
    }
}
