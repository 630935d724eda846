//! From the socket to turns.

use std::task::{Context, Poll};

use bytes::Bytes;
use throughline_link::{CloseCode, Frame, FrameError, Incoming, Instant, Split, split};

use super::{Connection, Ending, SessionActor};
use crate::{session::Session, transport::Read};

impl<S: Session> SessionActor<S> {
    /// Reads once, as far as there is room for what it brings. True if anything came.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let delayed = self.take_delayed(cx, now);
        if !self.may_read(now) {
            return delayed;
        }
        if self.take_backlog(cx, now) {
            return true;
        }
        let Some(connection) = &mut self.connection else { return delayed };
        let mut buffer = self.worker.take_read_buffer();
        let read = connection.transport.poll_read(cx, &mut buffer);
        match read {
            Poll::Pending => {
                self.worker.give_read_buffer(buffer);
                return delayed;
            }
            Poll::Ready(Ok(Read::Bytes(count))) => self.take_bytes(cx, &buffer[..count], now),
            Poll::Ready(Ok(Read::Message(message))) => {
                self.take_bytes(cx, &message, now);
                // A frame never spans two WebSocket messages; one that found no room is whole.
                if self.connection.as_ref().is_some_and(is_cut) && self.simulated.is_none() {
                    self.link.handle_garbage(CloseCode::ProtocolError);
                }
            }
            Poll::Ready(Ok(Read::Text)) => self.link.handle_garbage(CloseCode::TextFrame),
            Poll::Ready(Ok(Read::TooLarge)) => self.link.handle_garbage(CloseCode::TooLarge),
            Poll::Ready(Ok(Read::End) | Err(_)) => self.drop_connection(now),
        }
        self.worker.give_read_buffer(buffer);
        true
    }

    fn may_read(&mut self, now: Instant) -> bool {
        let rate = &self.worker.node.rate;
        let has_room =
            self.has_room() && !self.simulated.as_ref().is_some_and(|link| link.inward.is_full());
        let Some(connection) = &mut self.connection else { return false };
        connection.held_until = self.meter.held_until(rate, now);
        if connection.held_until.is_some() && self.meter.is_flood(rate, now) {
            self.link.end(CloseCode::Flooded);
        }
        // An ended session takes nothing, but its acks and its goodbye are read.
        let may = self.link.is_ended() || has_room && connection.held_until.is_none();
        if connection.paused && may {
            self.link.forgive_silence(now);
        }
        connection.paused = !may;
        may
    }

    /// Whether a message of the client has a place. One that keeps to its window always has: the
    /// acks behind its messages must get through, or both windows stay full.
    fn has_room(&self) -> bool {
        let (config, numbering) = (&self.worker.node.config, self.link.numbering());
        let waiting = numbering.received() - numbering.handled_up_to();
        let few = self.inbox.messages() < config.session.mailbox
            || waiting <= u64::from(config.link.window_messages);
        let small = self.inbox.message_bytes() <= config.link.window_bytes as usize;
        // One message always has a place, whatever its size.
        waiting <= 1 || few && small
    }

    fn take_bytes(&mut self, cx: &mut Context<'_>, bytes: &[u8], now: Instant) {
        if let Some(link) = &mut self.simulated {
            let (delay, lost) = (link.delay, link.loses());
            link.inward.push(Bytes::copy_from_slice(bytes), now, delay, lost);
        } else {
            self.feed(cx, bytes, now);
        }
    }

    /// Takes what the simulated line lets through.
    fn take_delayed(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut any = false;
        while let Some(bytes) = self.simulated.as_mut().and_then(|link| link.inward.pop(now)) {
            self.feed(cx, &bytes, now);
            any = true;
        }
        if self.simulated.as_ref().is_some_and(|link| link.is_idle()) {
            self.simulated = None;
        }
        any
    }

    /// Takes whole frames that found no room before.
    fn take_backlog(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        let is_whole = matches!(
            split(&connection.partial, self.worker.node.config.link.max_frame),
            Ok(Split::Whole { .. })
        );
        if is_whole {
            let backlog = std::mem::take(&mut connection.partial);
            self.feed(cx, &backlog, now);
        }
        is_whole
    }

    /// Takes the frames in `chunk`, behind what is there already.
    fn feed(&mut self, cx: &mut Context<'_>, mut chunk: &[u8], now: Instant) {
        if self.connection.as_ref().is_some_and(|connection| connection.closing.is_some())
            && !self.link.is_ended()
        {
            // It was given up: what still comes is read to its end, and is nothing.
            return;
        }
        // Finish the frame that was begun, with as few bytes as it needs.
        while let Some(connection) = &mut self.connection
            && !connection.partial.is_empty()
            && !chunk.is_empty()
        {
            let limit = self.worker.node.config.link.max_frame;
            let missing = match split(&connection.partial, limit) {
                Ok(Split::Incomplete(bytes)) => bytes - connection.partial.len(),
                // Held back for want of room.
                Ok(Split::Whole { .. }) => chunk.len(),
                Err(error) => return self.take_garbage(error),
            };
            let (head, rest) = chunk.split_at(missing.min(chunk.len()));
            connection.partial.extend_from_slice(head);
            chunk = rest;
            match split(&connection.partial, limit) {
                Ok(Split::Whole { .. }) => {
                    let frame = std::mem::take(&mut connection.partial);
                    self.take_frames(cx, &frame, now);
                }
                Ok(Split::Incomplete(_)) => {}
                // At once: nothing more may ever come.
                Err(error) => return self.take_garbage(error),
            }
        }
        self.take_frames(cx, chunk, now);
    }

    /// Takes whole frames from `bytes` while there is room; the rest is kept.
    fn take_frames(&mut self, cx: &mut Context<'_>, mut bytes: &[u8], now: Instant) {
        let limit = self.worker.node.config.link.max_frame;
        while !bytes.is_empty() && (self.has_room() || self.ending != Ending::No) {
            let (frame, used) = match split(bytes, limit) {
                Ok(Split::Whole { kind, body, bytes }) => (Frame::read(kind, body), bytes),
                Ok(Split::Incomplete(_)) => break,
                Err(error) => (Err(error), bytes.len()),
            };
            bytes = &bytes[used..];
            self.meter.take(used, &self.worker.node.rate, now);
            match frame {
                Ok(frame) => {
                    let taken = self.link.handle_frame(frame, now);
                    if let Incoming::Message { seq, payload } = taken {
                        self.take_message(cx, seq, payload, now);
                    }
                }
                Err(error) => {
                    self.take_garbage(error);
                    return;
                }
            }
        }
        if let Some(connection) = &mut self.connection {
            connection.partial.extend_from_slice(bytes);
        }
    }

    fn take_garbage(&mut self, error: FrameError) {
        let code = match error.code() {
            code @ (CloseCode::TooLarge | CloseCode::ProtocolError) => code,
            // What would refuse a handshake has no place in a session.
            _ => CloseCode::ProtocolError,
        };
        if let Some(connection) = &mut self.connection {
            connection.partial = Vec::new();
            connection.garbage = Some(error);
        }
        self.link.handle_garbage(code);
    }
}

/// Whether the bytes that wait do not begin with a whole frame.
fn is_cut(connection: &Connection) -> bool {
    !connection.partial.is_empty()
        && matches!(split(&connection.partial, u32::MAX), Ok(Split::Incomplete(_)))
}
