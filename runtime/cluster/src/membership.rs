//! The lease of this node, and what it sees of the others'.
//!
//! The node beats in the store. Each beat that was committed is followed by a read of all entries,
//! and only such reads count against others. So a store that hangs, or a machine that was
//! suspended, kills nobody.

mod adrift;
mod clocks;
mod observer;
mod outage;

use core::time::Duration;
use std::{collections::VecDeque, sync::Arc};

use throughline_canary::canary;
use throughline_link::Instant;

use crate::{
    defaults::{BEAT, MARGIN, TERM},
    entry::{Beat, Entry, NodeInfo, NodeState, Standing},
    id::Member,
    law::{Law, NotNow, StepName},
    outcome::Outcome,
    steps::Step,
};
pub use adrift::is_adrift;
pub use clocks::WallClock;
use observer::Observer;
use outage::Outage;

/// The times of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseConfig {
    /// Between two beats.
    pub beat: Duration,
    /// Without a changed beat for so long, a node is dead.
    pub term: Duration,
    /// A node stops acting so long before its term ends.
    pub margin: Duration,
    /// It acts for so long beyond its lease, as long as every node that could declare it dead
    /// confirms that it does not; zero: not at all.
    pub play_on: Duration,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self { beat: BEAT, term: TERM, margin: MARGIN, play_on: Duration::ZERO }
    }
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberAction {
    /// Commit; answer with `handle_commit`.
    Commit(Box<Step>),
    /// Read the incarnation that joined last as this node, and scan all standings and beats;
    /// answer with `handle_entries`.
    Read,
    /// This node has joined: it may act while [`Membership::may_act`] says so.
    Joined,
    /// Another incarnation of this node is alive. It is waited for.
    Waiting(Member),
    /// This node is declared dead: drop everything, and [`rejoin`](Membership::rejoin).
    Fenced,
    /// Another node is gone: what it owned may be taken.
    Gone(Member),
    /// `draining` is committed.
    Draining,
    /// The node still owns records: read its owner index again before the next try.
    NotLeft,
    /// `left` is committed: exit.
    Left,
}

/// All entries, as one read found them.
#[derive(Debug, Clone)]
pub struct Entries {
    /// The incarnation that joined last as this node.
    pub last: Option<u64>,
    /// Standing and beat of every incarnation that has either.
    pub nodes: Vec<(Entry, Option<Beat>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Joining,
    In,
    Fenced,
    Left,
}

/// What the answer of the store that is waited for is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Waiting {
    Nothing,
    Commit(StepName, Instant),
    Read { counts: bool },
}

/// This node in its cluster: a state machine without a clock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Membership {
    law: Law,
    config: LeaseConfig,
    me: Entry,
    info: Arc<NodeInfo>,
    phase: Phase,
    waiting: Waiting,
    /// The last number proposed. None is proposed twice, even if the outcome was unknown: a mark
    /// that saw the first of two equal beats would not notice the second.
    number: u64,
    /// When the last beat that was committed was sent: the lease counts from before it.
    lease_from: Option<Instant>,
    next_beat: Instant,
    stuck: bool,
    wants_drain: bool,
    wants_leave: Option<usize>,
    observer: Observer,
    outage: Outage,
    clocks: clocks::Clocks,
    actions: VecDeque<MemberAction>,
}

impl Membership {
    /// A node that wants to join as `me`, whose incarnation is random and new.
    #[must_use]
    pub fn new(me: Member, info: Arc<NodeInfo>, config: LeaseConfig, now: Instant) -> Self {
        Self {
            law: Law::default(),
            config,
            me: Entry { member: me, standing: None },
            info,
            phase: Phase::Joining,
            waiting: Waiting::Nothing,
            number: 0,
            lease_from: None,
            next_beat: now,
            stuck: false,
            wants_drain: false,
            wants_leave: None,
            observer: Observer::new(config),
            outage: Outage::new(config),
            clocks: clocks::Clocks::default(),
            actions: VecDeque::new(),
        }
    }

    /// Joins again after [`MemberAction::Fenced`], as a new incarnation.
    pub fn rejoin(&mut self, incarnation: u64, now: Instant) {
        let member = Member { node: self.me.member.node, incarnation };
        let drains = |standing: &Standing| standing.state == NodeState::Draining;
        let drains = self.wants_drain || self.me.standing.as_ref().is_some_and(drains);
        *self = Self::new(member, Arc::clone(&self.info), self.config, now);
        // Whoever drains is not given anything, whatever it is called.
        self.wants_drain = drains;
    }

    /// Time has passed. `wall_ms` is this node's wall clock, in milliseconds since 1970 UTC.
    pub fn handle_timeout(&mut self, now: Instant, wall_ms: u64) {
        let over = matches!(self.phase, Phase::Fenced | Phase::Left);
        if over || self.stuck || self.waiting != Waiting::Nothing {
            return;
        }
        if let Some(step) = self.wanted() {
            self.commit(step, now);
        } else if now >= self.next_beat {
            self.number += 1;
            self.next_beat = now + self.config.beat;
            let step = self.law.beat(&self.me, self.outage.beat(self.number, wall_ms));
            self.commit(step, now);
        }
    }

