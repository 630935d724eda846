//! Both directions of one session: numbers, acknowledgements, retained messages.
//!
//! Client and node use the same one. It survives connections; a new one only moves the cursor of
//! what is to be sent.

use core::time::Duration;

use throughline_canary::canary;

use crate::{
    ImportError,
    frame::Data,
    reader::Reader,
    retained::Retained,
    time::Instant,
    wire::{DATA_OVERHEAD, LENGTH_BYTES},
    writer,
};

/// Version of the exported form.
const EXPORT_VERSION: u8 = 1;

/// The highest number an import takes: no honest one comes near it, and sums of two still fit.
const NUMBER_MAX: u64 = u64::MAX / 4;

/// Why a message was not taken for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message does not fit into a frame. Sending it again fails again.
    #[error("a message of {bytes} bytes, where at most {limit} fit into a frame")]
    TooLarge {
        /// The size of the message.
        bytes: usize,
        /// The largest size that fits.
        limit: usize,
    },
    /// The window is full: the other side has not handled enough yet. Try again later.
    #[error("the window is full")]
    WouldBlock,
    /// The session has ended; nothing can be sent any more.
    #[error("the session has ended")]
    Ended,
}

/// How the peer broke the rules of numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A number above the next one.
    #[error("message {seq} came where {expected} was next")]
    Gap {
        /// The number that came.
        seq: u64,
        /// The next number.
        expected: u64,
    },
    /// An acknowledgement of what was never sent.
    #[error("an ack of {ack}, where {sent} were sent")]
    AckBeyondSent {
        /// The acknowledgement.
        ack: u64,
        /// The last number sent.
        sent: u64,
    },
    /// A frame that has no place in a session that is under way, such as a second Hello.
    #[error("a frame that has no place here")]
    Unexpected,
}

/// What became of a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A new message: the game handles it, then `handled(seq)` is called.
    Message {
        /// Its number.
        seq: u64,
        /// The game's bytes.
        payload: &'a [u8],
    },
    /// Nothing for the game.
    Nothing,
}

/// The numbers and retained messages of one session, as seen from one side.
#[derive(Debug, Clone, Default)]
pub struct Numbering {
    retained: Retained,
    /// Highest own number that the peer has acknowledged; the retained ones follow it.
    acked: u64,
    /// Highest own number written to the present connection.
    written: u64,
    /// Where `written + 1` begins among the retained bytes.
    cursor: usize,
    /// Highest number taken from the peer.
    received: u64,
    /// Highest number that the game has handled.
    handled: u64,
    /// Highest number that a frame has acknowledged.
    told: u64,
    /// When `handled` must be told, if it has not been.
    ack_due: Option<Instant>,
}

impl Numbering {
    /// Retains a message under the next number.
    pub(crate) fn push(&mut self, payload: &[u8], max_frame: u32) -> Result<(), SendError> {
        let limit = (max_frame as usize).saturating_sub(DATA_OVERHEAD);
        if payload.len() > limit {
            return Err(SendError::TooLarge { bytes: payload.len(), limit });
        }
        self.retained.push(payload);
        Ok(())
    }

