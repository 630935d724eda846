//! What one node sends to another, as a pure machine: its calls under way, its tells, and the
//! connection they leave by.
//!
//! A message is queued, encoded into the batch that is being written, and sent when its last byte
//! was taken by the system. If the connection breaks, what was not sent whole was surely not
//! handled, and leaves by the next connection; a call that was sent is unknown, and is never sent
//! again. The driver feeds `handle_*`, then drains `poll_*`. Time never goes back.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use bytes::{Bytes, BytesMut};
use throughline_link::{Backoff, Instant};

use crate::peers::CallError;
use crate::peers::due::Due;
use crate::peers::frame::{Frame, write_call};
use crate::peers::handshake::DialError;
use crate::peers::limits::{
    AWAY_GRACE, BACKOFF_MAX, BACKOFF_MIN, HEARTBEAT, LINGER, SILENCE_MAX, TELL_WAIT,
    WINDOW_CALLS_MAX, WRITE_BYTES,
};
use crate::peers::link::clock::OtherClock;
use crate::peers::numbers::Numbered;
use crate::peers::wire;

mod clock;
#[cfg(test)]
mod tests;

/// How a connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// What was written is known.
    Read,
    /// A write failed, and it is not known how much of what it was given has left.
    Write,
}

/// The other node sent what it must not: the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame that only a dialing node sends")]
pub(crate) struct Misplaced;

/// What the driver is to do about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing: use the connection, or wait.
    Stay,
    /// Dial: there is something to send.
    Dial,
    /// Nothing was heard for too long: give the connection up.
    GiveUp,
    /// Nothing to send for a while, and no connection: forget the node.
    Forget,
}

/// The messages to one node; `T` is how the caller of each call is answered, and holds its part of
/// the limits. A tell holds its own, which is dropped with it.
#[derive(Debug)]
pub(crate) struct Link<T> {
    state: State,
    backoff: Backoff,
    /// Dials that failed since the last connection.
    failures: u32,
    last_number: u64,
    calls: Numbered<u64, Call<T>>,
    tells: Numbered<u64, Tell<T>>,
    /// When each call and each tell that has not left expires.
    due: Due,
    /// To be encoded, in order; some may have expired meanwhile.
    queue: VecDeque<u64>,
    /// In the batch that is being written: where each message ends, in bytes of this connection.
    batch: VecDeque<(u64, u64)>,
    encoded_bytes: u64,
    written_bytes: u64,
    /// Calls that were encoded for this connection and are neither answered nor expired: the
    /// window. An expired one may still be handled, but its caller is gone.
    under_way: usize,
    /// The other node stops: nothing more leaves by this connection.
    is_over: bool,
    /// Why there is no connection, for who asks.
    trouble: String,
    answers: VecDeque<(T, Result<Bytes, CallError>)>,
    dropped: u64,
}

#[derive(Debug)]
enum State {
    /// Not connected since `since`; not dialed before `dial_at`.
    Away {
        since: Instant,
        dial_at: Instant,
        is_dialing: bool,
    },
    Connected {
        heard: Instant,
        ping_at: Instant,
        is_ping_due: bool,
        clock: OtherClock,
    },
}

#[derive(Debug)]
struct Call<T> {
    payload: Bytes,
    deadline: Instant,
    is_encoded: bool,
    caller: T,
}

/// A tell, until its last byte was taken by the system.
#[derive(Debug)]
struct Tell<T> {
    payload: Bytes,
    expires: Instant,
    is_encoded: bool,
    _held: T,
}

