//! The wall clocks of the live nodes.

use super::Entries;
use crate::defaults::CLOCK_SKEW_MAX;

/// How far the others' wall clocks are from this node's, in milliseconds, as last read.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    offsets: Vec<i64>,
}

impl Clocks {
    pub(super) fn observe(&mut self, entries: &Entries, wall_ms: u64) {
        let live = entries.nodes.iter().filter(|(entry, _)| !entry.is_gone());
        let offset = |wall: u64| i64::try_from(i128::from(wall) - i128::from(wall_ms));
        // A beat is as old as the time since it was written, a beat period mostly: far less than
        // the skew that is looked for.
        self.offsets = live.filter_map(|(_, beat)| offset((*beat)?.wall_ms).ok()).collect();
        self.offsets.sort_unstable();
    }

    pub(super) fn median(&self, wall_ms: u64) -> Option<u64> {
        let middle = self.offsets.get(self.offsets.len() / 2).copied().unwrap_or(0);
        let limit = i64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap_or(i64::MAX);
        (middle.abs() <= limit).then(|| wall_ms.saturating_add_signed(middle))
    }
}