    /// The step, other than a beat, that is to be taken now.
    fn wanted(&mut self) -> Option<Step> {
        if self.phase != Phase::In {
            return None;
        }
        if core::mem::take(&mut self.wants_drain) {
            return self.law.drain(&self.me).ok();
        }
        let owned = self.wants_leave.take()?;
        let step = self.law.leave(&self.me, owned);
        if step.is_err() {
            self.actions.push_back(MemberAction::NotLeft);
        }
        step.ok()
    }

    fn commit(&mut self, step: Step, now: Instant) {
        self.waiting = Waiting::Commit(step.name, now);
        self.actions.push_back(MemberAction::Commit(Box::new(step)));
    }

    fn read(&mut self, counts: bool) {
        self.waiting = Waiting::Read { counts };
        self.actions.push_back(MemberAction::Read);
    }

    /// The store has answered a commit of the step `name`. Answers to marks change nothing.
    pub fn handle_commit(&mut self, name: StepName, outcome: Outcome, now: Instant) {
        let Waiting::Commit(waited, sent) = self.waiting else { return };
        if waited != name {
            return;
        }
        self.waiting = Waiting::Nothing;
        match (name, outcome) {
            (StepName::Beat, Outcome::Done) => {
                self.lease_from = Some(if canary!(LeaseFromAnswer) { now } else { sent });
                self.outage.is_in();
                self.read(true);
            }
            (StepName::Join, Outcome::Done) => {
                self.me.standing = Some(self.standing(NodeState::Alive));
                self.lease_from = Some(sent);
                self.outage.is_in();
                self.phase = Phase::In;
                self.actions.push_back(MemberAction::Joined);
            }
            (StepName::Drain, Outcome::Done) => {
                self.me.standing = Some(self.standing(NodeState::Draining));
                self.actions.push_back(MemberAction::Draining);
            }
            (StepName::Leave, Outcome::Done) => {
                self.phase = Phase::Left;
                self.actions.push_back(MemberAction::Left);
            }
            (_, Outcome::Done) => {}
            (StepName::Beat, Outcome::Unknown) => {
                self.outage.is_unknown();
                self.observer.start_again();
                self.next_beat = now;
            }
            // Refused: dead only if the entry says so. Unknown: what stands there tells. What was
            // wanted is tried again, unless that shows that it is in.
            _ => {
                self.wants_drain |= name == StepName::Drain;
                if name == StepName::Leave {
                    // Nothing can be added to what a draining node owns.
                    self.wants_leave = Some(0);
                }
                self.observer.start_again();
                self.next_beat = now;
                self.read(false);
            }
        }
    }

    /// A read failed; the next beat is followed by another.
    pub fn handle_read_failed(&mut self) {
        if matches!(self.waiting, Waiting::Read { .. }) {
            self.waiting = Waiting::Nothing;
            self.observer.start_again();
        }
    }

    /// The entries, read after the action asked for them. `wall_ms` is this node's wall clock.
    pub fn handle_entries(&mut self, entries: &Entries, now: Instant, wall_ms: u64) {
        let Waiting::Read { counts } = self.waiting else { return };
        self.waiting = Waiting::Nothing;
        self.clocks.observe(entries, now, wall_ms, &self.config);
        self.outage.see(entries, self.me.member);
        for gone in self.observer.see(entries, self.me.member, counts, now) {
            self.actions.push_back(MemberAction::Gone(gone));
        }
        for (node, seen) in self.observer.silent(entries, self.me.member) {
            if let Ok(step) = self.law.mark_dead(&node, seen) {
                self.observer.is_marked(node.member);
                self.actions.push_back(MemberAction::Commit(Box::new(step)));
            }
        }
        let mine = entries.nodes.iter().find(|(entry, _)| entry.member == self.me.member);
        let mine = mine.and_then(|(entry, _)| entry.standing.clone());
        match self.phase {
            Phase::Joining => self.join(entries, mine, now, wall_ms),
            Phase::In => self.stand(mine),
            Phase::Fenced | Phase::Left => {}
        }
    }

    fn join(&mut self, entries: &Entries, mine: Option<Standing>, now: Instant, wall_ms: u64) {
        if let Some(standing) = mine {
            // The join whose outcome was unknown is in.
            self.phase = Phase::In;
            self.actions.push_back(MemberAction::Joined);
            self.stand(Some(standing));
            return;
        }
        let Member { node, incarnation } = self.me.member;
        if entries.last == Some(incarnation) {
            // It was in, and has been declared dead and forgotten since.
            return self.stand(None);
        }
        let before = entries.last.map(|incarnation| {
            let member = Member { node, incarnation };
            let found = entries.nodes.iter().find(|(entry, _)| entry.member == member);
            found.map_or(Entry { member, standing: None }, |(entry, _)| entry.clone())
        });
        self.number += 1;
        let first = self.outage.beat(self.number, wall_ms);
        match self.law.join(self.me.member, &self.info, before.as_ref(), first) {
            Ok(step) => self.commit(step, now),
            Err(NotNow::StillThere(member)) => {
                self.actions.push_back(MemberAction::Waiting(member));
            }
            Err(_) => {}
        }
    }

