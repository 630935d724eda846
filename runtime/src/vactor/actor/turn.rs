//! Turns of a VActor: when one begins, and what comes of its end.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, atomic::Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{FutureExt as _, Stream as _};
use throughline_canary::canary;
use throughline_cluster::{Member, RecordId};
use throughline_link::Instant;
use throughline_queue::Pieces;

use super::{
    VActorActor,
    commit::{Again, Committing, Finished},
    leave,
    queued::{QueuedTurn, TURNS_BETWEEN},
    work::{Failure, Input, Replier, Work},
};
use crate::{
    actor::Hook,
    clock::Clock,
    counters::is_worth_a_line,
    node::Shared,
    peers,
    queues::Loss,
    session::HandlerError,
    token::Origin,
    vactor::{
        AskError, Durability, Instance, Job, Mode, Payload, Rejection, TurnFuture,
        reminders::{Change, REMINDERS_MAX, Reminders},
        stage::{Staged, names},
    },
    worker::Began,
};

/// A turn under way.
pub(super) struct Turn {
    future: TurnFuture,
    pub(super) replier: Replier,
    pub(super) what: What,
    began: Began,
    /// How often a reminder, or the news of a loss, was tried.
    pub(super) tries: u32,
    /// The reminders before the one that this turn is for.
    pub(super) before: Option<Reminders>,
}

/// What a turn is for.
#[derive(Debug, Clone)]
pub(super) enum What {
    Activated,
    Deactivating,
    Reminded(String),
    PeerLost(Box<Loss>),
    Message,
    Queued(Box<QueuedTurn>),
    /// Nothing: a message that cannot be handled is taken out of the inbox.
    SetAside,
}

impl What {
    /// Whether it is a message of the inbox, or takes one out.
    pub(super) const fn is_queued(&self) -> bool {
        matches!(self, Self::Queued(_) | Self::SetAside)
    }

    /// What its commit takes out of the inbox.
    fn used_up(&self) -> Option<Pieces> {
        match self {
            Self::Queued(queued) => queued.used_up.clone(),
            _ => None,
        }
    }
}

/// A read under way, with who waits for it.
pub(super) type ReadFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Answers to other nodes are held back for so long, to leave together: less than a round trip.
const ANSWERS_HELD: Duration = Duration::from_micros(100);
/// How often that is looked at, in turns.
const ANSWERS_LOOK: u32 = 4;

/// The answers of the turns of one wake-up, which leave together, unless turns take long.
#[derive(Debug)]
pub(super) struct HeldAnswers {
    hold: peers::Hold,
    until: Instant,
    turns: u32,
}

impl HeldAnswers {
    pub(super) fn new(now: Instant) -> Self {
        Self { hold: peers::hold(), until: now + ANSWERS_HELD, turns: 0 }
    }

    fn pass_turn(&mut self, clock: &Clock) {
        self.turns += 1;
        if !self.turns.is_multiple_of(ANSWERS_LOOK) {
            return;
        }
        let now = clock.now();
        if now >= self.until {
            self.hold.release();
            self.until = now + ANSWERS_HELD;
        }
    }
}

impl VActorActor {
    /// Takes a message: it waits for its turn, unless it must not.
    pub(super) fn take_work(&mut self, work: Work) {
        let waits_here = self.turn.is_some() && work.chain.contains(&self.id);
        if !waits_here {
            self.inbox.push_back(Input::Work(work));
            return;
        }
        // The turn under way waits for this one.
        self.usage.waiting.fetch_sub(1, Ordering::Relaxed);
        if work.message.1 == Mode::ReadReentrant
            && self.acts
            && let Some(before) = self.before()
        {
            let read = before.read(work.message.0, work.payload);
            return self.begin_read(read, work.replier);
        }
        let mut chain = names(&work.chain);
        chain.push(self.id.to_string());
        work.replier.reply(Err(Failure::Ask(AskError::Deadlock { chain })));
    }

    /// Whether the state before the turn under way is kept.
    fn has_copy(&self) -> bool {
        self.settings.keep_copy || self.settings.durability == Durability::EveryTurn
    }

