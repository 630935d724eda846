//! One connection that has proved the secret.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::FrameError;
use crate::frame::{Frame, Head};
use crate::hub::Shared;
use crate::hub::calls::Calls;
use crate::hub::charge::{Charge, Room};
use crate::hub::hints::Hints;
use crate::limits::{FRAME_BYTES_MAX, READ_BYTES, STALL_TIMEOUT, WRITE_BYTES};
use crate::stream::Stream;

/// Buffers above this are given back once they are empty: a single large frame must not keep its
/// memory for as long as the connection lasts.
const BUFFER_BYTES_KEPT: usize = 4 * WRITE_BYTES;

/// A connection: frames in, calls under way, answers out in batches. A batch takes no more answers
/// once a part of it was written; meanwhile those that come wait in the store's hands, charged.
pub(super) struct Connection {
    /// Shared with what waits for it beside the rest.
    stream: Arc<Stream>,
    shared: Arc<Shared>,
    input: BytesMut,
    /// Room for the frame at the front of the input, taken before its bytes are read.
    charge: Option<Charge>,
    /// Whether the frame at the front waits for room.
    is_full: bool,
    room: Room,
    calls: Calls,
    hints: Hints,
    out: BytesMut,
    /// The charge of the answers in `out`.
    sent: Option<Charge>,
    /// When a byte last came or left, or the batch began.
    moved: Instant,
    stopping: watch::Receiver<bool>,
    is_stopping: bool,
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The client closed it or has died: nothing to report.
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame that has no place behind the handshake")]
    Misplaced,
    #[error("took no answers, or did not end a frame, for {STALL_TIMEOUT:?}")]
    Stalled,
    #[error("the hub stops")]
    Stopped,
}

impl Connection {
    pub(super) fn new(stream: Stream, input: BytesMut, shared: Arc<Shared>) -> Self {
        Self {
            room: Room::new(shared.room.clone()),
            stopping: shared.stopping.clone(),
            stream: Arc::new(stream),
            shared,
            input,
            charge: None,
            is_full: false,
            calls: Calls::default(),
            hints: Hints::default(),
            out: BytesMut::new(),
            sent: None,
            moved: Instant::now(),
            is_stopping: false,
        }
    }

    /// Serves the connection until it ends. What is then under way is dropped: its outcome is
    /// unknown to the client, which knows that.
    pub(super) async fn run(mut self) {
        let end = loop {
            match self.turn().await {
                Ok(()) => {}
                Err(end) => break end,
            }
        };
        let counters = &self.shared.counters;
        match end {
            End::Io(_) | End::Stopped => log::debug!("hub: a connection ended: {end}"),
            End::Stalled => {
                counters.stalled.fetch_add(1, Relaxed);
                log::warn!("hub: closed a connection: its client {end}");
            }
            End::Frame(_) | End::Misplaced => {
                counters.violations.fetch_add(1, Relaxed);
                log::warn!("hub: closed a connection: its client sent {end}");
            }
        }
    }

    /// Does what can be done at once, then waits until there is more.
    async fn turn(&mut self) -> Result<(), End> {
        let mut has_moved = self.begin_calls()?;
        has_moved |= self.collect().await;
        has_moved |= self.write()?;
        has_moved |= self.read()?;
        if has_moved {
            // A busy connection lets the others of its thread have their turn.
            tokio::task::consume_budget().await;
            return Ok(());
        }
        if self.is_stopping && self.calls.is_empty() && self.out.is_empty() {
            return Err(End::Stopped);
        }
        self.wait().await
    }

    /// Whether more bytes are wanted: the frame at the front is not whole, and has room.
    fn wants_input(&self) -> bool {
        !self.is_full && !self.is_stopping
    }

