//! A client with a connection: the handshake's answer, then messages both ways.

use core::time::Duration;

use super::{ClientEvent, ClientLink, Identity, Phase, Terms, repair::Cause};
use crate::{
    code::{Advice, CloseCode},
    extension::Extension,
    frame::{Close, Frame, FrameError, Hello, Refused, Restarting, Resume, Welcome},
    numbering::{Incoming, Violation},
    time::Instant,
    wire::{self, CONTROL_MAX},
    writer,
};

impl ClientLink {
    /// The connection that `poll_dial` asked for is open: Hello or Resume is to be transmitted.
    pub fn handle_connected(&mut self) {
        let Phase::Dialing { until } = self.phase else { return };
        self.phase = Phase::Handshaking { until };
        self.control = Vec::new();
        let version = self.config.game_version.as_deref();
        let numbers = [self.numbering.received(), self.numbering.acked()];
        if let Some(identity) = &mut self.identity {
            let numbers = [identity.attempt, numbers[0], numbers[1]];
            let (secret, id) = (&identity.secret, identity.id);
            Resume::write_proved(&mut self.control, secret, id, numbers, version);
        } else {
            let extension = version.map(|version| Extension {
                tag: wire::TAG_GAME_VERSION,
                bytes: writer::clipped(version, wire::GAME_VERSION_MAX).as_bytes(),
            });
            let (kind, login) = (&self.config.kind, &self.config.login);
            let versions = (wire::VERSION, wire::VERSION);
            Hello::write_parts(&mut self.control, versions, kind, login, extension.into_iter());
        }
    }

    /// The largest frame to take now.
    #[must_use]
    pub const fn frame_limit(&self) -> u32 {
        self.terms.max_frame
    }

