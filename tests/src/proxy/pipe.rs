//! The bytes of one direction on their way, delayed, throttled, split or swallowed.

use std::collections::VecDeque;
use std::time::Duration;

use super::faults::Fault;

/// Bytes one direction holds. Past it the proxy reads no more, so that the sender feels the delay
/// or the throttle as it would feel a slow network, and memory stays bounded.
pub(crate) const HELD_MAX: usize = 64 * 1024;

/// Pieces one direction holds: each costs a few words beside its bytes.
const PIECES_MAX: usize = 256;

/// A throttled direction passes its share of this much time at once: small enough to be felt as a
/// slow line, large enough for tokio's timers, which count milliseconds.
const THROTTLE_STEP_MS: u64 = 20;

/// One direction of a connection. Times are since the connection's start.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pieces: VecDeque<Piece>,
    held: usize,
    delay: Option<(Duration, Duration)>,
    throttle: Option<(u32, Duration)>,
    split_until: Option<Duration>,
    free_at: Duration,
    hole: bool,
    lost: bool,
    ended: bool,
    acted: [bool; ACTED.len()],
}

#[derive(Debug)]
struct Piece {
    due: Duration,
    bytes: Vec<u8>,
    written: usize,
}

/// What a fault has done to the bytes of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acted {
    Swallowed,
    Delayed,
    Throttled,
    Split,
}

const ACTED: [Acted; 4] = [Acted::Swallowed, Acted::Delayed, Acted::Throttled, Acted::Split];

impl Pipe {
    /// Begins a fault that passes. Others concern the whole connection.
    pub(crate) fn handle_passing(&mut self, now: Duration, fault: Fault) {
        let until = now + fault.lasting();
        match fault {
            Fault::Delay { by, .. } => self.delay = Some((by, until)),
            Fault::Throttle { bytes_per_s, .. } => self.throttle = Some((bytes_per_s, until)),
            Fault::Split { .. } => self.split_until = Some(until),
            Fault::Cut | Fault::Reset { .. } | Fault::BlackHole(_) => {}
        }
    }

    /// From now on everything vanishes, also what is on its way.
    pub(crate) fn handle_hole(&mut self) {
        self.hole = true;
        self.acted[Acted::Swallowed as usize] |= self.held > 0;
        self.pieces.clear();
        self.held = 0;
    }

    /// Bytes came from the sender: at most [`Pipe::space`].
    pub(crate) fn handle_bytes(&mut self, now: Duration, bytes: &[u8]) {
        if self.hole {
            self.acted[Acted::Swallowed as usize] = true;
        }
        if self.hole || self.lost {
            return;
        }
        let mut due = now;
        if let Some((by, until)) = self.delay
            && now < until
        {
            due = now + by;
            self.acted[Acted::Delayed as usize] = true;
        }
        // Bytes never overtake each other, also when a delay ends.
        let due = self.pieces.back().map_or(due, |last| last.due.max(due));
        self.held += bytes.len();
        self.pieces.push_back(Piece { due, bytes: bytes.to_vec(), written: 0 });
    }

    /// The sender sends no more.
    pub(crate) fn handle_end(&mut self) {
        self.acted[Acted::Swallowed as usize] |= self.hole && !self.ended;
        self.ended = true;
    }

    /// The receiver is gone: nothing can be delivered any more.
    pub(crate) fn handle_lost(&mut self) {
        self.lost = true;
        self.pieces.clear();
        self.held = 0;
    }

    /// How many bytes may come now.
    pub(crate) fn space(&self) -> usize {
        if self.ended || self.pieces.len() >= PIECES_MAX { 0 } else { HELD_MAX - self.held }
    }

    /// Bytes that may be written now.
    pub(crate) fn poll_write(&mut self, now: Duration) -> Option<&[u8]> {
        let step = self.throttle_step(now);
        let split = self.split_until.is_some_and(|until| now < until);
        let piece = self.pieces.front()?;
        if piece.due > now {
            return None;
        }
        let rest = &piece.bytes[piece.written..];
        let held_back = self.free_at > now;
        self.acted[Acted::Throttled as usize] |=
            step.is_some_and(|step| held_back || rest.len() > step);
        if held_back {
            return None;
        }
        self.acted[Acted::Split as usize] |= split && rest.len() > 1;
        let length = if split { 1 } else { step.unwrap_or(usize::MAX) };
        Some(&rest[..rest.len().min(length)])
    }

    /// So many of the polled bytes were written.
    pub(crate) fn handle_written(&mut self, now: Duration, count: usize) {
        self.held -= count;
        if let Some((bytes_per_s, until)) = self.throttle
            && now < until
        {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            let micros = count.saturating_mul(1_000_000) / u64::from(bytes_per_s.max(1));
            self.free_at = self.free_at.max(now) + Duration::from_micros(micros);
        }
        if let Some(piece) = self.pieces.front_mut() {
            piece.written += count;
            if piece.written == piece.bytes.len() {
                self.pieces.pop_front();
            }
        }
    }

    /// When bytes may be written next; `None`: none are there.
    pub(crate) fn write_at(&self) -> Option<Duration> {
        self.pieces.front().map(|piece| piece.due.max(self.free_at))
    }

    /// Whether the sender has ended.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether nothing reaches the receiver any more, its end neither.
    pub(crate) fn is_silent(&self) -> bool {
        self.hole || self.lost
    }

    /// What a fault has done since the last call, each once.
    pub(crate) fn poll_acted(&mut self) -> Option<Acted> {
        let index = self.acted.iter().position(|&acted| acted)?;
        self.acted[index] = false;
        ACTED.get(index).copied()
    }

    fn throttle_step(&self, now: Duration) -> Option<usize> {
        let (bytes_per_s, until) = self.throttle?;
        let step = u64::from(bytes_per_s) * THROTTLE_STEP_MS / 1_000;
        (now < until).then(|| usize::try_from(step.max(1)).unwrap_or(usize::MAX))
    }
}
