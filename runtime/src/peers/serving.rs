//! What one node handles for another, as a pure machine: the calls that have come over one
//! connection, and their answers.
//!
//! The driver asks `admits` before it reads a frame, so that the other node waits rather than this
//! one's memory. It feeds `handle_*`, then drains `poll_*`. Time never goes back.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use throughline_link::Instant;

use crate::peers::frame::{Frame, write_answer};
use crate::peers::limits::{
    ANSWER_BYTES_EXPECTED, ANSWER_BYTES_MAX, ANSWER_BYTES_PAUSE, HANDLED_BYTES_MAX, HEARTBEAT,
    PAYLOAD_BYTES_MAX, SILENCE_MAX, STALL_TIMEOUT, WINDOW_CALLS_MAX, WRITE_BYTES,
};
use crate::peers::numbers::Numbered;
use crate::peers::wire;

#[cfg(test)]
mod tests;

/// What a frame asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To be handled, and answered by its number.
    Call { call: u64, payload: Bytes },
    /// To be handled.
    Tell { payload: Bytes },
    /// Nothing.
    Nothing,
}

/// Why the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("sent a frame that only an accepting node sends, or a call twice")]
    Misplaced,
    #[error("was not heard for {SILENCE_MAX:?}")]
    Silent,
    #[error("took no answers for {STALL_TIMEOUT:?}")]
    Stalled,
    #[error("has {ANSWER_BYTES_MAX} bytes of answers, and does not read them")]
    TooSlow,
}

/// The calls of one connection.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Being handled: the bytes of each one's payload.
    handled: Numbered<u64, usize>,
    handled_bytes: usize,
    /// The number of the last call that was begun, or refused.
    last: u64,
    answers: VecDeque<(u64, Answer)>,
    /// Bytes in `answers`.
    answer_bytes: usize,
    /// What a call is expected to get: the largest recent answer, so that a window of calls is not
    /// begun whose answers there is no room for.
    expected_bytes: usize,
    /// Bytes of the batch that have not left.
    batch_bytes: usize,
    heard: Instant,
    alive_at: Instant,
    is_alive_due: bool,
    /// When a byte last left, or the batch began.
    moved: Instant,
}

#[derive(Debug)]
enum Answer {
    Payload(Bytes),
    Failed(u8),
}

impl Serving {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            handled: Numbered::default(),
            handled_bytes: 0,
            last: 0,
            answers: VecDeque::new(),
            answer_bytes: 0,
            expected_bytes: ANSWER_BYTES_EXPECTED,
            batch_bytes: 0,
            heard: now,
            alive_at: now + HEARTBEAT,
            is_alive_due: false,
            moved: now,
        }
    }

    /// Whether a frame of so many bytes may be taken now.
    pub(crate) fn admits(&self, frame_bytes: usize) -> bool {
        let calls = self.handled.len() + 1;
        let expected = self.answer_bytes + calls * self.expected_bytes;
        // What is alone gets in, however large.
        let is_alone = self.handled.is_empty() && self.answers.is_empty();
        is_alone
            || self.handled_bytes + frame_bytes <= HANDLED_BYTES_MAX
                && expected <= ANSWER_BYTES_PAUSE
                && calls + self.answers.len() <= WINDOW_CALLS_MAX
    }

    /// A frame has come.
    pub(crate) fn handle_frame(&mut self, now: Instant, frame: Frame) -> Result<Asked, Fault> {
        self.heard = now;
        if let Frame::Call { call, .. } = frame {
            self.last = self.last.max(call);
        }
        match frame {
            // It lay somewhere for longer than its caller waits: it is not begun.
            Frame::Call { call, deadline, .. } if deadline <= now.as_micros() => {
                self.answers.push_back((call, Answer::Failed(wire::FAILED_EXPIRED)));
                Ok(Asked::Nothing)
            }
            Frame::Call { call, payload, .. } => {
                self.handled_bytes += payload.len();
                match self.handled.insert(call, payload.len()) {
                    None => Ok(Asked::Call { call, payload }),
                    Some(_) => Err(Fault::Misplaced),
                }
            }
            Frame::Tell { payload } => Ok(Asked::Tell { payload }),
            Frame::Ping | Frame::Ignored => Ok(Asked::Nothing),
            _ => Err(Fault::Misplaced),
        }
    }

    /// Whether nothing is being handled, and every answer has left.
    pub(crate) fn is_idle(&self) -> bool {
        self.handled.is_empty() && self.answers.is_empty() && self.batch_bytes == 0
    }

    /// The number of the last call that has come; later ones are never begun.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// A call was handled; `None`: it was not.
    pub(crate) fn handle_answer(&mut self, call: u64, answer: Option<Bytes>) -> Result<(), Fault> {
        let Some(bytes) = self.handled.remove(&call) else { return Ok(()) };
        self.handled_bytes -= bytes;
        let answer = match answer {
            Some(payload) if payload.len() <= PAYLOAD_BYTES_MAX => Answer::Payload(payload),
            Some(_) => Answer::Failed(wire::FAILED_TOO_LARGE),
            None => Answer::Failed(wire::FAILED_NOT_HANDLED),
        };
        self.answer_bytes += answer.bytes();
        // A large answer counts at once, and is forgotten over some tens of small ones.
        self.expected_bytes =
            answer.bytes().max(self.expected_bytes - self.expected_bytes.div_ceil(16));
        self.answers.push_back((call, answer));
        match self.answer_bytes > ANSWER_BYTES_MAX {
            true => Err(Fault::TooSlow),
            false => Ok(()),
        }
    }

    /// So many more bytes of what `poll_transmit` gave were taken by the system.
    pub(crate) fn handle_written(&mut self, now: Instant, bytes: usize) {
        self.moved = now;
        self.batch_bytes = self.batch_bytes.saturating_sub(bytes);
    }

    /// Time has passed. `is_listening`: whether all that has come was read, so that silence is
    /// the other node's.
    pub(crate) fn handle_timeout(&mut self, now: Instant, is_listening: bool) -> Result<(), Fault> {
        if !is_listening {
            self.heard = now;
        }
        if now.since(self.heard) >= SILENCE_MAX {
            return Err(Fault::Silent);
        }
        if self.batch_bytes > 0 && now.since(self.moved) >= STALL_TIMEOUT {
            return Err(Fault::Stalled);
        }
        if now >= self.alive_at {
            self.alive_at = now + HEARTBEAT;
            self.is_alive_due = true;
        }
        Ok(())
    }

    /// Writes the next batch into `out`, which is empty: all of the one before has left.
    pub(crate) fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) {
        if std::mem::take(&mut self.is_alive_due) {
            Frame::Alive { clock: now.as_micros() }.write(out);
        }
        while out.len() < WRITE_BYTES {
            let Some((call, answer)) = self.answers.pop_front() else { break };
            self.answer_bytes -= answer.bytes();
            match answer {
                Answer::Payload(payload) => write_answer(call, &payload, out),
                Answer::Failed(code) => Frame::Failed { call, code }.write(out),
            }
        }
        self.batch_bytes = out.len();
        self.moved = now;
    }

    /// When `handle_timeout` next has something to do.
    pub(crate) fn poll_timeout(&self) -> Instant {
        let due = self.alive_at.min(self.heard + SILENCE_MAX);
        match self.batch_bytes {
            0 => due,
            _ => due.min(self.moved + STALL_TIMEOUT),
        }
    }
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Self::Payload(payload) => payload.len(),
            Self::Failed(_) => 0,
        }
    }
}
