//! From what the link wants written to as few writes as possible.

use std::{
    io,
    task::{Context, Poll, ready},
};

use throughline_link::{Instant, defaults::MAX_FRAME};

use super::{Connection, Driver};
use crate::defaults::{WRITE_BATCH, WRITE_WITHIN};

/// Capacity above which an empty buffer is given back.
const KEEP_BYTES: usize = WRITE_BATCH + MAX_FRAME as usize;

/// Whole frames on their way to the connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: Vec<u8>,
    /// How many bytes of them are written.
    written: usize,
    /// Layers below may hold some that were written.
    unflushed: bool,
    /// Payload bytes in the link since the last write.
    pub(super) queued: usize,
    /// When something was last written.
    wrote_at: Instant,
    /// Writing has failed; the connection is read to its end and then given up.
    pub(super) broken: Option<io::Error>,
}

impl Driver {
    /// Writes what there is, as far as the connection takes it.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>) {
        self.outbox.queued = 0;
        self.outbox.wrote_at = self.now;
        // What is left is written with the next call.
        let _ = self.poll_flush(cx);
    }

    /// Ready when everything is with the connection, or there is none that takes it.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.outbox.broken.is_none()
            && let Err(error) = ready!(self.poll_write(cx))
        {
            self.outbox.broken = Some(error);
        }
        Poll::Ready(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Connection::Open(wire) = &mut self.connection else { return Poll::Ready(Ok(())) };
        let outbox = &mut self.outbox;
        loop {
            if outbox.written == outbox.frames.len() {
                outbox.frames.clear();
                outbox.written = 0;
                if outbox.frames.capacity() > KEEP_BYTES {
                    outbox.frames = Vec::new();
                }
                if self.link.wants_transmit(self.now) {
                    // The last wake-up may be long ago, and an answer is awaited from now on.
                    self.now = self.timer.now().max(self.now);
                    self.link.poll_transmit(self.now, &mut outbox.frames, WRITE_BATCH);
                }
                if outbox.frames.is_empty() {
                    break;
                }
            }
            outbox.written += ready!(wire.poll_write(cx, &outbox.frames[outbox.written..]))?;
            outbox.unflushed = true;
        }
        if outbox.unflushed {
            ready!(wire.poll_flush(cx))?;
            outbox.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Says why the connection is closed, if it takes it at once: it may well be dead.
    pub(super) fn write_last(&mut self, cx: &mut Context<'_>) {
        if self.outbox.broken.is_none()
            && self.poll_write(cx).is_ready()
            && let Connection::Open(wire) = &mut self.connection
        {
            // Whatever comes of it, the connection is dropped.
            let _ = wire.poll_shutdown(cx);
        }
    }

    /// Whether messages should be written before more are handed out.
    pub(crate) fn should_write(&self) -> bool {
        self.outbox.queued >= WRITE_BATCH || self.now.since(self.outbox.wrote_at) >= WRITE_WITHIN
    }

    /// Writes the Close of a client that leaves, then waits for the node to close, so that nothing
    /// is lost on the way by a reset. Ready when there is no connection any more.
    pub(crate) fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.refresh();
        let goodbye = self.poll_write(cx);
        let Connection::Open(wire) = &mut self.connection else { return Poll::Ready(()) };
        let shut = match goodbye {
            Poll::Ready(Ok(())) => wire.poll_shutdown(cx),
            other => other,
        };
        if let Poll::Ready(Err(_)) = shut {
            return Poll::Ready(());
        }
        loop {
            self.inbox.clear();
            match ready!(wire.poll_read(cx, &mut self.inbox)) {
                Ok(1..) => {}
                _ => return Poll::Ready(()),
            }
        }
    }

    /// The end of `poll_leave`: there is no connection any more.
    pub(crate) fn left(&mut self) {
        self.link.poll_hang_up();
        self.close();
        self.collect();
    }
}