    /// What stands in this node's entry.
    fn stand(&mut self, mine: Option<Standing>) {
        match mine.as_ref().map(|standing| standing.state) {
            Some(NodeState::Dead) | None => {
                self.phase = Phase::Fenced;
                self.lease_from = None;
                self.actions.push_back(MemberAction::Fenced);
            }
            Some(NodeState::Left) => {
                self.phase = Phase::Left;
                self.actions.push_back(MemberAction::Left);
            }
            Some(state) => {
                if state == NodeState::Draining && self.me.is_alive() {
                    self.actions.push_back(MemberAction::Draining);
                }
                self.me.standing = mine;
            }
        }
    }

    fn standing(&self, state: NodeState) -> Standing {
        Standing { state, info: Arc::clone(&self.info) }
    }

    /// Begins to drain, as soon as no other commit of this node is under way.
    pub const fn drain(&mut self) {
        self.wants_drain = true;
    }

    /// Leaves. `owned` is what a scan of the owner index found after [`MemberAction::Draining`].
    pub const fn leave(&mut self, owned: usize) {
        self.wants_leave = Some(owned);
    }

    /// A worker does not answer, or answers again: a node that is stuck stops beating, so that
    /// others take what it owns.
    pub const fn set_stuck(&mut self, stuck: bool) {
        self.stuck = stuck;
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<MemberAction> {
        self.actions.pop_front()
    }

    /// When `handle_timeout` is to be called, if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let over = matches!(self.phase, Phase::Fenced | Phase::Left);
        (!over && !self.stuck && self.waiting == Waiting::Nothing).then_some(self.next_beat)
    }

    /// Whether this node may act at `now`: asked right before each write to a socket.
    #[must_use]
    pub fn may_act(&self, now: Instant) -> bool {
        self.lease_until().is_some_and(|until| now < until)
    }

    /// Until when this node may act, as far as it knows; `None` while it may not at all.
    #[must_use]
    pub fn lease_until(&self) -> Option<Instant> {
        let mut lease = self.config.term.saturating_sub(self.config.margin);
        if canary!(ActsPastTerm) {
            lease *= 10;
        }
        let lease = self.last_beat()? + lease;
        Some(self.outage.until(lease).map_or(lease, |until| until.max(lease)))
    }

    /// When the last beat that is in was sent; `None` of a node that is not in its cluster.
    #[must_use]
    pub fn last_beat(&self) -> Option<Instant> {
        self.lease_from.filter(|_| self.phase == Phase::In)
    }

    /// Whom this node asks, when its beats do not get through, for how long they have counted its
    /// silence: nobody, if it acts by its lease alone.
    pub fn asks(&self) -> impl Iterator<Item = Member> {
        self.outage.asks()
    }

    /// One of them has answered what it was asked at `asked`; `None`: it does not say. What one
    /// said before holds for its time if it does not answer.
    pub fn handle_counted(&mut self, from: Member, asked: Instant, counted: Option<Duration>) {
        self.outage.answered(from, asked, counted);
    }

    /// One of them reaches the store, so this node alone does not: what they have said extends no
    /// lease.
    pub fn handle_reach(&mut self) {
        self.outage.forget();
    }

    /// For how long this node has counted the silence of another one, that asks at `now`. `None`:
    /// that one may be declared dead already.
    #[must_use]
    pub fn counted(&self, member: Member, now: Instant) -> Option<Duration> {
        self.observer.counted(member, now).filter(|_| self.phase == Phase::In)
    }

    /// Incarnations that were dead when their entries were removed, [`FORGOTTEN_MAX`] at most:
    /// their messages are refused, too.
    ///
    /// [`FORGOTTEN_MAX`]: crate::defaults::FORGOTTEN_MAX
    pub fn forgotten(&self) -> impl Iterator<Item = Member> {
        self.observer.forgotten()
    }

    /// Until when messages of this incarnation are taken, unless its beat changes: a term less the
    /// margin from when that was seen to change last. `None`: it is dead, or was never seen.
    #[must_use]
    pub fn heard_until(&self, member: Member) -> Option<Instant> {
        self.observer.heard_until(member)
    }

    /// The median of the live nodes' wall clocks.
    #[must_use]
    pub const fn wall_clock(&self) -> WallClock {
        self.clocks.wall()
    }

    /// This node's entry, as it last wrote it: what its commits check.
    #[must_use]
    pub const fn me(&self) -> &Entry {
        &self.me
    }
}