    /// Takes a frame of the node. A new message comes back for the game.
    #[inline]
    pub fn handle_frame<'a>(&mut self, frame: Frame<'a>, now: Instant) -> Incoming<'a> {
        self.silence.hear(now);
        // A node that welcomes only to send away is of no use, or two of them could go on for ever.
        let serves = self.useful || !matches!(frame, Frame::Restarting(_));
        self.useful = self.phase == Phase::Live && serves;
        let taken = match (self.phase, frame) {
            (Phase::Live, Frame::Data(data)) => self.numbering.take(data, now),
            (Phase::Live, frame) => self.take_control(&frame, now).map(|()| Incoming::Nothing),
            (Phase::Handshaking { .. }, frame) => {
                self.take_answer(&frame, now).map(|()| Incoming::Nothing)
            }
            _ => Ok(Incoming::Nothing),
        };
        taken.unwrap_or_else(|violation| {
            self.give_up_connection(CloseCode::ProtocolError, &violation.to_string(), now);
            Incoming::Nothing
        })
    }

    /// The bytes of the connection are no frames: it is given up and repaired.
    pub fn handle_garbage(&mut self, error: &FrameError, now: Instant) {
        if let FrameError::UnsupportedVersion { .. } = error {
            self.finish(error.code(), &error.to_string(), None);
        } else {
            self.give_up_connection(error.code(), &error.to_string(), now);
        }
    }

    fn give_up_connection(&mut self, code: CloseCode, text: &str, now: Instant) {
        let ack = self.numbering.ack_told();
        Frame::Close(Close { code, ack, text }).write(&mut self.control);
        self.hang_up = true;
        self.break_off(Cause::Fault, now);
    }

    fn take_control(&mut self, frame: &Frame<'_>, now: Instant) -> Result<(), Violation> {
        match frame {
            Frame::Ack(ack) => self.numbering.take_ack(*ack)?,
            Frame::Ping(token) => {
                if self.control.len() < CONTROL_MAX {
                    Frame::Pong { token: *token, time: 0 }.write(&mut self.control);
                }
            }
            Frame::Pong { token, time } => {
                // The token of our own Pings is when they were sent.
                self.clock.pong(Instant::from_micros(*token), *time, now);
            }
            Frame::Restarting(restarting) => self.take_restarting(restarting, now),
            Frame::Close(close) => {
                self.numbering.take_ack(close.ack)?;
                self.take_close(close, now);
            }
            Frame::Ignored(_) => {}
            _ => return Err(Violation::Unexpected),
        }
        Ok(())
    }

    fn take_restarting(&mut self, restarting: &Restarting<'_>, now: Instant) {
        let reconnect_in = Duration::from_millis(u64::from(restarting.reconnect_in_ms));
        self.restart_at = Some(now + reconnect_in);
        self.route.leave_for(restarting.addresses.iter());
        self.tell(ClientEvent::Restarting { reconnect_in });
    }

    fn take_close(&mut self, close: &Close<'_>, now: Instant) {
        match close.code.advice() {
            Advice::Ended => {
                let (code, ack) = (close.code, self.numbering.ack_told());
                if code.ends_session() {
                    // So that the node need not remember the session for us.
                    Frame::Close(Close { code, ack, text: "" }).write(&mut self.control);
                }
                self.finish(code, close.text, None);
            }
            Advice::Resume | Advice::Wait | Advice::Elsewhere => {
                self.hang_up = true;
                let silent = close.code == CloseCode::HalfOpen;
                self.break_off(if silent { Cause::Network } else { Cause::Fault }, now);
            }
        }
    }

    fn take_answer(&mut self, frame: &Frame<'_>, now: Instant) -> Result<(), Violation> {
        match frame {
            Frame::Welcome(Welcome { extensions, .. })
            | Frame::Refused(Refused { extensions, .. })
                if extensions.unknown_required().is_some() =>
            {
                self.leave_incompatible();
                Ok(())
            }
            Frame::Welcome(welcome) => self.take_welcome(welcome, now),
            Frame::Refused(refused) => {
                self.take_refused(refused, now);
                Ok(())
            }
            Frame::Close(close) => {
                self.take_close(close, now);
                Ok(())
            }
            _ => Err(Violation::Unexpected),
        }
    }

    /// The node asks for what this version does not know: no try would end better.
    fn leave_incompatible(&mut self) {
        let (code, ack) = (CloseCode::UnknownExtension, self.numbering.ack_told());
        let text = "a required extension is unknown to this client";
        Frame::Close(Close { code, ack, text }).write(&mut self.control);
        self.finish(code, text, None);
    }

    fn take_welcome(&mut self, welcome: &Welcome<'_>, now: Instant) -> Result<(), Violation> {
        let answers = self.identity.as_ref().map_or(!welcome.resumed, |identity| {
            welcome.resumed
                && identity.id == welcome.session_id
                && identity.attempt == welcome.attempt
        });
        if !answers {
            return Err(Violation::Unexpected);
        }
        // The node needs what is gone here, or has what was never sent (P2).
        let fits = self.numbering.rewind(welcome.received);
        if !fits || self.numbering.take_ack(welcome.ack).is_err() {
            let (code, text) = (CloseCode::Lost, "the node's numbers do not fit this client's");
            let ack = self.numbering.ack_told();
            Frame::Close(Close { code, ack, text }).write(&mut self.control);
            self.finish(code, text, None);
            return Ok(());
        }
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        self.terms = Terms {
            heartbeat: millis(welcome.heartbeat_ms.max(1)),
            timeout: millis(welcome.timeout_ms),
            window_messages: welcome.window_messages,
            window_bytes: welcome.window_bytes,
            max_frame: welcome.max_frame,
        };
        self.refusals = 0;
        self.route.arrived(welcome.address());
        self.clock.welcome(welcome.time, now);
        self.phase = Phase::Live;
        self.silence.begin(now);
        if let Some(secret) = &welcome.secret {
            let (id, secret) = (welcome.session_id, secret.clone());
            self.identity = Some(Identity { id, secret, attempt: 0 });
            self.tell(ClientEvent::Opened);
        } else {
            // The acks of the broken connection may be lost with it.
            self.numbering.tell_again(now);
            self.repairs += 1;
            self.tell(ClientEvent::Repaired);
        }
        Ok(())
    }

    fn take_refused(&mut self, refused: &Refused<'_>, now: Instant) {
        self.hang_up = true;
        match refused.code.advice() {
            Advice::Ended => self.finish(refused.code, refused.text, refused.game_code()),
            Advice::Resume => self.break_off(Cause::Fault, now),
            advice @ (Advice::Wait | Advice::Elsewhere) => {
                let named = self.route.go_to(refused.elsewhere());
                let goes_on = advice == Advice::Elsewhere && named;
                // Another node may reach the store; once none does, all are waited for.
                if refused.code == CloseCode::StoreDown && self.route.has_untried(&self.config) {
                    return self.try_elsewhere(now);
                }
                let after = Duration::from_millis(u64::from(refused.retry_after_ms));
                self.wait_for(after, goes_on, now);
            }
        }
    }

    /// Appends what is to be written to the connection, whole frames, until `out` has `budget`
    /// bytes or nothing is left.
    #[inline]
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>, budget: usize) {
        if !self.control.is_empty() {
            out.append(&mut self.control);
            self.control = Vec::new();
        }
        if self.phase != Phase::Live {
            return;
        }
        if self.ping_at() <= now {
            self.silence.ping(now, self.terms.heartbeat);
            Frame::Ping(now.as_micros()).write(out);
        }
        if self.numbering.has_unwritten() {
            self.silence.ask(now);
            self.numbering.write_data(out, budget);
        }
        if self.numbering.ack_due().is_some_and(|due| due <= now) {
            Frame::Ack(self.numbering.ack_told()).write(out);
        }
        if self.leaving && !self.numbering.has_unwritten() {
            let ack = self.numbering.ack_told();
            Frame::Close(Close { code: CloseCode::Left, ack, text: "" }).write(out);
            self.finish(CloseCode::Left, "", None);
        }
    }

    /// Whether `poll_transmit` has something now.
    #[inline]
    #[must_use]
    pub fn wants_transmit(&self, now: Instant) -> bool {
        !self.control.is_empty()
            || (self.phase == Phase::Live
                && (self.numbering.has_unwritten()
                    || self.leaving
                    || self.ping_at() <= now
                    || self.numbering.ack_due().is_some_and(|due| due <= now)))
    }
}
