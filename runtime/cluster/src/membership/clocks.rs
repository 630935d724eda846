//! The wall clocks of the live nodes.

use core::time::Duration;

use super::Entries;
use crate::defaults::CLOCK_SKEW_MAX;

/// How far the others' wall clocks are from this node's, in milliseconds, as last read.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    offsets: Vec<i64>,
}

impl Clocks {
    pub(super) fn observe(&mut self, entries: &Entries, wall_ms: u64, beat: Duration) {
        let live = entries.nodes.iter().filter(|(entry, _)| !entry.is_gone());
        // A beat is as old as the time since it was written: a beat period, mostly. What that
        // explains is no difference of clocks: nodes whose clocks agree then agree to a
        // millisecond, however their beats fall.
        let age_max = 2 * i128::try_from(beat.as_millis()).unwrap_or(0);
        let offset = |wall: u64| {
            let seen = i128::from(wall) - i128::from(wall_ms);
            i64::try_from(if (-age_max..=0).contains(&seen) { 0 } else { seen })
        };
        self.offsets = live.filter_map(|(_, beat)| offset((*beat)?.wall_ms).ok()).collect();
        self.offsets.sort_unstable();
    }

    pub(super) fn median(&self, wall_ms: u64) -> Option<u64> {
        let middle = self.offsets.get(self.offsets.len() / 2).copied().unwrap_or(0);
        let limit = i64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap_or(i64::MAX);
        (middle.abs() <= limit).then(|| wall_ms.saturating_add_signed(middle))
    }
}
