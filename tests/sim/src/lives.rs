//! Beats, from the side of the store: until when each node may act, and who may be declared dead.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline::Config;
use throughline_cluster::{Beat, Member, PlayOn};

use crate::truth;

/// What was seen of all beats that took effect.
#[derive(Debug)]
pub(crate) struct Lives {
    /// A term less the margin.
    lease: Duration,
    /// Beats of one's own that must be in between the last one of another node and its mark.
    beats_min: u64,
    /// How many each start of a node has made.
    beats: BTreeMap<usize, u64>,
    /// The same at the last beat of each incarnation.
    at_last: BTreeMap<Member, BTreeMap<usize, u64>>,
    /// The last beat of each incarnation.
    said: BTreeMap<Member, Beat>,
    /// Who a start of a node is.
    who: BTreeMap<usize, Member>,
}

impl Default for Lives {
    fn default() -> Self {
        let cluster = Config::default().cluster;
        let beats = cluster.term.as_millis().div_ceil(cluster.beat.as_millis().max(1));
        Self {
            lease: cluster.term.saturating_sub(cluster.margin),
            beats_min: u64::try_from(beats).unwrap_or(u64::MAX),
            beats: BTreeMap::new(),
            at_last: BTreeMap::new(),
            said: BTreeMap::new(),
            who: BTreeMap::new(),
        }
    }
}

/// The number of the node that a start is of.
const fn node_of(by: usize) -> u32 {
    (by / 1000) as u32 + 1
}

impl Lives {
    /// A node has no lease before its first beat.
    pub(crate) fn started(&mut self, by: usize) {
        self.beats.insert(by, 0);
        truth::set_lease(node_of(by), Duration::ZERO);
    }

    /// A beat that was sent at this time has taken effect. Its node may not have heard: then its
    /// lease ends earlier than is said here.
    pub(crate) fn beat(&mut self, by: usize, member: Member, sent: Duration, said: Option<Beat>) {
        self.who.insert(by, member);
        if let Some(said) = said {
            self.said.insert(member, said);
        }
        *self.beats.entry(by).or_default() += 1;
        self.at_last.insert(member, self.beats.clone());
        truth::extend_lease(node_of(by), sent + self.lease);
    }

    /// The beats that a node waits for beyond a term which `member` does not ask.
    fn more(&self, by: usize, member: Member) -> u64 {
        let plays_on = self.said.get(&member).and_then(|beat| beat.plays_on.as_ref());
        let is_asked = |on: &&PlayOn| self.who.get(&by).is_some_and(|who| on.asks.contains(who));
        let stranger = plays_on.filter(|on| !is_asked(on));
        let beat = Config::default().cluster.beat.as_millis();
        stranger.map_or(0, |on| u128::from(on.limit_ms).div_ceil(beat) as u64)
    }

    /// If that is too few, the beats that this start of a node has made since the last one of
    /// `member`: each stands for one period of silence at most.
    pub(crate) fn too_few_beats(&self, by: usize, member: Member) -> Option<u64> {
        let now = self.beats.get(&by).copied().unwrap_or(0);
        let then = self.at_last.get(&member)?.get(&by).copied().unwrap_or(0);
        let beats = now.saturating_sub(then);
        (beats < self.beats_min + self.more(by, member)).then_some(beats)
    }
}
