//! The loop of a VActor's actor.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::{ActorContext, ActorFuture};
use throughline_link::Instant;

use super::{ToVActor, VActorActor, turn::HeldAnswers, work::Input};
use crate::vactor::Deactivation;

/// Rounds of one wake-up, at most: a busy VActor lets its neighbours on, and comes back.
const ROUNDS_MAX: usize = 4;

/// Turns begun in one wake-up, at most, for the same reason.
pub(super) const TURNS_MAX: u32 = 128;

/// How often a VActor whose node may not act looks whether it may again.
const LEASE_LOOK: Duration = Duration::from_millis(50);

/// One whose next reminder is so near stays in memory.
const REMINDER_NEAR_MS: u64 = 2_000;

/// The actor's only future: polled whenever anything may go on.
pub(super) struct Drive;

impl ActorFuture<VActorActor> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut VActorActor,
        ctx: &mut actix::Context<VActorActor>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        if !actor.is_over {
            actor.drive(task);
        }
        if actor.is_over {
            // Nobody finds it any more; what was sent while it was still found is sent on.
            actor.unlist();
            actor.send_on();
            ctx.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl VActorActor {
    fn drive(&mut self, cx: &mut Context<'_>) {
        let mut now = self.worker.node.clock.now();
        let mut turns_left = TURNS_MAX;
        let mut answers = HeldAnswers::new(now);
        self.acts = self.may_act();
        if !self.acts && self.is_stale() {
            self.fence();
        }
        for round in 0.. {
            let mut goes_on = self.own(cx);
            goes_on |= self.take_mail(cx, now);
            goes_on |= self.poll_turn(cx, now);
            goes_on |= self.poll_reads(cx);
            goes_on |= self.release_waiting();
            goes_on |= self.read_inbox(cx);
            if !self.is_over && !self.is_suspended() {
                if self.begin_reminder(now) {
                    self.poll_turn(cx, now);
                    goes_on = true;
                }
                goes_on |= self.run_inbox(cx, &mut turns_left, now, &mut answers);
                goes_on |= self.take_queued(now);
                goes_on |= self.leave_if_idle(now);
            }
            if self.is_over {
                return;
            }
            if !goes_on {
                if self.arm(cx, now) {
                    return;
                }
                now = self.worker.node.clock.now();
            }
            if round + 1 >= ROUNDS_MAX || turns_left == 0 {
                cx.waker().wake_by_ref();
                return;
            }
        }
    }

    /// Whether nothing begins.
    pub(super) fn is_suspended(&self) -> bool {
        let free = self.holding.as_ref().is_some_and(|holding| holding.held.may_act());
        !self.acts || !free || self.committing.is_some() || self.leaving.is_under_way()
    }

    /// Takes what was said since the last round.
    fn take_mail(&mut self, cx: &Context<'_>, now: Instant) -> bool {
        let mut mail = std::mem::take(&mut self.mail);
        let any = self.mailbox.poll_take(cx, &mut mail);
        for message in mail.drain(..) {
            match message {
                ToVActor::Work(work) => self.take_work(work),
                ToVActor::Poked => {
                    let bits = self.usage.poked.swap(0, std::sync::atomic::Ordering::AcqRel);
                    self.inboxes.look(bits);
                }
                ToVActor::Heard(news) => self.hear(*news),
                ToVActor::Leave(why, to) => self.leaving.want(why, to),
                ToVActor::Fenced => self.fence(),
            }
        }
        self.mail = mail;
        if any {
            self.used = now;
        }
        any
    }

    /// Whether the turn of its beginning has still to come.
    pub(super) fn has_not_begun(&self) -> bool {
        matches!(self.inbox.front(), Some(Input::Activated(_)))
    }

    /// Whether anything is under way or waits.
    pub(super) fn is_idle(&self) -> bool {
        self.inbox.is_empty()
            && self.turn.is_none()
            && self.reads.is_empty()
            && !self.inboxes.has_next()
    }

    fn leave_if_idle(&mut self, now: Instant) -> bool {
        if self.leaving.is_wanted() && self.turn.is_none() && self.reads.is_empty() {
            let begun = !self.has_not_begun();
            return begun && self.begin_leaving();
        }
        if !self.is_idle() || now < self.used + self.settings.idle {
            return false;
        }
        let wall = self.worker.node.cluster.wall_ms();
        if self.reminders.next().is_some_and(|at| at < wall + REMINDER_NEAR_MS) {
            self.used = now;
            return false;
        }
        self.leaving.want(Deactivation::Idle, None);
        self.begin_leaving()
    }

    /// Sets the alarm for what comes next. False if it is due already.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(next) = self.next_timeout(now) else { return true };
        if next <= now {
            return false;
        }
        // A later time needs no new alarm: the one that is set wakes us early, and is set again.
        if self.sleep.is_some() && self.armed > now && self.armed <= next {
            return true;
        }
        let at = self.worker.node.clock.at(next);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        sleep.as_mut().reset(at);
        let pending = sleep.as_mut().poll(cx).is_pending();
        self.armed = if pending { next } else { Instant::ZERO };
        pending
    }

    fn next_timeout(&self, now: Instant) -> Option<Instant> {
        // While it may not act, the turn is not looked at.
        let deadline = self.turn_deadline(now).filter(|_| self.acts);
        if self.is_suspended() {
            let look = (!self.acts).then(|| now + LEASE_LOOK);
            return [deadline, look].into_iter().flatten().min();
        }
        let reminder = self.reminders.next().map(|at| {
            let left = at.saturating_sub(self.worker.node.cluster.wall_ms());
            // A millisecond at least, since both clocks are read: it must not spin.
            now + Duration::from_millis(left.max(1))
        });
        let idle = self.is_idle().then(|| (self.used + self.settings.idle).max(now));
        [deadline, reminder, idle].into_iter().flatten().min()
    }
}