    /// Begins the calls that have come, as far as there is room.
    fn begin_calls(&mut self) -> Result<bool, End> {
        let mut moved = false;
        self.is_full = false;
        while !self.is_stopping {
            let Some(head) = Head::read(&self.input, FRAME_BYTES_MAX)? else { break };
            if self.charge.is_none() {
                self.charge = self.room.take(head);
            }
            if self.charge.is_none() {
                self.is_full = true;
                break;
            }
            if self.input.len() < head.frame_bytes() {
                break;
            }
            let frame = Frame::read(&self.input[Head::LENGTH_BYTES..head.frame_bytes()])?;
            self.input.advance(head.frame_bytes());
            if let Some(charge) = self.charge.take() {
                self.begin(frame, charge)?;
            }
            moved = true;
        }
        if self.input.is_empty() && self.input.capacity() > BUFFER_BYTES_KEPT {
            self.input = BytesMut::with_capacity(READ_BYTES);
        }
        Ok(moved)
    }

    fn begin(&mut self, frame: Frame, charge: Charge) -> Result<(), End> {
        self.shared.counters.calls.fetch_add(1, Relaxed);
        let Err((other, charge)) = self.calls.begin(&self.shared.store, frame, charge) else {
            return Ok(());
        };
        self.room.give_back(charge);
        match other {
            Frame::Watch { watch, prefix } => self.hints.watch(&self.shared.store, watch, prefix),
            Frame::Unwatch { watch } => self.hints.unwatch(watch),
            _ => return Err(End::Misplaced),
        }
        Ok(())
    }

    /// Makes the answers and hints that have come a batch, unless one is being written.
    async fn collect(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.poll_batch(cx).is_ready())).await
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.out.is_empty() {
            return Poll::Pending;
        }
        let Self { calls, hints, room, out, sent, .. } = self;
        let answers = calls.poll(cx.waker(), room, out, sent);
        let hints = hints.poll(cx, out);
        if answers.is_pending() && hints.is_pending() {
            return Poll::Pending;
        }
        self.moved = Instant::now();
        self.shared.counters.batches.fetch_add(1, Relaxed);
        Poll::Ready(())
    }

    /// Writes what the system takes of the batch; behind its last byte, its room is free again.
    fn write(&mut self) -> Result<bool, End> {
        if self.out.is_empty() {
            return Ok(false);
        }
        let Some(written) = self.stream.try_write(&self.out)? else { return Ok(false) };
        self.out.advance(written);
        self.moved = Instant::now();
        if self.out.is_empty() {
            if let Some(charge) = self.sent.take() {
                self.room.give_back(charge);
            }
            if self.out.capacity() > BUFFER_BYTES_KEPT {
                self.out = BytesMut::new();
            }
            self.hints.handle_written();
        }
        Ok(true)
    }

    fn read(&mut self) -> Result<bool, End> {
        if !self.wants_input() || self.stream.try_read(&mut self.input)?.is_none() {
            return Ok(false);
        }
        self.moved = Instant::now();
        Ok(true)
    }

    /// Waits until something can be done.
    async fn wait(&mut self) -> Result<(), End> {
        let is_writing = !self.out.is_empty();
        let interest = match (self.wants_input(), is_writing) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        // Answers that do not leave and a frame that does not end take room from the others.
        let holds_room = is_writing || self.charge.is_some();
        let stalled = tokio::time::sleep_until(self.moved + STALL_TIMEOUT);
        let stream = self.stream.clone();
        let mut stopping = self.stopping.clone();
        let is_stopping = self.is_stopping;
        let ready = async move {
            match interest {
                Some(interest) => stream.ready(interest).await.map(drop),
                None => std::future::pending().await,
            }
        };
        let progress = poll_fn(|cx| {
            let (room, batch) = (self.room.poll_wait(cx), self.poll_batch(cx));
            if room.is_ready() || batch.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            ready = ready => ready?,
            () = progress => {}
            () = stalled, if holds_room => return Err(End::Stalled),
            _ = stopping.wait_for(|stopping| *stopping), if !is_stopping => self.is_stopping = true,
        }
        Ok(())
    }
}
