//! Drives a `ClientLink`: feeds it from a connection and does what it asks for.
//!
//! It is polled, never spawned: every wait is in [`Driver::poll_io`].

mod inbox;
mod outbox;

use std::{
    collections::VecDeque,
    fmt, io,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use throughline_link::{ClientEvent, ClientLink, CloseCode, Instant, SendError, defaults};

use crate::{
    address::AddressError,
    connector::Connector,
    event::Event,
    options::usable,
    timer::Timer,
    wire::{Opening, Wire},
};

use outbox::Outbox;

/// What goes to the application, with the number of the message it is, or 0.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) seq: u64,
    pub(crate) event: Event,
}

/// The present connection.
enum Connection {
    None,
    Opening(Opening),
    Open(Wire),
}

/// The first answer to a client that connects.
#[derive(Debug)]
pub(crate) enum Answer {
    Welcome,
    Refused { code: CloseCode, text: String, game_code: Option<u16> },
    NoneCame,
}

/// One session's link with its connection.
pub(crate) struct Driver {
    pub(crate) link: ClientLink,
    connector: Arc<dyn Connector>,
    connection: Connection,
    /// The link wants the connection closed; nothing of it is read any more.
    hanging_up: bool,
    /// Bytes read and not taken apart yet.
    inbox: BytesMut,
    /// How many bytes are read at once.
    read_size: usize,
    outbox: Outbox,
    /// Events that come before what is in the inbox.
    ready: VecDeque<Taken>,
    /// Bytes of the messages among them.
    ready_bytes: usize,
    timer: Timer,
    /// The time of the last wake-up, so that a message costs no look at the clock.
    now: Instant,
    /// Since when the connection is broken.
    broken_at: Instant,
    /// What the node lets either side have unacknowledged: messages and bytes.
    window: (u32, u32),
    /// The answer to the first Hello, or to the Resume of an imported session.
    pub(crate) answer: Option<Answer>,
    /// Connections that were tried.
    pub(crate) tries: u32,
    /// Why the last connection was given up.
    pub(crate) last_error: Option<io::Error>,
}

impl Driver {
    pub(crate) fn new(link: ClientLink, connector: Arc<dyn Connector>) -> Self {
        let timer = Timer::new();
        let mut driver = Self {
            link,
            connector,
            connection: Connection::None,
            hanging_up: false,
            inbox: BytesMut::new(),
            read_size: crate::defaults::READ_MIN,
            outbox: Outbox::default(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            now: timer.now(),
            timer,
            broken_at: Instant::ZERO,
            window: (defaults::WINDOW_MESSAGES, defaults::WINDOW_BYTES),
            answer: None,
            tries: 0,
            last_error: None,
        };
        driver.connect();
        driver
    }

    /// Begins the tries; harmless while some are under way.
    pub(crate) fn connect(&mut self) {
        self.refresh();
        self.link.connect(self.now);
    }

    /// Reads the clock.
    pub(crate) fn refresh(&mut self) -> Instant {
        self.now = self.timer.now().max(self.now);
        self.now
    }

    /// The time now, without keeping it.
    pub(crate) fn time(&self) -> Instant {
        self.timer.now().max(self.now)
    }

    /// The application has taken this.
    #[inline]
    pub(crate) fn handled(&mut self, seq: u64) {
        if seq != 0 {
            self.link.handled(seq, self.now);
        }
    }

    /// Puts a message into the link.
    #[inline]
    pub(crate) fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.link.send(message)?;
        self.outbox.queued += message.len();
        Ok(())
    }

    /// Ready when something may have changed. With `reading` false nothing is read, so nothing is
    /// declared dead either: silence is then our own doing.
    pub(crate) fn poll_io(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<()> {
        self.follow(cx);
        match &mut self.connection {
            Connection::None => {}
            Connection::Opening(opening) => {
                if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
                    self.opened(opened);
                    return Poll::Ready(());
                }
            }
            Connection::Open(_) => {
                self.write(cx);
                if reading && self.poll_read(cx).is_ready() {
                    return Poll::Ready(());
                }
                if let Some(error) = self.outbox.broken.take() {
                    // Nothing was left to read behind it.
                    self.lost(error);
                    return Poll::Ready(());
                }
            }
        }
        if self.collect() {
            return Poll::Ready(());
        }
        let due = if reading {
            match self.link.poll_timeout() {
                Some(due) => due,
                None => return Poll::Pending,
            }
        } else {
            self.now + crate::defaults::PAUSED_TICK
        };
        ready!(self.timer.poll(due, cx));
        self.refresh();
        if reading {
            self.link.handle_timeout(self.now);
            self.collect();
        }
        Poll::Ready(())
    }

