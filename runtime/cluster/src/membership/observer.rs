//! What this node has seen of the others' beats.

use core::time::Duration;
use std::collections::{
    BTreeMap, VecDeque,
    btree_map::Entry::{Occupied, Vacant},
};

use throughline_canary::canary;
use throughline_link::Instant;

use super::{Entries, LeaseConfig};
use crate::{
    defaults::FORGOTTEN_MAX,
    entry::{Beat, Entry},
    id::Member,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seen {
    beat: Beat,
    /// When it was first seen.
    since: Instant,
    /// How long it is known not to have changed.
    counted: Duration,
    /// It was to be declared dead while it had this beat. That may be in at any time, even if the
    /// store has not answered.
    marked: bool,
    gone: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Observer {
    config: LeaseConfig,
    seen: BTreeMap<Member, Seen>,
    /// Whose entries were there and were forgotten, the last ones last.
    forgotten: VecDeque<Member>,
    last_count: Option<Instant>,
}

impl Observer {
    pub(super) const fn new(config: LeaseConfig) -> Self {
        Self { config, seen: BTreeMap::new(), forgotten: VecDeque::new(), last_count: None }
    }

    /// A beat of this node failed: what it counted so far says nothing of the others.
    pub(super) fn start_again(&mut self) {
        if canary!(SlowOwnerDead) {
            return;
        }
        self.last_count = None;
        for seen in self.seen.values_mut() {
            seen.counted = Duration::ZERO;
        }
    }

    /// Takes what a read found; `counts` if it followed a beat of this node's that was committed.
    /// Gives the nodes that are newly gone.
    pub(super) fn see(
        &mut self,
        entries: &Entries,
        me: Member,
        counts: bool,
        now: Instant,
    ) -> Vec<Member> {
        // One beat period at most per beat of one's own, however long ago that was.
        let elapsed = self.last_count.map_or(Duration::ZERO, |last| now.since(last));
        let step = if canary!(SlowOwnerDead) {
            elapsed
        } else if counts {
            elapsed.min(self.config.beat)
        } else {
            Duration::ZERO
        };
        if counts || canary!(SlowOwnerDead) {
            self.last_count = Some(now);
        }
        let mut gone = Vec::new();
        for (entry, beat) in entries.nodes.iter().filter(|(entry, _)| entry.member != me) {
            let Some(beat) = beat.clone() else { continue };
            let counted = Duration::ZERO;
            let fresh = Seen { beat, since: now, counted, marked: false, gone: false };
            let seen = match self.seen.entry(entry.member) {
                // Of a beat that is seen for the first time nothing is known yet.
                Vacant(first) => first.insert(fresh),
                Occupied(known) => {
                    let seen = known.into_mut();
                    if seen.beat == fresh.beat {
                        seen.counted += step;
                    } else {
                        *seen = Seen { gone: seen.gone, ..fresh };
                    }
                    seen
                }
            };
            if entry.is_gone() && entry.standing.is_some() && !seen.gone {
                seen.gone = true;
                gone.push(entry.member);
            }
        }
        let is_there = |member: &Member| entries.nodes.iter().any(|(e, _)| e.member == *member);
        self.seen.retain(|member, seen| {
            let stays = is_there(member);
            if !stays {
                self.forgotten.push_back(*member);
                gone.extend((!seen.gone).then_some(*member));
            }
            stays
        });
        // One that stood still as it joined may have gone on.
        self.forgotten.retain(|member| !self.seen.contains_key(member));
        let beyond = self.forgotten.len().saturating_sub(FORGOTTEN_MAX);
        self.forgotten.drain(..beyond);
        gone
    }

    /// The nodes whose beat did not change for as long as this node is to wait, as far as it
    /// counts. They are to be declared dead.
    pub(super) fn silent(&self, entries: &Entries, me: Member) -> Vec<(Entry, Beat)> {
        let mut silent = Vec::new();
        for (entry, beat) in &entries.nodes {
            let Some(beat) = beat.as_ref().filter(|_| entry.member != me && !entry.is_gone())
            else {
                continue;
            };
            let Some(seen) = self.seen.get(&entry.member) else { continue };
            if seen.counted >= beat.patience(me, self.config.term) {
                silent.push((entry.clone(), beat.clone()));
            }
        }
        silent
    }

    /// A commit that declares it dead is on its way.
    pub(super) fn is_marked(&mut self, member: Member) {
        if let Some(seen) = self.seen.get_mut(&member) {
            seen.marked = true;
        }
    }

    /// For how long a beat of this node was not seen to change at `now`: it is not declared dead
    /// before the rest of a term has passed. `None`: it may be dead already.
    pub(super) fn counted(&self, member: Member, now: Instant) -> Option<Duration> {
        let Some(seen) = self.seen.get(&member) else {
            // Whoever was not seen yet is counted from when it is.
            return (!self.forgotten.contains(&member)).then_some(Duration::ZERO);
        };
        // What the next read adds to it, as far as that time has passed.
        let since = self.last_count.map_or(Duration::ZERO, |last| now.since(last));
        let counted = seen.counted + since.min(self.config.beat);
        (!seen.gone && !seen.marked).then_some(counted)
    }

    /// Those whose entries are not there any more: one that stood still all the time may speak yet.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = Member> {
        self.forgotten.iter().copied()
    }

    pub(super) fn heard_until(&self, member: Member) -> Option<Instant> {
        let lease = self.config.term.saturating_sub(self.config.margin);
        self.seen.get(&member).filter(|seen| !seen.gone).map(|seen| seen.since + lease)
    }
}
