//! The timers of a node's side, as data: each is computed, none is kept.

use super::NodeLink;
use crate::{code::CloseCode, defaults::HALF_OPEN_HEARTBEATS, frame::Frame, time::Instant};

impl NodeLink {
    /// When `handle_timeout` must be called next.
    #[inline]
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.connected {
            return (!self.is_ended()).then(|| self.away + self.config.session_timeout);
        }
        if self.closing.is_some() {
            // The driver closes it, in its own time; nothing more is expected from the client.
            return None;
        }
        let mut next = self.ping_at().unwrap_or_else(|| self.half_open_at());
        next = next.min(self.numbering.ack_due().unwrap_or(next));
        if !self.is_ended() {
            next = next.min(self.slow_at().unwrap_or(next));
            next = next.min(self.idle_at().unwrap_or(next));
        }
        Some(next)
    }

    /// Time has passed. An ack that is due leaves with the next `poll_transmit`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.connected {
            if !self.is_ended() && self.away + self.config.session_timeout <= now {
                self.end(CloseCode::Expired);
            }
            return;
        }
        if self.half_open_at() <= now {
            self.close(CloseCode::HalfOpen);
        } else if self.ping_at().is_some_and(|at| at <= now) {
            self.pinged = true;
            Frame::Ping(now.as_micros()).write(&mut self.control);
        }
        if self.slow_at().is_some_and(|at| at <= now) {
            self.end(CloseCode::SlowConsumer);
        }
        if self.idle_at().is_some_and(|at| at <= now) {
            self.end(CloseCode::Idle);
        }
    }

    /// The driver could not read for a while, by its own choice: silence says nothing.
    pub fn forgive_silence(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = false;
        self.active = now;
        if let Some((since, _)) = &mut self.unacked_since {
            *since = now;
        }
    }

    /// When a client that should have sent its own Ping has not. One whose timers are held up, as
    /// in a tab in the background, still answers.
    fn ping_at(&self) -> Option<Instant> {
        (!self.pinged).then(|| self.heard + self.config.heartbeat * 3 / 2)
    }

    /// When nothing was heard for two heartbeats.
    fn half_open_at(&self) -> Instant {
        self.heard + self.config.heartbeat * HALF_OPEN_HEARTBEATS
    }

    /// When the client has left a message unacknowledged for too long.
    fn slow_at(&self) -> Option<Instant> {
        self.unacked_since.map(|(since, _)| since + self.config.ack_timeout)
    }

    /// When the client has sent no message for the idle limit.
    fn idle_at(&self) -> Option<Instant> {
        self.config.idle_limit.map(|limit| self.active + limit)
    }
}
