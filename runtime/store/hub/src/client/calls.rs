//! The calls of a client that are under way, as a pure machine.
//!
//! A call is queued, encoded into the batch that is being written, and sent when its last byte was
//! taken by the system. If the connection breaks, what was not sent whole was surely not run, and
//! is sent over the next one; a read is sent again in any case; a commit that was sent is unknown.
//! Time is the time since any moment, and never goes back. The driver feeds `handle_*`, then
//! drains `poll_*`.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use throughline_store::{Batch, CommitError, Entry, GetError, Outage, Page, Scan, ScanError};

use crate::frame::{Failure, Frame, write_commit, write_get, write_scan};
use crate::limits::{AWAY_RETRY_AFTER, SWEEP_PERIOD, WRITE_BYTES};
use crate::options::Waits;

#[cfg(test)]
mod tests;

/// What a caller asks.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Get { key: Bytes },
    Scan { scan: Scan },
    Commit { batch: Batch },
}

/// What it gets: of the kind that it asked.
#[derive(Debug)]
pub(crate) enum Answer {
    Get(Result<Option<Bytes>, GetError>),
    Scan(Result<Page, ScanError>),
    Commit(Result<(), CommitError>),
}

/// How a connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// What was written is known.
    Read,
    /// A write failed, and it is not known how much of what it was given has left.
    Write,
}

/// The hub answered what no hub may: the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("an answer of another kind than its call")]
    Kind,
    #[error("a frame that only clients send")]
    Misplaced,
}

/// The calls under way; `T` is how the caller of each is answered.
#[derive(Debug)]
pub(crate) struct Calls<T> {
    waits: Waits,
    last_call: u64,
    calls: HashMap<u64, Call<T>>,
    /// To be encoded, in the order of the calls; some may have been answered meanwhile.
    queue: VecDeque<u64>,
    /// In the batch that is being written: where each call ends, in bytes of this connection.
    batch: VecDeque<(u64, u64)>,
    encoded_bytes: u64,
    written_bytes: u64,
    is_connected: bool,
    /// When the last frame came.
    heard: Duration,
    /// When the deadlines are next looked at, if there are calls.
    sweep_at: Duration,
    /// Why the hub is away.
    trouble: String,
    answers: VecDeque<(T, Answer)>,
}

#[derive(Debug)]
struct Call<T> {
    request: Request,
    called: Duration,
    /// When it was encoded for this connection.
    encoded: Option<Duration>,
    /// Whether it was sent before, over a connection that broke: a read, then.
    is_again: bool,
    caller: T,
}

impl<T> Calls<T> {
    pub(crate) fn new(waits: Waits) -> Self {
        Self {
            waits,
            last_call: 0,
            calls: HashMap::new(),
            queue: VecDeque::new(),
            batch: VecDeque::new(),
            encoded_bytes: 0,
            written_bytes: 0,
            is_connected: false,
            heard: Duration::ZERO,
            sweep_at: Duration::ZERO,
            trouble: "not connected yet".to_owned(),
            answers: VecDeque::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Takes a call, made at `called`. The driver's callers are bounded, so this is.
    pub(crate) fn handle_call(
        &mut self,
        now: Duration,
        called: Duration,
        request: Request,
        caller: T,
    ) {
        if self.calls.is_empty() {
            self.sweep_at = now + SWEEP_PERIOD;
        }
        self.last_call += 1;
        let call = Call { request, called, encoded: None, is_again: false, caller };
        if !self.is_connected && now >= called + self.waits.call {
            // It waited for its turn as long as it may.
            self.answers.push_back(self.expired(call));
            return;
        }
        self.calls.insert(self.last_call, call);
        self.queue.push_back(self.last_call);
    }

    /// A connection stands.
    pub(crate) fn handle_connected(&mut self, now: Duration) {
        self.is_connected = true;
        self.heard = now;
        (self.encoded_bytes, self.written_bytes) = (0, 0);
    }

    /// So many more bytes of what `poll_transmit` gave were taken by the system.
    pub(crate) fn handle_written(&mut self, bytes: usize) {
        self.written_bytes += bytes as u64;
        while self.batch.front().is_some_and(|(end, _)| *end <= self.written_bytes) {
            self.batch.pop_front();
        }
    }

    /// The connection broke, or could not be made; `trouble` is why, for who asks.
    pub(crate) fn handle_broken(&mut self, how: Break, trouble: String) {
        self.is_connected = false;
        self.trouble = trouble;
        if how == Break::Read {
            for (_, call) in self.batch.drain(..) {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.encoded = None;
                }
            }
        }
        self.batch.clear();
        let unknown = |call: &Call<T>| {
            call.encoded.is_some() && matches!(call.request, Request::Commit { .. })
        };
        let lost: Vec<_> = self.calls.extract_if(|_, call| unknown(call)).collect();
        for (_, call) in lost {
            let reason = format!("the connection to the hub broke: {}", self.trouble);
            let answer = Answer::Commit(Err(CommitError::Unknown { reason }));
            self.answers.push_back((call.caller, answer));
        }
        for call in self.calls.values_mut() {
            call.is_again |= call.encoded.take().is_some();
        }
        // In the order of the calls, those that come again before those that were never sent.
        let mut queue: Vec<_> = self.calls.keys().copied().collect();
        queue.sort_unstable();
        self.queue = queue.into();
    }

    /// A frame has come.
    pub(crate) fn handle_answer(&mut self, now: Duration, frame: Frame) -> Result<(), Violation> {
        self.heard = now;
        let number = match &frame {
            Frame::Value { call, .. }
            | Frame::Page { call, .. }
            | Frame::Done { call }
            | Frame::Failed { call, .. } => *call,
            _ => return Err(Violation::Misplaced),
        };
        // An answer to a call that has expired comes too late, and is dropped.
        let Some(call) = self.calls.get(&number) else { return Ok(()) };
        let answer = match (&call.request, frame) {
            (Request::Get { .. }, Frame::Value { value, .. }) => Answer::Get(Ok(value)),
            (Request::Scan { scan }, Frame::Page { entries, next, .. }) => {
                Answer::Scan(Ok(page(scan, entries, next)))
            }
            (Request::Commit { .. }, Frame::Done { .. }) => Answer::Commit(Ok(())),
            (request, Frame::Failed { failure, .. }) => failed(request, failure),
            _ => return Err(Violation::Kind),
        };
        if let Some(call) = self.calls.remove(&number) {
            self.answers.push_back((call.caller, answer));
        }
        Ok(())
    }

    /// Time has passed. Whether the connection is to be given up: a call that was sent has
    /// expired, and nothing was heard since.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> bool {
        if now < self.sweep_at || self.calls.is_empty() {
            return false;
        }
        self.sweep_at = now + SWEEP_PERIOD;
        let waits = self.waits;
        let due: Vec<_> = self.calls.extract_if(|_, call| call.deadline(&waits) <= now).collect();
        let is_deaf = |call: &Call<T>| call.encoded.is_some_and(|at| self.heard <= at);
        let is_given_up = self.is_connected && due.iter().any(|(_, call)| is_deaf(call));
        for (_, call) in due {
            let answer = self.expired(call);
            self.answers.push_back(answer);
        }
        is_given_up
    }

