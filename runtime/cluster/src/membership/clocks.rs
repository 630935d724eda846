//! The wall clocks of the live nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_link::Instant;

use super::{Entries, LeaseConfig};
use crate::{defaults::CLOCK_SKEW_MAX, id::Member};

/// Beats of a node that are looked at together: one that was read late says nothing of its clock.
const BEATS: usize = 4;

/// A node that is alone keeps the time that it last had in common with others for so long: when
/// all nodes were dead for a moment, as after an outage of the store, one of them is the first to
/// be back.
const ALONE_KEPT: Duration = Duration::from_secs(60);

/// The wall clocks of all live nodes, as last read, compared with this node's monotonic clock: one
/// of them that is set moves no time of the cluster, not even until the next look.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub(super) struct Clocks {
    seen: BTreeMap<Member, Seen>,
    wall: WallClock,
    /// When there were other nodes last.
    compared: Option<Instant>,
}

/// The wall clock of the cluster: the median of those of the live nodes that have beaten within a
/// term. It is what expiry is written by and compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct WallClock {
    /// Less this node's monotonic clock, in milliseconds; `None` before the first look.
    ahead: Option<i64>,
    /// How far the lower and the upper median are from each other, in milliseconds. Of two clocks
    /// that disagree nobody knows which is right: then nobody sweeps, and what is written expires
    /// by the later of them.
    apart: u64,
}

impl WallClock {
    /// Milliseconds since 1970 UTC at `now`, when this node's own clock shows `own_ms`: that is
    /// the time before the first look.
    #[must_use]
    pub fn wall_ms(self, now: Instant, own_ms: u64) -> u64 {
        self.ahead.map_or(own_ms, |ahead| now_ms(now).saturating_add_signed(ahead))
    }

    /// The same, if this node's own clock is not far off: otherwise, and before the first look, it
    /// neither sweeps nor claims what is due.
    #[must_use]
    pub fn trusted_ms(self, now: Instant, own_ms: u64) -> Option<u64> {
        let wall_ms = now_ms(now).saturating_add_signed(self.ahead?);
        let off = Duration::from_millis(wall_ms.abs_diff(own_ms).max(self.apart));
        (off <= CLOCK_SKEW_MAX).then_some(wall_ms)
    }
}

const fn now_ms(now: Instant) -> u64 {
    now.as_micros() / 1_000
}

/// The last beats of one node.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
struct Seen {
    number: Option<u64>,
    /// When that was first read.
    at: Instant,
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
        config: &LeaseConfig,
    ) {
        let now_ms = i128::from(now_ms(now));
        let live = entries.nodes.iter().filter(|(entry, _)| !entry.is_gone());
        let mut before = std::mem::take(&mut self.seen);
        for (entry, beat) in live {
            let mut seen = before.remove(&entry.member).unwrap_or_default();
            if let Some(beat) = beat.as_ref().filter(|beat| seen.number != Some(beat.number)) {
                (seen.number, seen.at) = (Some(beat.number), now);
                seen.ahead.rotate_right(1);
                seen.ahead[0] = i64::try_from(i128::from(beat.wall_ms) - now_ms).ok();
            }
            self.seen.insert(entry.member, seen);
        }
        // A beat is as old as the time since it was written: a beat period, mostly. What that
        // explains is no difference of clocks: nodes whose clocks agree then agree to a
        // millisecond, however their beats fall.
        let age_max = 2 * i64::try_from(config.beat.as_millis()).unwrap_or(0);
        let offset = |seen: &Seen| {
            let ahead = seen.ahead.iter().flatten().max().copied()?;
            let offset = i128::from(ahead) + now_ms - i128::from(wall_ms);
            let offset = i64::try_from(offset).ok()?;
            Some(if (-age_max..=0).contains(&offset) { 0 } else { offset })
        };
        // One that has stopped to beat may be dead, though nobody could write that down yet: its
        // clock is what it was.
        let is_fresh = |seen: &&Seen| now.since(seen.at) <= config.term;
        let fresh: Vec<&Seen> = self.seen.values().filter(is_fresh).collect();
        if fresh.is_empty() && self.wall.ahead.is_some() {
            // Nobody's beats get in, not even its own.
            return;
        }
        if fresh.len() > 1 {
            self.compared = Some(now);
        } else if self.compared.is_some_and(|at| now.since(at) < ALONE_KEPT) {
            return;
        }
        let mut offsets: Vec<i64> = fresh.into_iter().filter_map(offset).collect();
        offsets.sort_unstable();
        let middle = |at: usize| offsets.get(at).copied().unwrap_or(0);
        let lower = middle(offsets.len().saturating_sub(1) / 2);
        let middle = middle(offsets.len() / 2);
        self.wall.apart = lower.abs_diff(middle);
        let ahead = i128::from(wall_ms) + i128::from(middle) - now_ms;
        self.wall.ahead = i64::try_from(ahead).ok();
    }

    pub(super) const fn wall(&self) -> WallClock {
        self.wall
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::entry::{Beat, Entry, NodeInfo, NodeState, Standing};
    use crate::id::NodeId;

    const HOUR_MS: u64 = 3_600_000;

    /// Three nodes that all count as alive; of each its last beat, and how far off its clock was.
    fn entries(beats: [(u64, u64, u64); 3]) -> Entries {
        let info = Arc::new(NodeInfo::new("", Vec::new()).unwrap());
        let nodes = (1..).zip(beats).map(|(node, (number, at_ms, off_ms))| {
            let member = Member { node: NodeId(node), incarnation: 1 };
            let standing = Standing { state: NodeState::Alive, info: Arc::clone(&info) };
            let beat = Beat::new(number, at_ms + off_ms);
            (Entry { member, standing: Some(standing) }, Some(beat))
        });
        Entries { last: Some(1), nodes: nodes.collect() }
    }

    /// Its store takes no mark, so they stay alive; one of their clocks was an hour off.
    #[test]
    fn the_clock_of_a_node_that_beats_no_more_does_not_count_though_nobody_could_mark_it() {
        let config = LeaseConfig::default();
        let mut clocks = Clocks::default();
        let mut last = [0; 2];
        for look in 0..100 {
            let ms = 1_000_000 + look * 500;
            let now = Instant::from_micros(ms * 1_000);
            if look < 10 {
                last = [look, ms];
            }
            let [number, at_ms] = last;
            // This node's own clock is set an hour later than that.
            let off_ms = if look < 30 { 0 } else { HOUR_MS };
            let seen = [(number, at_ms, HOUR_MS), (number, at_ms, 0), (look, ms, off_ms)];
            clocks.observe(&entries(seen), now, ms + off_ms, &config);
            let wall = clocks.wall();
            assert!(wall.wall_ms(now, ms + off_ms).abs_diff(ms) <= 1_000, "at look {look}");
            assert_eq!(wall.trusted_ms(now, ms + off_ms).is_some(), look < 30, "at look {look}");
        }
    }

    #[test]
    fn while_no_beat_gets_in_the_time_goes_on_as_it_was() {
        let config = LeaseConfig::default();
        let mut clocks = Clocks::default();
        for look in 0..400 {
            let ms = 1_000_000 + look * 500;
            let now = Instant::from_micros(ms * 1_000);
            let beat = (look.min(10), 1_000_000 + look.min(10) * 500, 0);
            let off_ms = if look < 30 { 0 } else { HOUR_MS };
            clocks.observe(&entries([beat; 3]), now, ms + off_ms, &config);
            let wall = clocks.wall().wall_ms(now, ms + off_ms);
            assert!(wall.abs_diff(ms) <= 1_000, "at look {look}");
        }
    }
}