impl<T> Link<T> {
    /// To a node that was not dialed yet. `seed` spreads the dials of many nodes.
    pub(crate) fn new(now: Instant, seed: u64) -> Self {
        Self {
            state: State::Away { since: now, dial_at: now, is_dialing: false },
            backoff: Backoff::new(BACKOFF_MIN, BACKOFF_MAX, seed),
            failures: 0,
            last_number: 0,
            calls: Numbered::default(),
            tells: Numbered::default(),
            due: Due::default(),
            queue: VecDeque::new(),
            batch: VecDeque::new(),
            encoded_bytes: 0,
            written_bytes: 0,
            under_way: 0,
            is_over: false,
            trouble: "not connected yet".to_owned(),
            answers: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Whether nothing waits, neither to leave nor for an answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.tells.is_empty()
    }

    /// Whether the other node has said that it stops.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes a call. What callers hold is bounded, so this is.
    pub(crate) fn handle_call(&mut self, payload: Bytes, deadline: Instant, caller: T) {
        self.last_number += 1;
        let call = Call { payload, deadline, is_encoded: false, caller };
        self.calls.insert(self.last_number, call);
        self.due.add(deadline, self.last_number);
        self.queue.push_back(self.last_number);
    }

    /// Takes a tell.
    pub(crate) fn handle_tell(&mut self, now: Instant, payload: Bytes, held: T) {
        self.last_number += 1;
        let expires = now + TELL_WAIT;
        let tell = Tell { payload, expires, is_encoded: false, _held: held };
        self.tells.insert(self.last_number, tell);
        self.due.add(expires, self.last_number);
        self.queue.push_back(self.last_number);
    }

    /// A connection stands; `clock` is the other node's, as its Welcome said.
    pub(crate) fn handle_connected(&mut self, now: Instant, clock: u64) {
        let clock = OtherClock::new(now, clock);
        self.state =
            State::Connected { heard: now, ping_at: now + HEARTBEAT, is_ping_due: false, clock };
        self.failures = 0;
        self.under_way = 0;
        self.is_over = false;
        (self.encoded_bytes, self.written_bytes) = (0, 0);
    }

    /// A dial that `poll_wish` wanted has failed.
    pub(crate) fn handle_dial_failed(&mut self, now: Instant, error: &DialError) {
        let State::Away { since, dial_at, is_dialing } = &mut self.state else { return };
        self.failures = self.failures.saturating_add(1);
        *dial_at = now + self.backoff.wait(self.failures);
        *is_dialing = false;
        let is_long = now.since(*since) >= AWAY_GRACE;
        self.trouble = error.to_string();
        if *error == DialError::WrongPeer {
            self.fail_all(|_| CallError::WrongPeer);
        } else if is_long {
            let reason = self.trouble.clone();
            self.fail_all(|_| CallError::Unreachable { reason: reason.clone() });
        }
    }

    /// So many more bytes of what `poll_transmit` gave were taken by the system.
    pub(crate) fn handle_written(&mut self, bytes: usize) {
        self.written_bytes += bytes as u64;
        while let Some(&(end, number)) = self.batch.front()
            && end <= self.written_bytes
        {
            self.batch.pop_front();
            if !self.tells.is_empty()
                && let Some(tell) = self.tells.remove(&number)
            {
                self.expires_no_more(tell.expires, number);
            }
        }
    }

    /// The connection broke.
    pub(crate) fn handle_broken(&mut self, now: Instant, how: Break, trouble: String) {
        self.state = State::Away { since: now, dial_at: now, is_dialing: false };
        self.trouble = trouble;
        self.under_way = 0;
        let batch: Vec<_> = self.batch.drain(..).map(|(_, number)| number).collect();
        match how {
            // The other side has not got all bytes of these: they go again, before the others.
            Break::Read => {
                for &number in batch.iter().rev() {
                    if let Some(call) = self.calls.get_mut(&number) {
                        call.is_encoded = false;
                    }
                    self.queue.push_front(number);
                }
                for number in batch {
                    if let Some(tell) = self.tells.get_mut(&number) {
                        tell.is_encoded = false;
                        self.due.add(tell.expires, number);
                    }
                }
            }
            // A tell may have left: it is not told twice.
            Break::Write => {
                for number in &batch {
                    self.dropped += u64::from(self.tells.remove(number).is_some());
                }
            }
        }
        let lost: Vec<_> = self.calls.extract_if(|_, call| call.is_encoded).collect();
        for (number, call) in lost {
            self.expires_no_more(call.deadline, number);
            let error = CallError::Broken { reason: self.trouble.clone() };
            self.answers.push_back((call.caller, Err(error)));
        }
        // Nothing is left that could expire, and nobody wakes up for it.
        if self.is_empty() {
            self.due.clear();
        }
    }

    /// This node is another incarnation now, or stops: nothing of what it wanted is said any more.
    pub(crate) fn handle_closed(&mut self, reason: &str) {
        let reason = reason.to_owned();
        self.fail_all(|is_encoded| match is_encoded {
            true => CallError::Broken { reason: reason.clone() },
            false => CallError::Unreachable { reason: reason.clone() },
        });
    }

    /// A frame has come.
    pub(crate) fn handle_frame(&mut self, now: Instant, frame: Frame) -> Result<(), Misplaced> {
        let State::Connected { heard, clock, .. } = &mut self.state else { return Ok(()) };
        *heard = now;
        match frame {
            Frame::Answer { call, payload } => self.answer(call, Ok(payload)),
            Frame::Failed { call, code: wire::FAILED_TOO_LARGE } => {
                let reason = "it was handled, but its answer is too large".to_owned();
                self.answer(call, Err(CallError::Broken { reason }));
            }
            Frame::Failed { call, code: wire::FAILED_EXPIRED | wire::FAILED_NOT_HANDLED } => {
                self.answer(call, Err(CallError::NotHandled));
            }
            // Of a later version: that the call was not handled may not be concluded.
            Frame::Failed { call, code } => {
                let reason = format!("it failed, with the code {code}");
                self.answer(call, Err(CallError::Broken { reason }));
            }
            Frame::Goodbye { last } => {
                self.is_over = true;
                let later = |number: &u64, call: &Call<T>| call.is_encoded && *number > last;
                let later: Vec<_> = self.calls.extract_if(|n, call| later(n, call)).collect();
                for (number, call) in later {
                    self.under_way -= 1;
                    self.expires_no_more(call.deadline, number);
                    self.answers.push_back((call.caller, Err(CallError::NotHandled)));
                }
            }
            Frame::Alive { clock: stamp } => clock.handle_sample(now, stamp),
            Frame::Ignored => {}
            _ => return Err(Misplaced),
        }
        Ok(())
    }

    /// Answers a call that was sent. One that has expired is answered already.
    fn answer(&mut self, number: u64, answer: Result<Bytes, CallError>) {
        let Entry::Occupied(call) = self.calls.entry(number) else { return };
        if call.get().is_encoded {
            let call = call.remove();
            self.under_way -= 1;
            self.expires_no_more(call.deadline, number);
            self.answers.push_back((call.caller, answer));
        }
    }

    /// Time has passed: what has expired is answered or dropped.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let State::Connected { ping_at, is_ping_due, .. } = &mut self.state
            && *ping_at <= now
        {
            *ping_at = now + HEARTBEAT;
            *is_ping_due = true;
        }
        while let Some(number) = self.due.pop(now) {
            if let Some(call) = self.calls.remove(&number) {
                self.under_way -= usize::from(call.is_encoded);
                let error = self.expired(call.is_encoded);
                self.answers.push_back((call.caller, Err(error)));
            } else if self.tells.get(&number).is_some_and(|tell| !tell.is_encoded) {
                self.tells.remove(&number);
                self.dropped += 1;
            }
        }
        // Numbers of what has expired wait in the queue no longer than others wait.
        if self.queue.len() > 2 * (self.calls.len() + self.tells.len()) {
            let Self { queue, calls, tells, .. } = self;
            queue.retain(|number| calls.contains_key(number) || tells.contains_key(number));
        }
    }