    /// When `handle_timeout` has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        (!self.calls.is_empty()).then_some(self.sweep_at)
    }

    /// Writes the next batch behind what is in `out` already; all of `out` is then this batch, and
    /// none of the one before is left to be written.
    pub(crate) fn poll_transmit(&mut self, now: Duration, out: &mut BytesMut) {
        if !self.is_connected {
            return;
        }
        let start = self.encoded_bytes;
        while out.len() < WRITE_BYTES {
            let Some(number) = self.queue.pop_front() else { break };
            let Some(call) = self.calls.get_mut(&number) else { continue };
            match &call.request {
                Request::Get { key } => write_get(out, number, key),
                Request::Scan { scan } => write_scan(out, number, scan),
                Request::Commit { batch } => write_commit(out, number, batch),
            }
            call.encoded = Some(now);
            self.batch.push_back((start + out.len() as u64, number));
        }
        self.encoded_bytes = start + out.len() as u64;
    }

    /// The next caller to be answered.
    pub(crate) fn poll_answer(&mut self) -> Option<(T, Answer)> {
        self.answers.pop_front()
    }

    /// What a call gets whose time is over.
    fn expired(&self, call: Call<T>) -> (T, Answer) {
        let Waits { call: wait, read, commit } = self.waits;
        let answer = match (call.request, call.encoded.is_some()) {
            (Request::Commit { .. }, true) => {
                let reason = format!("the hub did not answer within {commit:?}");
                Answer::Commit(Err(CommitError::Unknown { reason }))
            }
            (Request::Commit { .. }, false) => {
                Answer::Commit(Err(CommitError::Down(self.outage(wait))))
            }
            (Request::Get { .. }, sent) => {
                let waited = if sent || call.is_again { read } else { wait };
                Answer::Get(Err(GetError::Down(self.outage(waited))))
            }
            (Request::Scan { .. }, sent) => {
                let waited = if sent || call.is_again { read } else { wait };
                Answer::Scan(Err(ScanError::Down(self.outage(waited))))
            }
        };
        (call.caller, answer)
    }

    fn outage(&self, waited: Duration) -> Outage {
        let reason = match self.is_connected {
            true => format!("the hub did not get to the call within {waited:?}"),
            false => format!("the hub is away: {} (waited {waited:?})", self.trouble),
        };
        Outage { reason, retry_after: AWAY_RETRY_AFTER }
    }
}

impl<T> Call<T> {
    fn deadline(&self, waits: &Waits) -> Duration {
        match (&self.request, self.encoded) {
            (Request::Commit { .. }, Some(encoded)) => encoded + waits.commit,
            (Request::Commit { .. }, None) => self.called + waits.call,
            (_, encoded) if encoded.is_some() || self.is_again => self.called + waits.read,
            _ => self.called + waits.call,
        }
    }
}

/// The hub's page as one of this scan, within its bounds whatever the hub sent.
fn page(scan: &Scan, entries: Vec<Entry>, next: Option<Bytes>) -> Page {
    let mut page = scan.page();
    for entry in entries {
        if !page.push(entry.key, entry.value) {
            return page;
        }
    }
    if let Some(next) = next {
        page.end_before(next);
    }
    page
}

fn failed(request: &Request, failure: Failure) -> Answer {
    match request {
        Request::Get { .. } => Answer::Get(Err(failure.into())),
        Request::Scan { .. } => Answer::Scan(Err(failure.into())),
        Request::Commit { .. } => Answer::Commit(Err(failure.into())),
    }
}
