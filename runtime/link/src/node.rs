//! The node's side of one session's link.

mod resume;
mod state;
mod timers;

use std::sync::Arc;

use throughline_canary::canary;

use crate::{
    code::CloseCode,
    config::LinkConfig,
    frame::{Close, Data, Frame, Restarting, Resume, Welcome},
    id::{Secret, SessionId},
    numbering::{Incoming, Numbering, SendError, Violation},
    time::Instant,
    wire::{self, CONTROL_MAX},
};

pub use resume::Answer;

/// What the driver of a node's side must do or tell the game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// Write what `poll_transmit` still gives, close the writing half with this code, and read on
    /// for a moment, a second say, until the client closes: a connection that is closed at once
    /// may lose the Close on its way, and the client's answer lets the session be forgotten.
    CloseConnection(CloseCode),
    /// The session has ended; the game's `destroyed` runs. Comes once.
    Ended(CloseCode),
}

/// The end of a session, on its way to the client.
#[derive(Debug, Clone, Copy)]
struct End {
    code: CloseCode,
    /// The Close is written, on the present connection.
    told: bool,
    /// The client has answered: nobody will ask for the session any more.
    known: bool,
}

/// One session's link, as the node sees it: outlives connections.
#[derive(Debug)]
pub struct NodeLink {
    config: Arc<LinkConfig>,
    id: SessionId,
    secret: Secret,
    attempt: u64,
    numbering: Numbering,
    connected: bool,
    /// Frames other than Data, to be written before them.
    control: Vec<u8>,
    /// The Welcome has left, on the present connection.
    welcomed: bool,
    /// When something was last heard over the present connection.
    heard: Instant,
    /// Since when there is no connection.
    away: Instant,
    /// When the client last sent a message, for the idle limit.
    active: Instant,
    /// Since when the messages up to this number are unacknowledged over a live connection.
    unacked_since: Option<(Instant, u64)>,
    /// A Ping was sent since something was last heard.
    pinged: bool,
    end: Option<End>,
    /// The client is not told the end yet.
    holds_end: bool,
    /// How the client last broke the rules; told to it, and to the log.
    violation: Option<Violation>,
    /// The present connection is being closed, with this code, and must say so first if `true`.
    closing: Option<(CloseCode, bool)>,
    ended_event: Option<CloseCode>,
    close_event: Option<CloseCode>,
}

impl NodeLink {
    /// The link of a new session, connected: its Welcome is the first thing to transmit. `time` is
    /// the wall clock in milliseconds since 1970 UTC.
    #[must_use]
    pub fn new(
        config: Arc<LinkConfig>,
        id: SessionId,
        secret: Secret,
        now: Instant,
        time: u64,
    ) -> Self {
        let mut link = Self::away(config, id, secret, 0, Numbering::default(), now);
        link.connected = true;
        link.write_welcome(Some(link.secret.clone()), time);
        link
    }

    fn away(
        config: Arc<LinkConfig>,
        id: SessionId,
        secret: Secret,
        attempt: u64,
        numbering: Numbering,
        now: Instant,
    ) -> Self {
        Self {
            config,
            id,
            secret,
            attempt,
            numbering,
            connected: false,
            control: Vec::new(),
            welcomed: false,
            heard: now,
            away: now,
            active: now,
            unacked_since: None,
            pinged: false,
            end: None,
            holds_end: false,
            violation: None,
            closing: None,
            ended_event: None,
            close_event: None,
        }
    }