    /// What has this number does not wait for its deadline any more.
    fn expires_no_more(&mut self, at: Instant, number: u64) {
        let Self { due, calls, tells, .. } = self;
        let waits = |number| {
            calls.contains_key(&number) || tells.get(&number).is_some_and(|tell| !tell.is_encoded)
        };
        due.remove(at, number, calls.len() + tells.len(), waits);
    }

    /// What a call gets whose deadline has passed.
    fn expired(&self, is_encoded: bool) -> CallError {
        match (&self.state, is_encoded) {
            (_, true) => CallError::TimedOut,
            (State::Connected { .. }, false) => CallError::Overloaded,
            (State::Away { .. }, false) => CallError::Unreachable { reason: self.trouble.clone() },
        }
    }

    fn fail_all(&mut self, error: impl Fn(bool) -> CallError) {
        for (_, call) in self.calls.drain() {
            self.answers.push_back((call.caller, Err(error(call.is_encoded))));
        }
        self.dropped += self.tells.len() as u64;
        self.tells.clear();
        self.due.clear();
        self.queue.clear();
        self.batch.clear();
    }

    /// Writes the next batch behind what is in `out` already, which must be nothing of this link.
    pub(crate) fn poll_transmit(&mut self, out: &mut BytesMut) {
        if self.is_over {
            return;
        }
        let State::Connected { is_ping_due, clock, .. } = &mut self.state else { return };
        let start = out.len();
        if std::mem::take(is_ping_due) {
            Frame::Ping.write(out);
        }
        while out.len() - start < WRITE_BYTES && self.under_way < WINDOW_CALLS_MAX {
            let Some(number) = self.queue.pop_front() else { break };
            if let Some(call) = self.calls.get_mut(&number) {
                call.is_encoded = true;
                self.under_way += 1;
                let deadline = clock.at(call.deadline);
                write_call(number, deadline, &call.payload, out);
            } else if let Some(tell) = self.tells.get_mut(&number) {
                tell.is_encoded = true;
                Frame::Tell { payload: tell.payload.clone() }.write(out);
            } else {
                continue;
            }
            self.batch.push_back((self.encoded_bytes + (out.len() - start) as u64, number));
        }
        self.encoded_bytes += (out.len() - start) as u64;
    }