    /// This VActor as it was before the turn under way, if that is kept.
    fn before(&self) -> Option<Box<dyn Instance>> {
        if !self.has_copy() {
            return None;
        }
        let kind = self.worker.node.vactors.kind(self.kind);
        let (copy, version) = (&self.copy.0, self.copy.1);
        let make = || kind.make(&self.stage, Some((copy, version)));
        std::panic::catch_unwind(AssertUnwindSafe(make)).ok()?.ok()
    }

    /// Runs what waits. True if anything ended or began.
    pub(super) fn run_inbox(
        &mut self,
        cx: &mut Context<'_>,
        turns_left: &mut u32,
        now: Instant,
        answers: &mut HeldAnswers,
    ) -> bool {
        let mut any = false;
        while *turns_left > 0 && self.turn.is_none() && !self.is_over && !self.is_suspended() {
            let is_read = |input: &Input| match input {
                Input::Work(work) => work.message.1 != Mode::Turn,
                _ => false,
            };
            match self.inbox.front() {
                None => break,
                // A turn waits for the reads before it.
                Some(input) if !is_read(input) && !self.reads.is_empty() => break,
                Some(_) => {}
            }
            let leaves = self.leaving.is_wanted() && !self.has_not_begun();
            let is_full = self.reads.len() >= self.worker.node.config.vactor.mailbox;
            let queued = self.inboxes.has_next() && self.since_queued >= TURNS_BETWEEN;
            if leaves || is_full || queued {
                break;
            }
            let Some(input) = self.inbox.pop_front() else { break };
            (*turns_left, any) = (*turns_left - 1, true);
            self.since_queued = self.since_queued.saturating_add(1);
            self.has_reminded = false;
            self.begin_input(input, now);
            self.poll_turn(cx, now);
            answers.pass_turn(&self.worker.node.clock);
        }
        any
    }

    fn begin_input(&mut self, input: Input, now: Instant) {
        self.note_used(now);
        match input {
            Input::Activated(why) => {
                self.begin_turn(Job::Activated(why), What::Activated, Replier::Nobody, now);
            }
            Input::PeerLost(loss) => self.begin_peer_lost(loss, 1, now),
            Input::Work(work) => {
                self.usage.waiting.fetch_sub(1, Ordering::Relaxed);
                if work.until <= now {
                    return work.replier.reject(Rejection::Late);
                }
                if work.message.1 != Mode::Turn {
                    let read = self.instance.read(work.message.0, work.payload);
                    return self.begin_read(read, work.replier);
                }
                // Nobody waits for a tell: what it leads to has its own time.
                let until = (!work.replier.is_nobody()).then_some(work.until);
                self.stage.caller().set_chain(&work.chain, until);
                let job = Job::Message(work.message.0, work.payload);
                self.begin_turn(job, What::Message, work.replier, now);
            }
        }
    }

    /// It has something to do: those that have not for longer make room first.
    pub(super) fn note_used(&mut self, now: Instant) {
        self.used = now;
        self.usage.used.store(now.as_micros(), Ordering::Relaxed);
    }

    pub(super) fn begin_turn(&mut self, job: Job, what: What, replier: Replier, now: Instant) {
        if !matches!(what, What::Message) {
            self.stage.caller().set_chain(&[], None);
        }
        if let Err(error) = self.keep_copy() {
            // Nothing of the turn has run.
            self.note_failure(&error.to_string());
            return replier.reject(Rejection::HandlerFailed);
        }
        self.stage.caller().set_origin(match &what {
            What::Queued(queued) => Origin::Queued(queued.message.position()),
            _ => Origin::Nameless,
        });
        let future = self.instance.turn(job);
        let began = self.worker.begin(now);
        self.turn = Some(Turn { future, replier, what, began, tries: 1, before: None });
    }

    /// The state as it is now, to go back to.
    fn keep_copy(&mut self) -> Result<(), HandlerError> {
        if self.has_copy() {
            self.copy.0.clear();
            self.copy.1 = write(&*self.instance, self.settings.state_version, &mut self.copy.0)?;
        }
        Ok(())
    }

