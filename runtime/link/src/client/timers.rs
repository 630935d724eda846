//! The timers of a client's side, as data: each is computed, none is kept.

use super::{ClientLink, Phase, repair::Cause};
use crate::time::Instant;
use crate::{code::CloseCode, frame::Close, frame::Frame};

impl ClientLink {
    /// When `handle_timeout` must be called next.
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Resting | Phase::Ended => None,
            Phase::Waiting { until } | Phase::Dialing { until } | Phase::Handshaking { until } => {
                Some(until)
            }
            Phase::Live => {
                let mut next = self.half_open_at().min(self.ping_at());
                next = next.min(self.numbering.ack_due().unwrap_or(next));
                Some(next.min(self.restart_at.unwrap_or(next)))
            }
        }
    }

    /// Time has passed. What is due on a live connection leaves with the next `poll_transmit`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_half_open = self.phase == Phase::Live && self.is_half_open(now);
        match self.phase {
            Phase::Waiting { until } if until <= now => self.dial(now),
            Phase::Dialing { until } | Phase::Handshaking { until } if until <= now => {
                self.hang_up = true;
                self.break_off(Cause::NoAnswer, now);
            }
            Phase::Live if is_half_open => {
                let ack = self.numbering.ack_told();
                let code = CloseCode::HalfOpen;
                Frame::Close(Close { code, ack, text: "" }).write(&mut self.control);
                self.hang_up = true;
                self.break_off(Cause::Silence, now);
            }
            Phase::Live if self.restart_at.is_some_and(|at| at <= now) => {
                self.hang_up = true;
                self.break_off(Cause::Network, now);
            }
            _ => {}
        }
    }

    pub(super) fn ping_at(&self) -> Instant {
        self.silence.ping_at(self.terms.heartbeat)
    }

    fn half_open_at(&self) -> Instant {
        self.silence.half_open_at(self.terms.heartbeat, self.clock.rtt())
    }

    fn is_half_open(&mut self, now: Instant) -> bool {
        self.silence.is_half_open(now, self.terms.heartbeat, self.clock.rtt())
    }
}