    /// What is to be done about the connection now. A `Dial` is said once, and waits for
    /// `handle_connected` or `handle_dial_failed`.
    pub(crate) fn poll_wish(&mut self, now: Instant) -> Wish {
        let is_empty = self.is_empty();
        match &mut self.state {
            State::Connected { .. } if self.is_over => Wish::GiveUp,
            State::Connected { heard, .. } if now.since(*heard) >= SILENCE_MAX => Wish::GiveUp,
            State::Connected { .. } | State::Away { is_dialing: true, .. } => Wish::Stay,
            State::Away { dial_at, .. } if is_empty => match now >= *dial_at + LINGER {
                true => Wish::Forget,
                false => Wish::Stay,
            },
            State::Away { dial_at, is_dialing, .. } => match now >= *dial_at {
                true => {
                    *is_dialing = true;
                    Wish::Dial
                }
                false => Wish::Stay,
            },
        }
    }

    /// When `handle_timeout`, `poll_wish` or `poll_transmit` next has something to do by itself.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let next = match &self.state {
            State::Connected { heard, ping_at, .. } => Some((*heard + SILENCE_MAX).min(*ping_at)),
            State::Away { is_dialing: true, .. } => None,
            State::Away { dial_at, .. } if self.is_empty() => Some(*dial_at + LINGER),
            State::Away { dial_at, .. } => Some(*dial_at),
        };
        [next, self.due.first()].into_iter().flatten().min()
    }

    /// The next caller to be answered.
    pub(crate) fn poll_answer(&mut self) -> Option<(T, Result<Bytes, CallError>)> {
        self.answers.pop_front()
    }

    /// The tells that were dropped since this was last asked.
    pub(crate) fn poll_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}