    /// Takes a frame of the client. A new message comes back for the game; everything else is
    /// dealt with here.
    #[inline]
    pub fn handle_frame<'a>(&mut self, frame: Frame<'a>, now: Instant) -> Incoming<'a> {
        if !self.connected || self.closing.is_some() && !self.is_ended() {
            return Incoming::Nothing;
        }
        self.heard = now;
        self.pinged = false;
        let taken = match frame {
            Frame::Data(data) => self.take_data(data, now),
            other => self.take_control(&other, now).map(|()| Incoming::Nothing),
        };
        taken.unwrap_or_else(|violation| {
            self.violation = Some(violation);
            self.close(CloseCode::ProtocolError);
            Incoming::Nothing
        })
    }

    #[inline]
    fn take_data<'a>(&mut self, data: Data<'a>, now: Instant) -> Result<Incoming<'a>, Violation> {
        if self.is_ended() {
            // Nobody handles it, so it is not acknowledged; what the client handled still counts.
            self.numbering.take_ack(data.ack)?;
            return Ok(Incoming::Nothing);
        }
        let acked = self.numbering.acked();
        let incoming = self.numbering.take(data, now)?;
        self.note_acks(acked, now);
        self.active = now;
        Ok(incoming)
    }

    fn take_control(&mut self, frame: &Frame<'_>, now: Instant) -> Result<(), Violation> {
        match frame {
            Frame::Ack(ack) => self.take_ack(*ack, now),
            Frame::Ping(token) => {
                if self.control.len() < CONTROL_MAX {
                    Frame::Pong { token: *token, time: 0 }.write(&mut self.control);
                }
                Ok(())
            }
            Frame::Pong { .. } | Frame::Ignored(_) => Ok(()),
            Frame::Close(close) => {
                self.take_ack(close.ack, now)?;
                self.take_close(close.code);
                Ok(())
            }
            _ => Err(Violation::Unexpected),
        }
    }

    fn take_ack(&mut self, ack: u64, now: Instant) -> Result<(), Violation> {
        let acked = self.numbering.acked();
        self.numbering.take_ack(ack)?;
        self.note_acks(acked, now);
        Ok(())
    }

    fn take_close(&mut self, code: CloseCode) {
        if let Some(end) = &mut self.end {
            // A client that leaves does not come back for the reason.
            end.known |= end.told && code.ends_session()
                || matches!(code, CloseCode::Left | CloseCode::Lost);
        } else if matches!(code, CloseCode::Left | CloseCode::Lost) {
            // Lost: the client cannot go on without a gap, so neither can this side (P2).
            self.end(code);
            if let Some(end) = &mut self.end {
                end.known = true;
            }
        }
        self.closing = Some((code, false));
        self.close_event = Some(code);
    }

    fn note_acks(&mut self, acked_before: u64, now: Instant) {
        if self.numbering.acked() != acked_before {
            self.watch_acks(now);
        }
    }

    /// Starts the clock of the slow consumer anew, once everything it was started for is
    /// acknowledged: an ack now and then does not stop it.
    fn watch_acks(&mut self, now: Instant) {
        let (acked, written) = (self.numbering.acked(), self.numbering.written());
        if self.unacked_since.is_none_or(|(_, up_to)| acked >= up_to) {
            self.unacked_since = (acked < written).then_some((now, written));
        }
    }

    /// The bytes of a connection are no frames: the connection ends with this code.
    pub fn handle_garbage(&mut self, code: CloseCode) {
        self.close(code);
    }

    /// The connection is gone.
    pub fn handle_disconnected(&mut self, now: Instant) {
        if self.connected {
            self.connected = false;
            self.away = now;
        }
        self.control = Vec::new();
        self.welcomed = false;
        self.unacked_since = None;
        self.closing = None;
        self.close_event = None;
        self.violation = None;
        if let Some(end) = &mut self.end {
            end.told = false;
        }
    }

    /// The game has handled everything up to `seq`: its turn is over.
    #[inline]
    pub fn handled(&mut self, seq: u64, now: Instant) {
        self.numbering.handled(seq, now, self.config.ack_delay, self.config.ack_every);
    }

    /// Sends a message of the game.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] and nothing is sent; [`SendError::Ended`]. Beyond the retained limit
    /// the message is taken, but the session ends with `RetainedOverflow`.
    #[inline]
    pub fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if self.is_ended() {
            return Err(SendError::Ended);
        }
        self.numbering.push(payload, self.config.max_frame)?;
        let (messages, bytes) = (self.config.retained_messages, self.config.retained_bytes);
        if self.numbering.reaches(messages.saturating_add(1), bytes.saturating_add(1))
            && !canary!(RetainedUnlimited)
        {
            self.end(CloseCode::RetainedOverflow);
        }
        Ok(())
    }

    /// Ends the session: what was sent before still goes out, then Close. The first reason stays.
    pub fn end(&mut self, code: CloseCode) {
        if self.end.is_none() {
            self.end = Some(End { code, told: false, known: false });
            self.ended_event = Some(code);
        }
    }

    /// The end that this link came with is an event here, too: where the session ended its driver
    /// died before it was through with it.
    pub const fn raise_end(&mut self) {
        if let Some(end) = &self.end {
            self.ended_event = Some(end.code);
        }
    }

    /// Whether the client is not told the end of the session for now: it is told when it is
    /// durable. Everything else goes on.
    pub const fn hold_end(&mut self, holds: bool) {
        self.holds_end = holds;
    }

    /// Closes the connection with a code; the session stays.
    pub fn close(&mut self, code: CloseCode) {
        if self.connected && self.closing.is_none() {
            self.closing = Some((code, true));
        }
    }

    /// Tells the client to come back elsewhere after `reconnect_in_ms`.
    pub fn announce_restart(&mut self, reconnect_in_ms: u32, addresses: &[String]) {
        if self.connected && self.closing.is_none() {
            Restarting::write_parts(&mut self.control, reconnect_in_ms, addresses);
        }
    }

    /// Appends what is to be written to the connection, whole frames, until `out` has `budget`
    /// bytes or nothing is left. `time` is the wall clock for Pongs.
    #[inline]
    pub fn poll_transmit(&mut self, now: Instant, time: u64, out: &mut Vec<u8>, budget: usize) {
        if !self.connected {
            return;
        }
        if self.is_closed() {
            self.control = Vec::new();
            return;
        }
        if !self.control.is_empty() {
            // The Welcome is the first of them.
            self.welcomed = true;
            self.write_control(time, out);
        }
        if self.numbering.has_unwritten() {
            // A connection that is given up gets no more: the messages wait for the next one.
            if self.closing.is_none() {
                self.numbering.write_data(out, budget);
                if self.unacked_since.is_none() {
                    self.unacked_since = Some((now, self.numbering.written()));
                }
            }
        }
        if self.numbering.ack_due().is_some_and(|due| due <= now) {
            Frame::Ack(self.numbering.ack_told()).write(out);
        }
        if self.closing.is_some() || self.end.is_some() && !self.holds_end {
            self.write_close(out);
        }
    }

    /// Appends a Ping while the session stands still and nothing else may leave: it tells the
    /// client that its node is there, and nothing of the session. False if the client is not to
    /// hear one: it waits for its Welcome, or its connection closes.
    pub fn write_sign_of_life(&self, now: Instant, out: &mut Vec<u8>) -> bool {
        let may = self.connected && self.welcomed && self.closing.is_none() && self.end.is_none();
        if may {
            Frame::Ping(now.as_micros()).write(out);
        }
        may
    }

    /// Hands over the frames other than Data, with the time in the Pongs filled in.
    fn write_control(&mut self, time: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.append(&mut self.control);
        self.control = Vec::new();
        let mut rest = &mut out[start..];
        // Frames written by this file: each begins with its length.
        while let Some((length, frame)) = rest.split_first_chunk_mut::<{ wire::LENGTH_BYTES }>() {
            let (frame, next) = frame.split_at_mut(u32::from_be_bytes(*length) as usize);
            if let [wire::PONG, body @ ..] = frame {
                body[8..].copy_from_slice(&time.to_be_bytes());
            }
            rest = next;
        }
    }

    fn write_close(&mut self, out: &mut Vec<u8>) {
        if let Some((code, true)) = self.closing {
            self.closing = Some((code, false));
            let ack = self.numbering.ack_told();
            let text = self.violation.map(|violation| violation.to_string()).unwrap_or_default();
            Frame::Close(Close { code, ack, text: &text }).write(out);
            self.close_event = Some(code);
        }
        if self.closing.is_some() || self.numbering.has_unwritten() {
            return;
        }
        let holds = self.holds_end;
        if let Some(end) = self.end.as_mut().filter(|end| !end.told && !holds) {
            end.told = true;
            let ack = self.numbering.ack_told();
            Frame::Close(Close { code: end.code, ack, text: "" }).write(out);
            self.closing = Some((end.code, false));
            self.close_event = Some(end.code);
        }
    }

    /// What the driver must do next, if anything.
    #[inline]
    pub fn poll_event(&mut self) -> Option<NodeEvent> {
        if let Some(code) = self.ended_event.take() {
            return Some(NodeEvent::Ended(code));
        }
        self.close_event.take().map(NodeEvent::CloseConnection)
    }

    fn write_welcome(&mut self, secret: Option<Secret>, time: u64) {
        let millis = |time: core::time::Duration| u32::try_from(time.as_millis());
        let welcome = Welcome {
            version: wire::VERSION,
            resumed: secret.is_none(),
            session_id: self.id,
            secret,
            attempt: self.attempt,
            received: self.numbering.received(),
            ack: self.numbering.ack_told(),
            time,
            heartbeat_ms: millis(self.config.heartbeat).unwrap_or(u32::MAX),
            timeout_ms: millis(self.config.session_timeout).unwrap_or(u32::MAX),
            window_messages: self.config.window_messages,
            window_bytes: self.config.window_bytes,
            max_frame: self.config.max_frame,
            extensions: crate::Extensions::default(),
        };
        let config = &self.config;
        welcome.write_with(&mut self.control, |out| {
            if let Some(address) = &config.advertise {
                crate::extension::write(out, wire::TAG_ADDRESS, address.as_bytes());
            }
        });
    }
}
