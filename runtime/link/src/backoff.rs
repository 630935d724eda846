//! When a client tries again: full jitter, so that a crowd does not come back as one.
//!
//! Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (the variant *full*).

use core::time::Duration;

/// Draws the waiting times of one client.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    random: u64,
}

impl Backoff {
    /// Waits below `base`, doubled each try, below `max` at most; drawn from `seed`.
    #[must_use]
    pub const fn new(base: Duration, max: Duration, seed: u64) -> Self {
        Self { base, max, random: seed }
    }

    /// The wait before try `number`: none before the first (0).
    pub fn wait(&mut self, number: u32) -> Duration {
        let Some(doublings) = number.checked_sub(1) else { return Duration::ZERO };
        let ceiling = self.base.saturating_mul(1 << doublings.min(20)).min(self.max);
        self.below(ceiling)
    }

    /// A uniform time below `ceiling`.
    pub fn below(&mut self, ceiling: Duration) -> Duration {
        let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(if micros == 0 { 0 } else { self.next() % micros })
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to spread clients.
    const fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_is_at_once_and_the_others_stay_below_their_ceiling() {
        let base = Duration::from_millis(100);
        let max = Duration::from_secs(5);
        for seed in 0..200 {
            let mut backoff = Backoff::new(base, max, seed);
            assert_eq!(backoff.wait(0), Duration::ZERO);
            for number in 1..40 {
                assert!(backoff.wait(number) < (base * (1 << (number - 1).min(10))).min(max));
            }
        }
    }

    #[test]
    fn a_crowd_spreads_over_the_whole_time() {
        let mut tenths = [0; 10];
        for seed in 0..1_000 {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1), seed);
            tenths[(backoff.wait(1).as_millis() / 100) as usize] += 1;
        }
        assert!(tenths.iter().all(|&count| count > 50), "{tenths:?}");
    }
}