    /// Takes a Data frame of the peer.
    #[inline]
    pub(crate) fn take<'a>(
        &mut self,
        data: Data<'a>,
        now: Instant,
    ) -> Result<Incoming<'a>, Violation> {
        self.take_ack(data.ack)?;
        let expected = self.received + 1;
        if data.seq > expected && canary!(GapAccepted) {
            self.received = data.seq;
            return Ok(Incoming::Message { seq: data.seq, payload: data.payload });
        }
        if data.seq > expected {
            return Err(Violation::Gap { seq: data.seq, expected });
        }
        if data.seq < expected && canary!(DuplicateDelivered) {
            return Ok(Incoming::Message { seq: data.seq, payload: data.payload });
        }
        if data.seq < expected {
            self.ack_due = Some(now);
            return Ok(Incoming::Nothing);
        }
        self.received = expected;
        Ok(Incoming::Message { seq: data.seq, payload: data.payload })
    }

    /// Takes an acknowledgement of the peer.
    #[inline]
    pub(crate) fn take_ack(&mut self, ack: u64) -> Result<(), Violation> {
        // A lower ack than before is an old frame's, resent: it says nothing new.
        let Some(fresh @ 1..) = ack.checked_sub(self.acked) else { return Ok(()) };
        if canary!(DuplicateDelivered) && (self.written + 1..=self.last()).contains(&ack) {
            self.cursor = self.retained.offset(usize::try_from(fresh).unwrap_or(usize::MAX));
            self.written = ack;
        }
        if ack > self.written {
            return Err(Violation::AckBeyondSent { ack, sent: self.written });
        }
        // At most what is retained, which is in memory: it fits a usize.
        let bytes = self.retained.drop_oldest(usize::try_from(fresh).unwrap_or(usize::MAX));
        self.acked = ack;
        self.cursor -= bytes;
        Ok(())
    }

    /// The game has handled everything up to `seq`.
    #[inline]
    pub(crate) fn handled(&mut self, seq: u64, now: Instant, delay: Duration, every: u32) {
        debug_assert!(seq <= self.received, "only what was received can be handled");
        self.handled = self.handled.max(seq);
        if self.handled - self.told >= u64::from(every) || canary!(AckBeforeCommit) {
            self.ack_due = Some(now);
        } else if self.ack_due.is_none() && self.handled > self.told {
            self.ack_due = Some(now + delay);
        }
    }

    /// Appends messages not written yet to `out`, until it has `budget` bytes.
    #[inline]
    pub(crate) fn write_data(&mut self, out: &mut Vec<u8>, budget: usize) {
        while self.has_unwritten() && out.len() < budget {
            let index = self.written - self.acked;
            // Below the count of the retained messages.
            let length = self.retained.length(usize::try_from(index).unwrap_or(usize::MAX));
            let payload = self.retained.payload(self.cursor, length);
            self.written += 1;
            Data { seq: self.written, ack: self.to_tell(), payload }.write(out);
            self.cursor += length;
            self.told = self.handled;
            self.ack_due = None;
        }
    }

    /// Notes that some other frame carries the acknowledgement.
    pub(crate) fn ack_told(&mut self) -> u64 {
        self.told = self.handled;
        self.ack_due = None;
        self.to_tell()
    }

    /// What an acknowledgement says.
    #[inline]
    fn to_tell(&self) -> u64 {
        if canary!(AckOnReceive) { self.received } else { self.handled }
    }

    /// The peer may have missed every acknowledgement: it is due again.
    pub(crate) const fn tell_again(&mut self, now: Instant) {
        if self.handled > 0 {
            self.ack_due = Some(now);
        }
    }

    /// Moves the cursor behind what the peer has received. False if it needs what is gone, or has
    /// what was never sent: then messages are lost.
    pub(crate) fn rewind(&mut self, peer_received: u64) -> bool {
        if peer_received < self.acked || peer_received > self.last() {
            return false;
        }
        if canary!(ResumeForgetsRetained) {
            (self.retained, self.acked) = (Retained::default(), peer_received);
        }
        let has = if canary!(DuplicateDelivered) { self.acked } else { peer_received };
        self.written = has;
        // Not more than is retained, which is in memory.
        let index = usize::try_from(has - self.acked).unwrap_or(usize::MAX);
        self.cursor = self.retained.offset(index);
        true
    }

    /// Whether messages wait to be written.
    #[inline]
    #[must_use]
    pub fn has_unwritten(&self) -> bool {
        self.written < self.last()
    }

    /// Whether this many messages and bytes, or more, are unacknowledged.
    #[inline]
    #[must_use]
    pub fn reaches(&self, messages: u32, bytes: u32) -> bool {
        self.retained.count() >= messages as usize || self.retained.total_bytes() >= bytes as usize
    }

    /// Whether a message of `bytes` fits into the window; one always does when nothing is retained.
    #[inline]
    #[must_use]
    pub fn fits(&self, bytes: usize, window_messages: u32, window_bytes: u32) -> bool {
        self.retained.count() == 0
            || (self.retained.count() < window_messages as usize
                && self.retained.total_bytes() + bytes <= window_bytes as usize)
    }

    /// The highest own number.
    #[inline]
    #[must_use]
    pub fn last(&self) -> u64 {
        self.acked + self.retained.count() as u64
    }

    /// Messages sent and not acknowledged.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.retained.count()
    }

    /// Payload bytes of these.
    #[must_use]
    pub const fn retained_bytes(&self) -> usize {
        self.retained.total_bytes()
    }

    /// Highest own number that the peer has acknowledged.
    #[must_use]
    pub const fn acked(&self) -> u64 {
        self.acked
    }

    /// Highest own number written to the present connection.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Highest number taken from the peer.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Highest number that the game has handled.
    #[must_use]
    pub const fn handled_up_to(&self) -> u64 {
        self.handled
    }

    /// When an acknowledgement must be sent alone.
    #[inline]
    #[must_use]
    pub const fn ack_due(&self) -> Option<Instant> {
        self.ack_due
    }

    /// Appends all that another node or process needs to go on: numbers and retained messages.
    /// What was received but not handled is left out; the peer sends it again.
    pub(crate) fn export(&self, out: &mut Vec<u8>) {
        let (acked, count) = match canary!(HandoverForgetsRetained) {
            true => (self.last(), 0),
            false => (self.acked, self.retained.count()),
        };
        writer::frame(out, EXPORT_VERSION, |out| {
            for number in [acked, self.handled, count as u64] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            let mut offset = 0;
            for index in 0..count {
                let length = self.retained.length(index);
                let payload = self.retained.payload(offset, length);
                offset += length;
                out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(payload);
            }
        });
    }

    /// Takes back what `export` wrote.
    pub(crate) fn import(reader: &mut Reader<'_>) -> Result<Self, ImportError> {
        let damaged = |_| ImportError::Damaged("numbers or messages cut short");
        let length = reader.u32().map_err(damaged)? as usize;
        let body = reader.bytes(length).map_err(damaged)?;
        debug_assert_eq!(LENGTH_BYTES, size_of::<u32>());
        let mut reader = Reader::new(body);
        let version = reader.u8().map_err(damaged)?;
        if version != EXPORT_VERSION {
            return Err(ImportError::Newer { found: version, known: EXPORT_VERSION });
        }
        let [acked, handled, count] = [
            reader.u64().map_err(damaged)?,
            reader.u64().map_err(damaged)?,
            reader.u64().map_err(damaged)?,
        ];
        if acked.max(handled).max(count) > NUMBER_MAX {
            return Err(ImportError::Damaged("numbers beyond their range"));
        }
        let mut retained = Retained::default();
        for _ in 0..count {
            let length = reader.u32().map_err(damaged)?;
            retained.push(reader.bytes(length as usize).map_err(damaged)?);
        }
        if !reader.is_empty() {
            return Err(ImportError::Damaged("bytes behind the last message"));
        }
        let received = handled;
        Ok(Self { retained, acked, written: acked, received, handled, ..Self::default() })
    }
}
