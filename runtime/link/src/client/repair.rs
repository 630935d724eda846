//! A client without a connection: when it tries again, and where.

use core::time::Duration;

use super::{ClientEvent, ClientLink, Dial, Phase};
use crate::time::Instant;

/// Why a connection is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It broke, fell silent, or could not be opened.
    Network,
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
        match self.phase {
            Phase::Resting | Phase::Ended => return,
            // Told already, and dialing begins at its own time.
            Phase::Waiting { .. } => return,
            Phase::Live => {
                self.broken_at = now;
                // A fault would come again after each resume, and so would the break of a node
                // that only says Welcome: they count, or they never ended.
                let counts = cause == Cause::Fault || !self.useful;
                self.tries = if counts { self.tries + 1 } else { 0 };
                self.restart_at = None;
                if let Some(address) = self.advertised.take() {
                    self.preferred.push_front(address);
                }
                if self.leaving {
                    self.finish(crate::CloseCode::Left, "", None);
                    return;
                }
                self.tell(ClientEvent::RepairStarted);
            }
            Phase::Dialing { .. } | Phase::Handshaking { .. } => self.tries += 1,
        }
        if self.tries >= self.config.tries {
            self.fail();
            return;
        }
        let wait = self.backoff.wait(self.tries);
        self.phase = Phase::Waiting { until: now + wait };
        self.handle_timeout(now);
    }

    /// The node asked to wait: not a failed try, but there is an end to it, too.
    pub(super) fn wait_for(&mut self, after: Duration, now: Instant) {
        if now.since(self.broken_at) >= self.terms.timeout {
            self.fail();
            return;
        }
        // Some of the time is drawn, so that those who were refused together do not come together.
        let jitter = self.backoff.below(after / 4 + self.config.backoff_base);
        self.phase = Phase::Waiting { until: now + after + jitter };
    }

    fn fail(&mut self) {
        self.phase = Phase::Resting;
        self.tell(ClientEvent::RepairFailed);
    }

    /// The next try: the counter is raised before anything is sent.
    pub(super) fn dial(&mut self, now: Instant) {
        if let Some(identity) = &mut self.identity {
            // Saturated it is refused as old, and the session ends: it never comes to that.
            identity.attempt = identity.attempt.saturating_add(1);
        }
        let address = self.preferred.pop_front().unwrap_or_else(|| {
            let index = self.next_address % self.config.addresses.len().max(1);
            self.next_address = index + 1;
            self.config.addresses.get(index).cloned().unwrap_or_default()
        });
        self.phase = Phase::Dialing { until: now + self.config.try_timeout };
        self.dial = Some(Dial { address });
    }
}