    /// Closes and opens connections as the link asks for.
    pub(crate) fn follow(&mut self, cx: &mut Context<'_>) {
        if self.link.poll_hang_up() || self.hanging_up {
            self.write_last(cx);
            self.close();
        }
        // A try that fails here may make the next one due; their number is limited.
        while let Some(dial) = self.link.poll_dial() {
            self.close();
            self.tries += 1;
            log::debug!("connecting to {}", dial.address);
            match usable(&dial.address, self.connector.as_ref()) {
                Ok(address) => {
                    self.connection = Connection::Opening(Wire::open(address, &self.connector));
                }
                // A node's own mistake: the application's addresses were checked.
                Err(why) => self.lost(io::Error::new(io::ErrorKind::InvalidInput, why)),
            }
        }
    }

    fn opened(&mut self, opened: io::Result<Wire>) {
        self.refresh();
        match opened {
            Ok(wire) => {
                self.connection = Connection::Open(wire);
                self.link.handle_connected();
            }
            Err(error) => self.lost(error),
        }
    }

    /// The connection is gone, or could not be opened.
    fn lost(&mut self, error: io::Error) {
        log::debug!("connection lost: {error}");
        self.last_error = Some(error);
        self.refresh();
        self.close();
        self.link.handle_disconnected(self.now);
        self.collect();
    }

    /// Drops the connection as if the network had; the link repairs it.
    pub(crate) fn cut(&mut self) {
        if !matches!(self.connection, Connection::None) {
            self.lost(io::Error::other("cut by the application"));
        }
    }

    /// Drops the connection, or the try under way, for this address.
    pub(crate) fn move_to(&mut self, address: &str) -> Result<(), AddressError> {
        usable(address, self.connector.as_ref())?;
        if self.link.is_ended() {
            return Ok(());
        }
        self.refresh();
        self.link.move_to(address, self.now);
        if self.link.poll_hang_up() {
            // What it still had to read comes again, over the next one.
            self.close();
        }
        self.collect();
        Ok(())
    }

    /// Forgets the connection and what belongs to it.
    fn close(&mut self) {
        self.connection = Connection::None;
        self.hanging_up = false;
        self.outbox = Outbox::default();
        self.inbox = BytesMut::new();
        self.read_size = crate::defaults::READ_MIN;
    }

    /// Takes the link's events; whether there were new ones for the application.
    fn collect(&mut self) -> bool {
        let mut collected = false;
        while let Some(event) = self.link.poll_event() {
            let event = match event {
                ClientEvent::Opened => {
                    self.answer = Some(Answer::Welcome);
                    continue;
                }
                ClientEvent::RepairStarted => {
                    self.broken_at = self.now;
                    Event::RepairStarted
                }
                ClientEvent::Repaired => {
                    if self.answer.is_none() {
                        // The first one of an imported session is no repair.
                        self.answer = Some(Answer::Welcome);
                        continue;
                    }
                    Event::Repaired { after: self.now.since(self.broken_at) }
                }
                ClientEvent::RepairFailed => {
                    self.answer.get_or_insert(Answer::NoneCame);
                    Event::RepairFailed
                }
                ClientEvent::Restarting { reconnect_in } => Event::Restarting { reconnect_in },
                ClientEvent::Ended { code, text, game_code } => {
                    self.answer.get_or_insert_with(|| {
                        let text = text.clone();
                        Answer::Refused { code, text, game_code }
                    });
                    Event::Ended(code, text)
                }
                // The link's list of events may grow; what is unknown here has no meaning here.
                _ => continue,
            };
            self.ready.push_back(Taken { seq: 0, event });
            collected = true;
        }
        collected
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = match self.connection {
            Connection::None => "none",
            Connection::Opening(_) => "opening",
            Connection::Open(_) => "open",
        };
        f.debug_struct("Driver")
            .field("session", &self.link.session_id())
            .field("connection", &connection)
            .field("stats", &self.link.stats())
            .finish_non_exhaustive()
    }
}
