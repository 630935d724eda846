//! From bytes to frames to what the application takes.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use throughline_link::{Frame, FrameError, Incoming, Split, split, wire};

use super::{Connection, Driver, Taken};
use crate::{defaults::READ_MAX, event::Event, wire::ReadError};

/// What was at the front of the inbox.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A message of this number.
    Message(u64, Bytes),
    /// Something that the application must know of is ready.
    Ready,
    /// No whole frame.
    Nothing,
}

impl Driver {
    /// The next event that needs no I/O.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Taken> {
        if self.ready.is_empty() {
            match self.decode() {
                Decoded::Message(seq, payload) => {
                    return Some(Taken { seq, event: Event::Message(payload) });
                }
                Decoded::Ready => {}
                Decoded::Nothing => return None,
            }
        }
        let taken = self.ready.pop_front();
        if let Some(Taken { event: Event::Message(payload), .. }) = &taken {
            self.ready_bytes -= payload.len();
        }
        taken
    }

    /// Takes frames from the inbox up to the first one that matters to the application.
    #[inline]
    fn decode(&mut self) -> Decoded {
        loop {
            let (kind, body, bytes) = match split(&self.inbox, self.link.frame_limit()) {
                Ok(Split::Whole { kind, body, bytes }) => (kind, body, bytes),
                Ok(Split::Incomplete(_)) if self.inbox.is_empty() => return Decoded::Nothing,
                Ok(Split::Incomplete(_)) => return self.incomplete(),
                Err(error) => return self.garbage(&error),
            };
            let frame = match Frame::read(kind, body) {
                Ok(frame) => frame,
                Err(error) => return self.garbage(&error),
            };
            match &frame {
                Frame::Data(_) => {}
                Frame::Welcome(welcome) => {
                    self.window = (welcome.window_messages, welcome.window_bytes);
                }
                Frame::Refused(refused) => {
                    let text = format!("refused: {} {}", refused.code, refused.text);
                    self.last_error = Some(io::Error::other(text));
                }
                _ => {}
            }
            if let Incoming::Message { seq, payload } = self.link.handle_frame(frame, self.now) {
                let header = bytes - payload.len();
                let mut frame = self.inbox.split_to(bytes);
                frame.advance(header);
                return Decoded::Message(seq, frame.freeze());
            }
            self.inbox.advance(bytes);
            self.note_hang_up();
            if self.collect() {
                return Decoded::Ready;
            }
        }
    }

    /// What is left of a connection that is given up must not count against the next one.
    fn note_hang_up(&mut self) {
        if self.link.poll_hang_up() {
            self.hanging_up = true;
            self.inbox.clear();
        }
    }

    /// A part of a frame: the rest must be able to come.
    fn incomplete(&mut self) -> Decoded {
        if let Connection::Open(wire) = &self.connection
            && wire.reads_whole_frames()
        {
            // A frame must not span two messages of a WebSocket.
            let kind = self.inbox.get(wire::LENGTH_BYTES).copied().unwrap_or_default();
            return self.garbage(&FrameError::Short { kind });
        }
        Decoded::Nothing
    }

    #[cold]
    fn garbage(&mut self, error: &FrameError) -> Decoded {
        self.last_error = Some(io::Error::new(io::ErrorKind::InvalidData, *error));
        self.link.handle_garbage(error, self.now);
        self.note_hang_up();
        self.inbox.clear();
        if self.collect() { Decoded::Ready } else { Decoded::Nothing }
    }

    /// Takes apart all that was read, for later; whether there was something.
    pub(crate) fn stock(&mut self) -> bool {
        let mut stocked = false;
        while !self.is_stocked() {
            match self.decode() {
                Decoded::Message(seq, payload) => {
                    self.ready_bytes += payload.len();
                    self.ready.push_back(Taken { seq, event: Event::Message(payload) });
                }
                Decoded::Ready => {}
                Decoded::Nothing => break,
            }
            stocked = true;
        }
        stocked
    }

    /// Whether the application must take events first: a window of messages waits for it, and the
    /// node reads nothing more from us until some of them are acknowledged.
    pub(crate) fn is_stocked(&self) -> bool {
        let (messages, bytes) = self.window;
        let (messages, bytes) = (messages.max(1) as usize, bytes.max(1) as usize);
        self.ready.len() >= messages || self.ready_bytes >= bytes
    }

    /// Reads once; ready if there was something, be it the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.hanging_up {
            return Poll::Ready(());
        }
        let room = self.make_room();
        let Connection::Open(wire) = &mut self.connection else { return Poll::Pending };
        match ready!(wire.poll_read(cx, &mut self.inbox)) {
            Ok(0) => self.lost(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                self.refresh();
                if bytes >= room {
                    self.read_size = (self.read_size * 2).min(READ_MAX);
                }
            }
            Err(ReadError::Broken(error)) => self.lost(error),
            #[cfg(feature = "websocket")]
            Err(ReadError::Text) => {
                self.refresh();
                self.garbage(&FrameError::BadField { kind: wire::DATA, field: "encoding: text" });
            }
        }
        Poll::Ready(())
    }

    /// Makes room in the inbox for a read, and for the whole frame if a part of one is there.
    fn make_room(&mut self) -> usize {
        let spare = self.inbox.capacity() - self.inbox.len();
        let wanted = match split(&self.inbox, self.link.frame_limit()) {
            Ok(Split::Incomplete(bytes)) => bytes.saturating_sub(self.inbox.len()),
            _ => 0,
        };
        let least = self.read_size / 4;
        if spare < wanted.max(least) {
            // Payloads that the application has dropped give their room back here, without a copy.
            let whole = self.read_size.saturating_sub(self.inbox.len());
            self.inbox.reserve(wanted.max(whole).max(least));
        }
        self.inbox.capacity() - self.inbox.len()
    }
}
