//! A client without a connection: when it tries again, and where.

use core::time::Duration;

use super::{ClientEvent, ClientLink, Dial, Phase};
use crate::time::Instant;

/// Why a connection is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It broke, or could not be opened.
    Network,
    /// The time of the try was over.
    NoAnswer,
    /// Nothing came over it any more: it may be the node that stands still.
    Silence,
    /// One side broke the protocol.
    Fault,
}

impl ClientLink {
    /// The connection is gone, or could not be opened.
    pub fn handle_disconnected(&mut self, now: Instant) {
        // What was written for that connection has no place on the next one.
        self.control = Vec::new();
        self.break_off(Cause::Network, now);
    }

    /// The connection is no more: the tries begin, or one of them has failed.
    pub(super) fn break_off(&mut self, cause: Cause, now: Instant) {
        let counts = match self.phase {
            Phase::Resting | Phase::Ended => return,
            // Told already, and dialing begins at its own time.
            Phase::Waiting { .. } => return,
            Phase::Live => {
                if self.leaving {
                    self.finish(crate::CloseCode::Left, "", None);
                    return;
                }
                // A fault would come again after each resume, and so would the break of a node
                // that only says Welcome: they count, or they never ended.
                let counts = cause == Cause::Fault || !self.useful;
                self.begin_repair(counts, cause, now);
                counts
            }
            Phase::Dialing { .. } | Phase::Handshaking { .. } => {
                // More time might have brought an answer.
                let was_short = cause == Cause::NoAnswer && self.route.is_short();
                let counts = cause == Cause::Fault || self.route.counts() && !was_short;
                if !counts {
                    self.try_elsewhere(now);
                    return;
                }
                counts
            }
        };
        self.tries += u32::from(counts);
        if self.tries >= self.config.tries {
            self.fail();
            return;
        }
        let wait = self.backoff.wait(self.tries);
        self.try_at(now + wait, now);
    }

    /// A try that does not count has failed, or another address may do better than this one.
    pub(super) fn try_elsewhere(&mut self, now: Instant) {
        if self.time_left(now).is_zero() {
            self.fail();
            return;
        }
        // The next one is at another address: soon, and not together with a crowd.
        let wait = self.backoff.wait(self.tries.max(1));
        self.try_at(now + wait, now);
    }

    /// A live connection is no more.
    fn begin_repair(&mut self, failed: bool, cause: Cause, now: Instant) {
        self.broken_at = now;
        if !failed {
            self.tries = 0;
        }
        self.restart_at = None;
        self.route.broke(failed, cause == Cause::Silence);
        self.tell(ClientEvent::RepairStarted);
    }

    /// The node asked to wait, or to go elsewhere: not a failed try, but there is an end to it,
    /// too. `goes_on`: it named addresses to go to.
    pub(super) fn wait_for(&mut self, after: Duration, goes_on: bool, now: Instant) {
        let left = self.time_left(now);
        if left.is_zero() {
            self.fail();
            return;
        }
        self.refusals = self.refusals.saturating_add(1);
        let wait = if goes_on && after.is_zero() && !self.route.is_led_around() {
            Duration::ZERO
        } else if after.is_zero() {
            self.backoff.wait(self.refusals)
        } else {
            // Some of the time is drawn, so that those who were refused together do not come
            // together.
            after + self.backoff.below(after / 4 + self.config.backoff_base)
        };
        self.try_at(now + wait.min(left), now);
    }

    /// How long what does not count as a try may go on.
    fn time_left(&self, now: Instant) -> Duration {
        let total = self.config.total_time.unwrap_or(self.terms.timeout);
        total.saturating_sub(now.since(self.broken_at))
    }

    fn fail(&mut self) {
        self.phase = Phase::Resting;
        self.tell(ClientEvent::RepairFailed);
    }

    /// The next try is due at `until`, which may be now.
    pub(super) fn try_at(&mut self, until: Instant, now: Instant) {
        self.phase = Phase::Waiting { until };
        self.handle_timeout(now);
    }

    /// The next try: the counter is raised before anything is sent.
    pub(super) fn dial(&mut self, now: Instant) {
        if let Some(identity) = &mut self.identity {
            // Saturated it is refused as old, and the session ends: it never comes to that.
            identity.attempt = identity.attempt.saturating_add(1);
        }
        let (address, timeout) = self.route.next(&self.config, self.clock.rtt());
        self.phase = Phase::Dialing { until: now + timeout };
        self.dial = Some(Dial { address });
    }
}
