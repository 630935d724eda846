//! What the node that runs on this thread now sees of the wall clock and of chance.
//!
//! Nodes with threads of their own see the system's. Of those that share a thread, the one that is
//! polled has its own in a cell of the thread, for so long.

use std::cell::Cell;

use tokio::time::Instant;

/// An own wall clock and own random numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// The wall clock showed `wall_ms` at this moment of the runtime's clock.
    start: Instant,
    wall_ms: u64,
    /// The state of the generator: SplitMix64 (Steele, Lea, Flood 2014).
    random: u64,
}

thread_local! {
    static SEEN: Cell<Option<Seen>> = const { Cell::new(None) };
}

impl Seen {
    /// From `now` on, which is what the runtime's clock shows.
    pub(crate) const fn new(now: Instant, wall_ms: u64, seed: u64) -> Self {
        Self { start: now, wall_ms, random: seed }
    }

    /// The wall clock is set to another time.
    pub(crate) const fn jump(&mut self, by_ms: i64) {
        self.wall_ms = self.wall_ms.saturating_add_signed(by_ms);
    }

    /// Runs `work` with this clock and these random numbers.
    pub(crate) fn during<T>(&mut self, work: impl FnOnce() -> T) -> T {
        /// Sets back what was there before, however `work` ends.
        struct Entered<'a>(&'a mut Seen, Option<Seen>);
        impl Drop for Entered<'_> {
            fn drop(&mut self) {
                if let Some(seen) = SEEN.replace(self.1) {
                    *self.0 = seen;
                }
            }
        }
        let before = SEEN.replace(Some(*self));
        let _entered = Entered(self, before);
        work()
    }

    const fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// When the injected clock began, if there is one here.
pub(crate) fn seen_start() -> Option<Instant> {
    SEEN.get().map(|seen| seen.start)
}

/// The injected wall clock, if there is one here.
#[inline]
pub(crate) fn seen_wall_ms() -> Option<u64> {
    let seen = SEEN.get()?;
    let passed = u64::try_from(seen.start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Some(seen.wall_ms.saturating_add(passed))
}

/// Fills `bytes` with random numbers: the system's, unless others are injected here.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    let Some(mut seen) = SEEN.get() else { return getrandom::fill(bytes) };
    for chunk in bytes.chunks_mut(8) {
        let next = seen.next().to_le_bytes();
        chunk.copy_from_slice(&next[..chunk.len()]);
    }
    SEEN.set(Some(seen));
    Ok(())
}

/// One such number.
pub(crate) fn random_u64() -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 8];
    fill_random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_nodes_of_one_thread_see_their_own_clocks_and_numbers() {
        let now = crate::clock::runtime_now();
        let (mut one, mut other) = (Seen::new(now, 1_000, 7), Seen::new(now, 5_000, 7));
        let first = one.during(|| (seen_wall_ms(), random_u64().unwrap()));
        tokio::time::advance(Duration::from_millis(30)).await;
        assert_eq!(first.0, Some(1_000));
        assert_eq!(one.during(seen_wall_ms), Some(1_030));
        assert_eq!(
            other.during(|| (seen_wall_ms(), random_u64().unwrap())),
            (Some(5_030), first.1)
        );
        assert_ne!(one.during(|| random_u64().unwrap()), first.1, "the numbers go on");
        assert_eq!(seen_wall_ms(), None);
        other.jump(-4_000);
        assert_eq!(other.during(seen_wall_ms), Some(1_030));
        other.jump(4_000);
        let inside = one.during(|| other.during(seen_wall_ms).zip(seen_wall_ms()));
        assert_eq!(inside, Some((5_030, 1_030)));
    }
}
