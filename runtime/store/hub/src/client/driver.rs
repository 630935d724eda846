//! What drives a client: one task, one connection at a time.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use throughline_store::Write;
use tokio::io::Interest;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{sleep, sleep_until};

use crate::client::backoff::backoff;
use crate::client::calls::{Answer, Break, Calls, Request, Violation};
use crate::client::dial::{DialError, Dialed, dial};
use crate::frame::{Frame, Head};
use crate::limits::{FRAME_BYTES_MAX, READ_BYTES, WRITE_BYTES};
use crate::store::Shared;
use crate::stream::Stream;
use crate::{ConnectError, FrameError, Options};

/// Buffers above this are given back once they are empty.
const BUFFER_BYTES_KEPT: usize = 4 * WRITE_BYTES;

/// A call, on its way to the driver.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) called: Duration,
    pub(crate) caller: Caller,
}

/// How a caller is answered, and its part of what a client may have under way, until then.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) answer: oneshot::Sender<Answer>,
    pub(crate) _units: OwnedSemaphorePermit,
}

/// The driver of one client.
#[derive(Debug)]
pub(crate) struct Driver {
    options: Options,
    shared: Arc<Shared>,
    /// Unbounded by itself: the units of the callers bound it.
    asked: mpsc::UnboundedReceiver<Asked>,
    calls: Calls<Caller>,
    input: BytesMut,
    out: BytesMut,
    /// Nobody can ask any more: the store was closed, or its last handle dropped.
    is_ending: bool,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Read(io::Error),
    #[error(transparent)]
    Write(io::Error),
    #[error("the hub sent {0}")]
    Frame(#[from] FrameError),
    #[error("the hub sent {0}")]
    Violation(#[from] Violation),
    #[error("the hub did not answer in time")]
    Deaf,
    #[error("the store was closed")]
    Closed,
}

impl Driver {
    pub(crate) fn new(
        options: Options,
        shared: Arc<Shared>,
        asked: mpsc::UnboundedReceiver<Asked>,
    ) -> Self {
        Self {
            calls: Calls::new(options.waits),
            options,
            shared,
            asked,
            input: BytesMut::new(),
            out: BytesMut::new(),
            is_ending: false,
        }
    }

    /// Connects for the first time, tells how that went, and goes on until the store is closed.
    pub(crate) async fn run(self, first: oneshot::Sender<Result<(), ConnectError>>) {
        let dialed = match self.dial_first().await {
            Ok(dialed) => dialed,
            Err(error) => return drop(first.send(Err(error))),
        };
        if first.send(Ok(())).is_ok() {
            self.go_on(dialed).await;
        }
    }

    /// Connects, however long that takes, and goes on until the store is closed or given up.
    pub(crate) async fn run_attached(mut self) {
        if let Some(dialed) = self.dial_again().await {
            *self.shared.trouble() = None;
            self.go_on(dialed).await;
        }
    }

    async fn go_on(mut self, mut dialed: Dialed) {
        loop {
            let end = self.converse(dialed).await;
            let how = if matches!(end, End::Write(_)) { Break::Write } else { Break::Read };
            self.calls.handle_broken(how, end.to_string());
            self.answer();
            if matches!(end, End::Closed) {
                return;
            }
            self.tell_trouble(&format!("the connection broke: {end}"));
            log::info!("hub: the connection to {} broke: {end}", self.options.address);
            dialed = match self.dial_again().await {
                Some(dialed) => dialed,
                None => return,
            };
            *self.shared.trouble() = None;
            log::info!("hub: connected to {} again", self.options.address);
        }
    }

    async fn dial_first(&self) -> Result<Dialed, ConnectError> {
        let mut failures = 0;
        loop {
            let error = match dial(&self.options).await {
                Ok(dialed) => return Ok(dialed),
                Err(error) => error,
            };
            if error.is_final() || self.shared.now() >= self.options.waits.call {
                return Err(error.into_connect_error(&self.options));
            }
            failures += 1;
            sleep(backoff(failures, fastrand::f64())).await;
        }
    }

    /// Connects again, while calls come and expire. `None`: nobody is there to be answered.
    async fn dial_again(&mut self) -> Option<Dialed> {
        let options = self.options.clone();
        let (failed, mut failures) = mpsc::channel(1);
        let dialing = dial_until_connected(options, failed);
        tokio::pin!(dialing);
        loop {
            self.take_calls();
            self.pass_time();
            self.answer();
            if self.is_ending && self.calls.is_empty() {
                return None;
            }
            let due = self.due();
            let shared = self.shared.clone();
            tokio::select! {
                () = shared.watched.notified() => {}
                dialed = &mut dialing => return Some(dialed),
                Some(error) = failures.recv() => self.handle_failed_dial(&error),
                asked = self.asked.recv(), if !self.is_ending => self.handle_asked(asked),
                () = until(due) => {}
            }
        }
    }

    /// What operators see until there is a connection again.
    fn tell_trouble(&self, why: &str) {
        let address = &self.options.address;
        *self.shared.trouble() = Some(format!("the hub at {address} is away: {why}"));
    }

    fn handle_failed_dial(&mut self, error: &DialError) {
        self.tell_trouble(&error.to_string());
        if error.is_final() {
            log::warn!("hub: cannot use {}: {error}", self.options.address);
        }
        self.calls.handle_broken(Break::Read, format!("{}: {error}", self.options.address));
    }

    /// Uses one connection until it ends.
    async fn converse(&mut self, dialed: Dialed) -> End {
        self.calls.handle_connected(self.shared.now());
        self.input = dialed.input;
        self.out.clear();
        // Hints were lost while there was no connection.
        let prefixes = self.shared.prefixes().handle_connected();
        prefixes.into_iter().for_each(|prefix| self.tell(prefix));
        loop {
            if let Err(end) = self.turn(&dialed.stream).await {
                return end;
            }
        }
    }

    /// Does what can be done at once, then waits until there is more.
    async fn turn(&mut self, stream: &Stream) -> Result<(), End> {
        self.take_calls();
        let mut has_moved = self.write(stream)?;
        has_moved |= self.read(stream)?;
        if self.pass_time() {
            return Err(End::Deaf);
        }
        self.answer();
        if self.is_ending && self.calls.is_empty() {
            return Err(End::Closed);
        }
        if has_moved {
            return Ok(());
        }
        let is_writing = !self.out.is_empty();
        let interest = match is_writing {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        let due = self.due();
        let shared = self.shared.clone();
        tokio::select! {
            ready = stream.ready(interest) => drop(ready.map_err(End::Read)?),
            asked = self.asked.recv(), if !self.is_ending => self.handle_asked(asked),
            () = shared.watched.notified() => {}
            () = until(due) => {}
        }
        Ok(())
    }

    fn write(&mut self, stream: &Stream) -> Result<bool, End> {
        if self.out.is_empty() {
            if self.out.capacity() > BUFFER_BYTES_KEPT {
                self.out = BytesMut::new();
            }
            self.shared.prefixes().poll_transmit(&mut self.out);
            self.calls.poll_transmit(self.shared.now(), &mut self.out);
        }
        if self.out.is_empty() {
            return Ok(false);
        }
        let Some(written) = stream.try_write(&self.out).map_err(End::Write)? else {
            return Ok(false);
        };
        self.out.advance(written);
        self.calls.handle_written(written);
        Ok(true)
    }

    fn read(&mut self, stream: &Stream) -> Result<bool, End> {
        if stream.try_read(&mut self.input).map_err(End::Read)?.is_none() {
            return Ok(false);
        }
        let now = self.shared.now();
        while let Some(head) = Head::read(&self.input, FRAME_BYTES_MAX)? {
            if self.input.len() < head.frame_bytes() {
                break;
            }
            let frame = Frame::read(&self.input[Head::LENGTH_BYTES..head.frame_bytes()])?;
            self.input.advance(head.frame_bytes());
            self.handle_frame(now, frame)?;
        }
        if self.input.is_empty() && self.input.capacity() > BUFFER_BYTES_KEPT {
            self.input = BytesMut::with_capacity(READ_BYTES);
        }
        Ok(true)
    }

    fn handle_frame(&mut self, now: Duration, frame: Frame) -> Result<(), Violation> {
        match frame {
            Frame::Hint { watch } => {
                let prefix = self.shared.prefixes().handle_hint(watch);
                if let Some(prefix) = prefix {
                    self.tell(prefix);
                }
                Ok(())
            }
            Frame::WatchRefused { watch } => {
                log::warn!("hub: no hints for watch {watch}: the hub has too many watches");
                Ok(())
            }
            answer => self.calls.handle_answer(now, answer),
        }
    }

    /// Tells the watches that look at this prefix.
    fn tell(&self, prefix: Bytes) {
        self.shared.watches.tell(std::iter::once(&Write::Delete { key: prefix }));
    }

    fn handle_asked(&mut self, asked: Option<Asked>) {
        match asked {
            Some(asked) => {
                let Asked { request, called, caller } = asked;
                self.calls.handle_call(self.shared.now(), called, request, caller);
            }
            None => self.is_ending = true,
        }
    }

    /// Takes all calls that have come, so that they share a batch.
    fn take_calls(&mut self) {
        if self.shared.is_closed() {
            // What was asked before is still received.
            self.asked.close();
        }
        while !self.is_ending {
            match self.asked.try_recv() {
                Ok(asked) => self.handle_asked(Some(asked)),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => self.is_ending = true,
            }
        }
    }

    /// Whether the connection is to be given up.
    fn pass_time(&mut self) -> bool {
        self.calls.handle_timeout(self.shared.now())
    }

    fn answer(&mut self) {
        while let Some((caller, answer)) = self.calls.poll_answer() {
            // A caller that has dropped its call does not want to know.
            let _ = caller.answer.send(answer);
        }
    }

    fn due(&self) -> Option<tokio::time::Instant> {
        self.calls.poll_timeout().map(|due| self.shared.started + due)
    }
}

/// Dials until it works, with backoff; each failure is told, if anyone looks.
async fn dial_until_connected(options: Options, failed: mpsc::Sender<DialError>) -> Dialed {
    let mut failures = 0;
    loop {
        match dial(&options).await {
            Ok(dialed) => return dialed,
            Err(error) => drop(failed.try_send(error)),
        }
        failures += 1;
        sleep(backoff(failures, fastrand::f64())).await;
    }
}

async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => poll_fn(|_| Poll::Pending).await,
    }
}
