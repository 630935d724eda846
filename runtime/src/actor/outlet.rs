//! From the link to the socket.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use throughline_link::Instant;

use super::{Connection, SessionActor};
use crate::{clock::wall_ms, session::Session, worker::BUFFER_BYTES};

/// A connection that is being closed has so long to write its last frame and to see the other
/// side close, too: long enough for a slow phone, short enough not to collect.
pub(super) const CLOSE_TIME: Duration = Duration::from_secs(2);

/// So many commits of one session share a write, at most: what they have released waits until the
/// turns behind them are in, so that the answers to a flood cost few writes. After a failover all
/// that its client said meanwhile has its turns at once, and two commits each.
const HELD_BACK_MAX: u32 = 8;

impl<S: Session> SessionActor<S> {
    /// A commit is in: what waited for it may leave.
    pub(super) fn note_released(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.released = connection.released.saturating_add(1);
        }
    }

    /// Whether so much was released that the turns that wait are to wait for it: each of them may
    /// be suspended until its commit is in, and nothing leaves meanwhile.
    #[inline]
    pub(super) fn is_held_back(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.released >= HELD_BACK_MAX)
    }

    /// Writes what is due, as far as the socket takes it. True if the socket may take more.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.write_delayed(now);
        let mut wrote = false;
        loop {
            // Right before each write: a turn may have taken longer than the lease.
            if !self.may_act() {
                return wrote;
            }
            let Some(connection) = &mut self.connection else { return wrote };
            connection.released = 0;
            let before = connection.unsent.len();
            match write_unsent(connection, cx) {
                Poll::Pending => {
                    let moved = connection.unsent.len() < before;
                    return self.hurry(moved, now) || wrote;
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    self.drop_connection(now);
                    return true;
                }
            }
            if !self.link.wants_transmit(now) || self.is_line_full() {
                break;
            }
            self.fill(cx, now, BUFFER_BYTES);
            wrote = true;
        }
        self.finish_closing(cx);
        wrote
    }

    /// The socket takes nothing more for now. Who is to be told goodbye may never read again, so a
    /// connection that is to close gets `CLOSE_TIME` without progress. True if the link was asked.
    fn hurry(&mut self, moved: bool, now: Instant) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        match (self.link.end_code(), connection.closing) {
            (Some(code), None) => connection.closing = Some((code, now + CLOSE_TIME)),
            (Some(code), Some(_)) if moved => connection.closing = Some((code, now + CLOSE_TIME)),
            // Connected and without a timer: the link gives up this connection. Its Close goes
            // behind what waits, and no message with it.
            (None, None) if self.link.poll_timeout().is_none() => {
                self.link.poll_transmit(now, wall_ms(), &mut connection.unsent, 0);
                return true;
            }
            _ => {}
        }
        false
    }

    /// Takes what is due from the link, messages up to `budget`, and hands it to the socket at
    /// once, if it takes it.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>, now: Instant, budget: usize) {
        let mut bytes = self.worker.take_write_buffer();
        let time = if self.link.wants_time() { wall_ms() } else { 0 };
        self.link.poll_transmit(now, time, &mut bytes, budget);
        if bytes.is_empty() {
            // Nothing was due after all.
        } else if let Some(link) = &mut self.simulated {
            let (delay, lost) = (link.delay, link.loses());
            link.outward.push(Bytes::copy_from_slice(&bytes), now, delay, lost);
        } else if let Some(connection) = &mut self.connection {
            let taken = match connection.transport.poll_write(cx, &bytes) {
                Poll::Ready(Ok(count)) => count,
                // An error comes again with the next write, where it is dealt with.
                Poll::Pending | Poll::Ready(Err(_)) => 0,
            };
            connection.unsent.extend_from_slice(&bytes[taken..]);
        }
        self.worker.give_write_buffer(bytes);
    }

    fn is_line_full(&self) -> bool {
        self.simulated.as_ref().is_some_and(|link| link.outward.is_full())
    }

    /// Moves what the simulated line lets through to the socket's side.
    fn write_delayed(&mut self, now: Instant) {
        let (Some(link), Some(connection)) = (&mut self.simulated, &mut self.connection) else {
            return;
        };
        while connection.unsent.is_empty()
            && let Some(bytes) = link.outward.pop(now)
        {
            connection.unsent.extend_from_slice(&bytes);
        }
    }

    /// Goes on with closing, once everything is written. The other side closes next: dropped with
    /// bytes unread, a connection would be reset, and the last frame might be lost on its way.
    fn finish_closing(&mut self, cx: &mut Context<'_>) {
        let is_line_empty = self.simulated.as_ref().is_none_or(|link| link.outward.is_empty());
        let Some(connection) = &mut self.connection else { return };
        let flushed = connection.transport.poll_flush(cx);
        let Some((code, _)) = connection.closing else { return };
        if flushed.is_ready() && is_line_empty && !connection.said_goodbye {
            connection.said_goodbye = connection.transport.poll_close(cx, code).is_ready();
        }
    }
}

fn write_unsent(connection: &mut Connection, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
    let mut written = 0;
    while written < connection.unsent.len() {
        match connection.transport.poll_write(cx, &connection.unsent[written..]) {
            Poll::Ready(Ok(count)) => written += count,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                connection.unsent.drain(..written);
                return Poll::Pending;
            }
        }
    }
    connection.unsent = Vec::new();
    Poll::Ready(Ok(()))
}
