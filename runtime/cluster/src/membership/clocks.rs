//! The wall clocks of the live nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_link::Instant;

use super::Entries;
use crate::{defaults::CLOCK_SKEW_MAX, id::Member};

/// Beats of a node that are looked at together: one that was read late says nothing of its clock.
const BEATS: usize = 4;

/// How far the others' wall clocks are from this node's, in milliseconds, as last read.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    seen: BTreeMap<Member, Seen>,
    offsets: Vec<i64>,
}

/// The last beats of one node.
#[derive(Debug, Default)]
struct Seen {
    number: Option<u64>,
    /// What its wall clock showed, less this node's monotonic clock when each was first read, in
    /// milliseconds: a wall clock of this node that is set changes nothing of it.
    ahead: [Option<i64>; BEATS],
}

impl Clocks {
    pub(super) fn observe(
        &mut self,
        entries: &Entries,
        now: Instant,
        wall_ms: u64,
        beat: Duration,
    ) {
        let now_ms = i128::from(now.as_micros() / 1_000);
        let live = entries.nodes.iter().filter(|(entry, _)| !entry.is_gone());
        let mut before = std::mem::take(&mut self.seen);
        for (entry, beat) in live {
            let mut seen = before.remove(&entry.member).unwrap_or_default();
            if let Some(beat) = beat.filter(|beat| seen.number != Some(beat.number)) {
                seen.number = Some(beat.number);
                seen.ahead.rotate_right(1);
                seen.ahead[0] = i64::try_from(i128::from(beat.wall_ms) - now_ms).ok();
            }
            self.seen.insert(entry.member, seen);
        }
        // A beat is as old as the time since it was written: a beat period, mostly. What that
        // explains is no difference of clocks: nodes whose clocks agree then agree to a
        // millisecond, however their beats fall.
        let age_max = 2 * i64::try_from(beat.as_millis()).unwrap_or(0);
        let offset = |seen: &Seen| {
            let ahead = seen.ahead.iter().flatten().max().copied()?;
            let offset = i128::from(ahead) + now_ms - i128::from(wall_ms);
            let offset = i64::try_from(offset).ok()?;
            Some(if (-age_max..=0).contains(&offset) { 0 } else { offset })
        };
        self.offsets = self.seen.values().filter_map(offset).collect();
        self.offsets.sort_unstable();
    }

    pub(super) fn median(&self, wall_ms: u64) -> Option<u64> {
        let middle = self.offsets.get(self.offsets.len() / 2).copied().unwrap_or(0);
        let limit = i64::try_from(CLOCK_SKEW_MAX.as_millis()).unwrap_or(i64::MAX);
        (middle.abs() <= limit).then(|| wall_ms.saturating_add_signed(middle))
    }
}