    fn begin_read(&self, read: TurnFuture, replier: Replier) {
        let guarded = AssertUnwindSafe(read).catch_unwind();
        let (id, node) = (self.id.clone(), Arc::clone(&self.worker.node));
        let owner = self.holding.as_ref().and_then(|holding| holding.held.header().owner);
        let worker = Rc::clone(&self.worker);
        self.reads.push(Box::pin(async move {
            match worker.within(guarded).await {
                // It may have waited longer than the lease.
                Ok(Ok(Ok(_))) if !may_act(&node, owner) => {
                    replier.reply(Err(Failure::Ask(AskError::Unknown)));
                }
                Ok(Ok(Ok(reply))) => replier.reply(Ok(reply.unwrap_or_else(leave::nothing))),
                Ok(Ok(Err(error))) => {
                    note_failure(&node, &id, &error.to_string());
                    replier.reject(rejection(&error));
                }
                Err(_) => {
                    note_failure(&node, &id, "overran session.turn-deadline");
                    replier.reject(Rejection::HandlerFailed);
                }
                Ok(Err(_)) => {
                    note_failure(&node, &id, "panicked");
                    replier.reject(Rejection::HandlerFailed);
                }
            }
        }));
    }

    /// Goes on with the reads under way. True if one ended.
    pub(super) fn poll_reads(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while !self.reads.is_empty()
            && let Poll::Ready(Some(())) = Pin::new(&mut self.reads).poll_next(cx)
        {
            any = true;
        }
        any
    }

    /// When the turn under way has taken too long.
    pub(super) fn turn_deadline(&self, now: Instant) -> Option<Instant> {
        let turn = self.turn.as_ref()?;
        Some(self.worker.deadline(turn.began, now))
    }

