//! The loop of a session's actor.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix::{Actor, ActorContext, ActorFuture, AsyncContext};
use throughline_canary::canary;
use throughline_link::Instant;

use super::{Ending, SessionActor};
use crate::session::Session;

/// Rounds of one wake-up, at most: a busy session lets its neighbours on, and comes back.
const ROUNDS_MAX: usize = 4;

/// Turns begun in one wake-up, at most, for the same reason. Half a window: enough for system calls
/// to be shared by many messages, few enough that slow turns of one session do not add up.
const TURNS_MAX: u32 = 128;

/// How often a session whose node may not act looks whether it may again.
const LEASE_LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// The actor's only future: polled whenever anything of the session may go on.
struct Drive;

impl<S: Session> Actor for SessionActor<S> {
    type Context = actix::Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.worker.node.config.session.mailbox);
        ctx.spawn(Drive);
    }
}

impl<S: Session> ActorFuture<SessionActor<S>> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut SessionActor<S>,
        ctx: &mut actix::Context<SessionActor<S>>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        if std::thread::current().id() != actor.worker.thread {
            let counters = &actor.worker.node.counters;
            counters.foreign_polls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        if actor.ending != Ending::Forgotten {
            actor.drive(task);
        }
        if actor.ending == Ending::Forgotten {
            if !std::mem::replace(&mut actor.leaving.last_look, true) {
                // What was sent while it was still found is in its mailbox, which is polled first.
                actor.unlist();
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            actor.send_on();
            ctx.stop();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<S: Session> SessionActor<S> {
    fn drive(&mut self, cx: &mut Context<'_>) {
        // Read once: what a wake-up does is one moment to the session.
        let mut now = self.worker.node.clock.now();
        self.turns_left = TURNS_MAX;
        self.acts = self.may_act();
        if !self.acts && self.is_stale() {
            self.fence(now);
        }
        for round in 0.. {
            let mut goes_on = self.own(cx, now);
            goes_on |= self.take_mail(now);
            goes_on |= self.read_queues(cx);
            if self.is_suspended() {
                // What its client says meanwhile is heard later.
                if let Some(connection) = &mut self.connection {
                    connection.paused = true;
                }
                goes_on |= self.finish_turn(cx, now);
                if canary!(EffectsBeforeCommit) && self.committing.is_some() {
                    self.write(cx, now);
                }
                if canary!(AckBeforeCommit) && self.committing.is_some() {
                    self.fill(cx, now, 0);
                }
                if goes_on && round + 1 < ROUNDS_MAX {
                    continue;
                }
                if goes_on || !self.arm_suspended(cx, now) {
                    cx.waker().wake_by_ref();
                }
                return;
            }
            if self.is_held_back() {
                goes_on |= self.write(cx, now);
            }
            if self.link.poll_timeout().is_some_and(|at| at <= now) {
                // Where the thread stood still, what the client has said meanwhile is there.
                goes_on |= self.read(cx, now);
            }
            self.handle_timeouts(now);
            goes_on |= self.run_turns(cx, now);
            goes_on |= self.read(cx, now);
            goes_on |= self.handle_link_events(now);
            // A commit that this round began is polled by the next one; until it is in, nothing
            // leaves.
            goes_on |= self.is_suspended() || self.write(cx, now);
            if !goes_on {
                if self.arm(cx, now) {
                    return;
                }
                now = self.worker.node.clock.now();
            }
            if round + 1 == ROUNDS_MAX || self.turns_left == 0 {
                cx.waker().wake_by_ref();
                return;
            }
        }
    }

    fn handle_timeouts(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.signs = None;
            // Who is not listened to cannot be heard.
            if connection.paused {
                self.link.forgive_silence(now);
            }
        }
        if self.link.poll_timeout().is_some_and(|at| at <= now) {
            self.link.handle_timeout(now);
            // A heartbeat at most, in one that is quiet: what it keeps for busy times is for
            // others.
            self.inbox.give_back();
            if self.mail.is_empty() {
                self.mail = VecDeque::new();
            }
        }
        self.queue_timers(now);
        self.park_if_due(now);
        if let Ending::Ended(until) = self.ending
            && self.holding.is_none()
            && (until <= now
                || self.connection.is_none() && (self.link.is_over() || self.is_told_only()))
        {
            self.dismiss();
            self.ending = Ending::Forgotten;
        }
        let closing = self.connection.as_ref().and_then(|connection| connection.closing);
        if closing.is_some_and(|(_, until)| until <= now) {
            self.drop_connection(now);
        }
    }

    /// While nothing goes on, only a turn under way may overrun, the lease may come back, and the
    /// client is to know that its node is there.
    fn arm_suspended(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let look = (!self.acts).then(|| now + LEASE_LOOK);
        // A turn that is overdue is ended when the lease is back: until then it is no reason to
        // look again at once.
        let deadline = self.turn_deadline(now).filter(|_| self.acts);
        let sign = self.show_life(cx, now);
        match [deadline, look, sign].into_iter().flatten().min() {
            Some(next) => self.arm_at(cx, next, now),
            None => true,
        }
    }

    /// Sets the alarm for what comes next. False if it is due already.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        match self.next_timeout(now) {
            Some(next) => self.arm_at(cx, next, now),
            None => true,
        }
    }

    fn arm_at(&mut self, cx: &mut Context<'_>, next: Instant, now: Instant) -> bool {
        if next <= now {
            return false;
        }
        // A later time needs no new alarm: the one that is set wakes us early, and is set again.
        let clock = &self.worker.node.clock;
        match &mut self.sleep {
            // Polled once when it was set: its wake-up is on its way.
            Some(_) if self.armed > now && self.armed <= next => true,
            Some(sleep) => {
                self.armed = next;
                sleep.as_mut().reset(clock.at(next));
                let pending = sleep.as_mut().poll(cx).is_pending();
                if !pending {
                    self.armed = Instant::ZERO;
                }
                pending
            }
            none => {
                let mut sleep = Box::pin(tokio::time::sleep_until(clock.at(next)));
                self.armed = next;
                let pending = sleep.as_mut().poll(cx).is_pending();
                if !pending {
                    self.armed = Instant::ZERO;
                }
                *none = Some(sleep);
                pending
            }
        }
    }

    fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let connection = self.connection.as_ref();
        let simulated = self.simulated.as_deref();
        let times = [
            self.link.poll_timeout(),
            self.turn_deadline(now),
            // One that ends is not parked, and its time has no end.
            self.park_at().filter(|_| self.ending == Ending::No),
            self.end_again,
            // A timer that finds no room comes when there is some, not at a time.
            self.timers.next().filter(|_| self.ending == Ending::No && self.has_room_for_others()),
            connection.and_then(|connection| connection.closing).map(|(_, until)| until),
            connection.and_then(|connection| connection.held_until),
            simulated.and_then(|link| link.inward.next()),
            // What the line lets through waits for the socket, not for a time.
            simulated
                .and_then(|link| link.outward.next())
                .filter(|_| connection.is_some_and(|connection| connection.unsent.is_empty())),
            match self.ending {
                // Until its end is written it stays, and the answer to that commit wakes it.
                Ending::Ended(until) if self.holding.is_none() => Some(until),
                _ => None,
            },
        ];
        times.into_iter().flatten().min()
    }
}
