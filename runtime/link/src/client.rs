//! The client's side of a session's link, with its reconnecting.

mod live;
mod repair;
mod route;
mod silence;
mod state;
mod timers;

use core::time::Duration;
use std::collections::VecDeque;

use crate::{
    backoff::Backoff,
    clock::NodeClock,
    code::CloseCode,
    config::ClientConfig,
    defaults,
    id::{Secret, SessionId},
    numbering::{Numbering, SendError},
    time::Instant,
};

use repair::Cause;
use route::Route;
use silence::Silence;

pub use state::Stats;

/// Events that wait for the game, at most: each break makes three at most, and nothing new breaks
/// while the driver does not poll.
const EVENTS_MAX: usize = 64;

/// What the game is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The session has begun.
    Opened,
    /// The connection broke; the client repairs it by itself.
    RepairStarted,
    /// The session goes on over a new connection.
    Repaired,
    /// The client gave up; only `retry` tries again, and only the player should ask for it.
    RepairFailed,
    /// The node is about to go; the client comes back elsewhere by itself.
    Restarting {
        /// When.
        reconnect_in: Duration,
    },
    /// The session is over for this client. Comes once, after every message.
    Ended {
        /// Why.
        code: CloseCode,
        /// For a person.
        text: String,
        /// The game's own number for why it refused a login.
        game_code: Option<u16>,
    },
}

/// A connection that the driver must open, after it has closed the one it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// Where to.
    pub address: String,
}

/// What the link waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has begun, or the tries are used up.
    Resting,
    /// The time of the next try.
    Waiting { until: Instant },
    /// The driver opens a connection.
    Dialing { until: Instant },
    /// The node's answer to Hello or Resume.
    Handshaking { until: Instant },
    /// The connection's next break.
    Live,
    /// Nothing, for ever.
    Ended,
}

/// What the node told in its Welcome.
#[derive(Debug, Clone, Copy)]
struct Terms {
    heartbeat: Duration,
    timeout: Duration,
    window_messages: u32,
    window_bytes: u32,
    max_frame: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            heartbeat: defaults::HEARTBEAT,
            timeout: defaults::SESSION_TIMEOUT,
            window_messages: defaults::WINDOW_MESSAGES,
            window_bytes: defaults::WINDOW_BYTES,
            max_frame: defaults::MAX_FRAME,
        }
    }
}

/// Who the session is; from Welcome.
#[derive(Debug, Clone)]
struct Identity {
    id: SessionId,
    secret: Secret,
    attempt: u64,
}

/// One session's link, as its client sees it.
#[derive(Debug)]
pub struct ClientLink {
    config: ClientConfig,
    phase: Phase,
    identity: Option<Identity>,
    numbering: Numbering,
    terms: Terms,
    clock: NodeClock,
    backoff: Backoff,
    /// Tries since the last live connection that was of use.
    tries: u32,
    /// Refusals since then that did not count as tries.
    refusals: u32,
    /// The live connection is of use: something came after Welcome.
    useful: bool,
    /// Since when the connection is broken.
    broken_at: Instant,
    /// Where the next try goes.
    route: Route,
    /// When to leave a node that told it is restarting.
    restart_at: Option<Instant>,
    control: Vec<u8>,
    /// Whether the live connection still leads to the node.
    silence: Silence,
    /// The game has said that it leaves; the Close is being written.
    leaving: bool,
    repairs: u64,
    events: VecDeque<ClientEvent>,
    dial: Option<Dial>,
    hang_up: bool,
}

impl ClientLink {
    /// A link that has not begun; `connect` begins it.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let backoff = Backoff::new(config.backoff_base, config.backoff_max, config.seed);
        Self {
            backoff,
            config,
            phase: Phase::Resting,
            identity: None,
            numbering: Numbering::default(),
            terms: Terms::default(),
            clock: NodeClock::default(),
            tries: 0,
            refusals: 0,
            useful: false,
            broken_at: Instant::ZERO,
            route: Route::default(),
            restart_at: None,
            control: Vec::new(),
            silence: Silence::default(),
            leaving: false,
            repairs: 0,
            events: VecDeque::new(),
            dial: None,
            hang_up: false,
        }
    }

    /// Begins, or tries again after `RepairFailed`: with fresh tries, at once.
    pub fn connect(&mut self, now: Instant) {
        if self.phase == Phase::Resting {
            self.tries = 0;
            self.refusals = 0;
            self.broken_at = now;
            self.route.begin();
            self.try_at(now, now);
        }
    }

    /// Drops the connection, or the try under way, and goes to `address` before any other: for
    /// load, tests and demonstrations. While the link rests the next `connect` goes there first.
    pub fn move_to(&mut self, address: &str, now: Instant) {
        if self.phase == Phase::Ended || self.leaving {
            return;
        }
        self.route.go_first(address);
        match self.phase {
            Phase::Resting | Phase::Ended => {}
            Phase::Waiting { .. } => self.try_at(now, now),
            Phase::Dialing { .. } | Phase::Handshaking { .. } => {
                self.hang_up = true;
                self.try_at(now, now);
            }
            Phase::Live => {
                // Whoever moves on purpose, and often, is not to be asked for it after some tries.
                self.useful = true;
                self.hang_up = true;
                self.control = Vec::new();
                self.break_off(Cause::Network, now);
            }
        }
    }

    /// Sends a message: at once, or after the repair if the connection is broken.
    ///
    /// # Errors
    /// [`SendError::WouldBlock`] at the window: try again when acks have come;
    /// [`SendError::TooLarge`] and [`SendError::Ended`] are final.
    #[inline]
    pub fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if self.phase == Phase::Ended || self.leaving {
            return Err(SendError::Ended);
        }
        let Terms { window_messages, window_bytes, max_frame, .. } = self.terms;
        if !self.numbering.fits(payload.len(), window_messages, window_bytes) {
            return Err(SendError::WouldBlock);
        }
        self.numbering.push(payload, max_frame)
    }

    /// The game has taken the message `seq`, and all before it.
    #[inline]
    pub fn handled(&mut self, seq: u64, now: Instant) {
        self.numbering.handled(seq, now, self.config.ack_delay, self.config.ack_every);
    }

    /// Ends the session, from the player's side. If it is connected the node hears of it with the
    /// next `poll_transmit`; else the session expires there.
    pub fn leave(&mut self) {
        if self.phase == Phase::Live {
            self.leaving = true;
        } else {
            self.finish(CloseCode::Left, "", None);
        }
    }

    /// The next connection to open, if one is to be opened now. The present one must be closed
    /// before anything is written to the new one.
    pub fn poll_dial(&mut self) -> Option<Dial> {
        self.dial.take()
    }

    /// Whether the present connection must be closed, after `poll_transmit` was written. Asked
    /// once; the driver then drops the connection without telling `handle_disconnected`.
    pub fn poll_hang_up(&mut self) -> bool {
        core::mem::take(&mut self.hang_up)
    }

    /// What the game must be told next.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    fn tell(&mut self, event: ClientEvent) {
        if self.events.len() < EVENTS_MAX || matches!(event, ClientEvent::Ended { .. }) {
            self.events.push_back(event);
        }
    }

    fn finish(&mut self, code: CloseCode, text: &str, game_code: Option<u16>) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Ended;
            self.dial = None;
            self.hang_up = true;
            self.tell(ClientEvent::Ended { code, text: text.to_owned(), game_code });
        }
    }
}
