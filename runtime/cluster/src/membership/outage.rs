//! How this node goes on while no node reaches the store: by what the others have counted.
//!
//! A lease is one proof that nobody has declared this node dead. What each node that could says of
//! itself is another: `docs/cluster.md`, "Playing on".

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use throughline_link::Instant;

use super::{Entries, LeaseConfig};
use crate::{
    defaults::ASKED_MAX,
    entry::{Beat, PlayOn},
    id::Member,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outage {
    config: LeaseConfig,
    /// Who is asked: whoever may declare this node dead after a term. Every beat that may stand in
    /// the store names no other one that is not gone.
    asks: BTreeSet<Member>,
    /// Who of them was gone when last read. What such a one began while it was not is about an
    /// earlier beat than the next: until that one is in, it is one that does not answer.
    gone: BTreeSet<Member>,
    /// Who was gone already when the beat was sent that is under way.
    going: BTreeSet<Member>,
    /// All beats that may stand in the store say that this node plays on.
    is_said: bool,
    /// So does the last one that was made.
    says: bool,
    /// One that does not say it may land at any time, over one that does.
    in_doubt: bool,
    /// Until when each does not declare this node dead.
    until: BTreeMap<Member, Instant>,
}

impl Outage {
    pub(super) fn new(config: LeaseConfig) -> Self {
        Self {
            config,
            asks: BTreeSet::new(),
            gone: BTreeSet::new(),
            going: BTreeSet::new(),
            is_said: false,
            says: false,
            in_doubt: false,
            until: BTreeMap::new(),
        }
    }

    /// The entries were read. One that is there without a standing has not joined: it waits longer.
    pub(super) fn see(&mut self, entries: &Entries, me: Member) {
        if self.config.play_on.is_zero() {
            return;
        }
        let there = entries.nodes.iter().map(|(entry, _)| entry);
        let there = there.filter(|entry| entry.member != me && !entry.is_gone());
        let there: BTreeSet<_> = there.map(|entry| entry.member).collect();
        self.gone = self.asks.difference(&there).copied().collect();
        self.asks.extend(there);
    }

    /// The next beat, with what others are to know of it.
    pub(super) fn beat(&mut self, number: u64, wall_ms: u64) -> Beat {
        let mut beat = Beat::new(number, wall_ms);
        self.going.clone_from(&self.gone);
        let asks: Vec<_> = self.asks.difference(&self.gone).copied().collect();
        // One that is alone has nobody who could confirm anything, and comes back soonest so.
        if self.config.play_on.is_zero() || asks.is_empty() || asks.len() > ASKED_MAX {
            (self.says, self.is_said) = (false, false);
            return beat;
        }
        let limit_ms = u32::try_from(self.config.play_on.as_millis()).unwrap_or(u32::MAX);
        beat.plays_on = Some(PlayOn { limit_ms, asks: asks.into() });
        self.says = true;
        beat
    }

    /// The last one is in.
    pub(super) fn is_in(&mut self) {
        self.is_said = self.says && !self.in_doubt;
        for member in core::mem::take(&mut self.going) {
            self.asks.remove(&member);
            self.until.remove(&member);
        }
    }

    /// Nobody knows whether the last one is in, or will be.
    pub(super) fn is_unknown(&mut self) {
        self.in_doubt |= !self.says;
    }

    /// Others reach the store: what was said so far extends no lease.
    pub(super) fn forget(&mut self) {
        self.until.clear();
    }

    /// Who is to be asked what they have counted.
    pub(super) fn asks(&self) -> impl Iterator<Item = Member> {
        self.asks.iter().copied().filter(|_| self.is_said)
    }

    /// One has answered what it was asked at `asked`.
    pub(super) fn answered(&mut self, from: Member, asked: Instant, counted: Option<Duration>) {
        let lease = self.config.term.saturating_sub(self.config.margin);
        match counted {
            Some(counted) => {
                // What is left of a term: nothing, if it has counted one.
                self.until.insert(from, asked + lease.saturating_sub(counted));
            }
            None => {
                self.until.remove(&from);
            }
        }
    }

    /// Until when this node may act by what the others say; `lease` is when its lease ends.
    pub(super) fn until(&self, lease: Instant) -> Option<Instant> {
        if !self.is_said || self.asks.is_empty() {
            return None;
        }
        let limit = lease + self.config.play_on;
        // One that has not answered has confirmed nothing: `None` is the least.
        let heard = self.asks.iter().map(|member| self.until.get(member).copied());
        heard.fold(Some(limit), Option::min)
    }
}
