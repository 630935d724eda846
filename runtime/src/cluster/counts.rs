//! What became of the sessions of a node, for operators.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::swept::SweptCounts;

/// Where this node stands in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub(crate) enum Stage {
    /// It has not joined yet.
    Starting,
    /// It may own sessions.
    Serving,
    /// It hands over what it owns, and takes nothing.
    Draining,
    /// It owns nothing, and is about to exit.
    Left,
    /// Others declared it dead: it has dropped everything, and joins again.
    Fenced,
    /// It could not renew its lease in time, and does not act until it can.
    Lapsed,
}

impl Stage {
    const ALL: [Self; 6] =
        [Self::Starting, Self::Serving, Self::Draining, Self::Left, Self::Fenced, Self::Lapsed];

    pub(super) fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Starting)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Left => "left",
            Self::Fenced => "fenced",
            Self::Lapsed => "lapsed",
        })
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct ClusterCounts {
    /// Sessions that came from another node or from the store.
    pub(crate) taken: AtomicU64,
    /// Sessions that went to another node.
    pub(crate) moved: AtomicU64,
    /// Sessions that went into the store.
    pub(crate) parked: AtomicU64,
    /// Sessions that were lost with an owner.
    pub(crate) lost: AtomicU64,
    /// Times that others declared this node dead.
    pub(crate) fenced: AtomicU64,
    /// Sessions dropped then.
    pub(crate) dropped: AtomicU64,
    /// Snapshots that could not be loaded.
    pub(crate) load_failures: AtomicU64,
    /// Snapshots larger than half of what is taken.
    pub(crate) large_snapshots: AtomicU64,
    /// What its sweeps have cleared away.
    pub(crate) swept: SweptCounts,
    pauses: Pauses,
}

/// How long clients waited for their sessions, in buckets of a quarter of an octave from 1 us.
#[derive(Debug)]
struct Pauses([AtomicU64; PAUSE_BUCKETS]);

/// Up to about an hour.
const PAUSE_BUCKETS: usize = 128;

impl Default for Pauses {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl ClusterCounts {
    /// Notes sessions that were lost with an owner.
    pub(super) fn add_lost(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    /// Notes how long a resume waited here for its session to come.
    pub(crate) fn add_pause(&self, pause: Duration) {
        let micros = (pause.as_micros() as f64).max(1.0);
        let bucket = (micros.log2() * 4.0) as usize;
        self.pauses.0[bucket.min(PAUSE_BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// The pause that so many of 100 resumes did not exceed, within a fifth; `None` before the
    /// first.
    pub(crate) fn pause(&self, percent: u64) -> Option<Duration> {
        let counts = self.pauses.0.each_ref().map(|count| count.load(Ordering::Relaxed));
        let all: u64 = counts.iter().sum();
        let rank = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_micros(2_f64.powf((bucket + 1) as f64 / 4.0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_known_within_a_fifth() {
        let counts = ClusterCounts::default();
        assert_eq!(counts.pause(99), None);
        for millis in 1..=100 {
            counts.add_pause(Duration::from_millis(millis));
        }
        let near = |percent, millis: u64| {
            let found = counts.pause(percent).unwrap().as_micros() as f64 / 1e3;
            assert!((0.8..1.25).contains(&(found / millis as f64)), "{found} for {millis}");
        };
        near(50, 50);
        near(99, 99);
    }
}