    /// Goes on with the turn under way, or begins the last one. True if it ended.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if let Some(why) = self.last_turn() {
            self.begin_turn(Job::Deactivating(why), What::Deactivating, Replier::Nobody, now);
            if self.turn.is_none() {
                self.stay("its state cannot be written");
                return true;
            }
        }
        if !self.acts {
            return false;
        }
        let Some(turn) = &mut self.turn else { return false };
        let is_overdue = self.worker.deadline(turn.began, now) <= now;
        let pulse = &self.worker.pulse;
        pulse.enter(self.worker.node.kinds.len() + self.kind, Hook::Handler, now);
        let future = AssertUnwindSafe(|| turn.future.as_mut().poll(cx));
        let polled = std::panic::catch_unwind(future);
        pulse.leave();
        // It may have taken longer than the lease.
        self.acts = self.may_act();
        match polled {
            // Only now: where the process stood still, nothing in it had a chance before.
            Ok(Poll::Pending) if is_overdue && self.acts => {
                self.fail(Rejection::HandlerFailed, "overran session.turn-deadline", now);
            }
            Ok(Poll::Pending) => {
                if let Some(turn) = &mut self.turn {
                    self.worker.pended(&mut turn.began, now);
                }
                return false;
            }
            Ok(Poll::Ready(Ok(reply))) => self.end(reply, now),
            Ok(Poll::Ready(Err(error))) => self.fail(rejection(&error), &error.to_string(), now),
            Err(_) => self.fail(Rejection::HandlerFailed, "panicked", now),
        }
        true
    }

    /// The turn has returned.
    fn end(&mut self, reply: Option<Payload>, now: Instant) {
        if let Some(fault) = self.stage.take_fault() {
            return self.fail(Rejection::HandlerFailed, &fault.to_string(), now);
        }
        let Staged { changes, forgets, deactivates } = self.stage.take_staged();
        let popped = self.turn.as_mut().and_then(|turn| turn.before.take());
        let again = self.again();
        let before = popped.or_else(|| (!changes.is_empty()).then(|| self.reminders.clone()));
        for change in changes {
            if let Change::Set { name, .. } = &change
                && !self.reminders.has_room(name)
            {
                self.reminders = before.unwrap_or_default();
                let why = format!("has more than {REMINDERS_MAX} reminders");
                return self.fail(Rejection::HandlerFailed, &why, now);
            }
            self.reminders.apply(change);
        }
        let Some(turn) = self.turn.take() else { return };
        self.worker.pulse.count_turn();
        self.note_time(turn.began.at, now);
        let Turn { replier, what, .. } = turn;
        let used_up = what.used_up();
        let pokes = Vec::new();
        let finished = Finished {
            replier,
            reply,
            what,
            reminders: before,
            again,
            forgets,
            deactivates,
            pokes,
        };
        // The commit that it leaves with is still to come.
        let has_effects = {
            let effects = self.stage.effects().borrow();
            let every = self.settings.durability == Durability::EveryTurn;
            !effects.durable.is_empty() || every && !effects.others.is_empty()
        };
        let leaves = matches!(finished.what, What::Deactivating) && !has_effects;
        if !leaves && (self.needs_commit() || used_up.is_some()) {
            self.commit_turn(finished, used_up.unwrap_or_default());
        } else if self.acts {
            self.release(finished);
        } else {
            self.committing = Some(Committing::Lease(finished));
        }
    }

    /// How the reminder is tried again whose turn has returned, if it cannot be written.
    fn again(&self) -> Option<Again> {
        let turn = self.turn.as_ref()?;
        let is_reminded = matches!(turn.what, What::Reminded(_));
        is_reminded.then(|| Again { reminders: self.reminders.clone(), tries: turn.tries })
    }

    /// A running mean, over about eight turns.
    fn note_time(&self, began: Instant, now: Instant) {
        let took = u64::try_from(now.since(began).as_micros()).unwrap_or(u64::MAX);
        let mean = self.usage.turn_us.load(Ordering::Relaxed);
        if took != mean {
            self.usage.turn_us.store(mean - mean / 8 + took / 8, Ordering::Relaxed);
        }
    }

    /// The turn under way failed, and has no effect.
    fn fail(&mut self, rejection: Rejection, why: &str, now: Instant) {
        self.note_failure(why);
        if !canary!(FailedTurnLeaves) {
            self.stage.clear();
        }
        let Some(turn) = self.turn.take() else { return };
        let Turn { replier, what, tries, future, before, .. } = turn;
        // What a hook under way had may panic when it is dropped.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(future)));
        replier.reject(rejection);
        match what {
            What::Activated => return self.refuse_beginning(),
            What::Deactivating => {
                self.restore();
                if !self.is_over {
                    self.stay("its last turn failed");
                }
                return;
            }
            _ => self.restore(),
        }
        match what {
            What::Reminded(name) if !self.is_over => self.try_again(name, tries, before, now),
            What::PeerLost(loss) if !self.is_over => self.try_loss_again(loss, tries, now),
            What::Queued(queued) => self.try_queued_again(*queued, why),
            _ => {}
        }
    }

    /// The state as it was before the turn; without a copy the VActor begins anew.
    pub(super) fn restore(&mut self) {
        if canary!(FailedTurnKept) {
            return;
        }
        match self.before() {
            Some(before) => {
                let failed = std::mem::replace(&mut self.instance, before);
                // What a game's state does when it is dropped may panic.
                let _ = std::panic::catch_unwind(AssertUnwindSafe(|| drop(failed)));
            }
            None => self.crash(),
        }
    }

    pub(super) fn note_failure(&self, why: &str) {
        note_failure(&self.worker.node, &self.id, why);
    }
}

/// Whether this node may act for what that incarnation owns.
fn may_act(node: &Shared, owner: Option<Member>) -> bool {
    node.cluster.may_act(node.clock.lease_now()) && node.cluster.is_mine(owner)
}

/// The state in bytes. The game's own types may write themselves, and panic.
pub(super) fn write(
    instance: &dyn Instance,
    version: u32,
    out: &mut Vec<u8>,
) -> Result<u32, HandlerError> {
    std::panic::catch_unwind(AssertUnwindSafe(|| instance.write(version, out)))
        .unwrap_or_else(|_| Err(HandlerError::new("writing its state panicked")))
}

/// What who asks is told.
fn rejection(error: &HandlerError) -> Rejection {
    if error.is_unreadable() { Rejection::Unreadable } else { Rejection::HandlerFailed }
}

fn note_failure(node: &Shared, id: &RecordId, why: &str) {
    let count = node.vactors.counts.failed_turns.fetch_add(1, Ordering::Relaxed) + 1;
    if is_worth_a_line(count) {
        log::error!("{id}: a turn failed: {why}; {count} so far");
    }
}
