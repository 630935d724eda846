//! A session as its application holds it.

use std::{future::poll_fn, task::Poll, time::Duration};

use throughline_link::{ClientLink, CloseCode, SendError, SessionId, Stats};

use crate::{
    address::AddressError,
    defaults::{CLOCK_EVERY, LEAVE_WAIT},
    driver::{Answer, Driver},
    error::{ConnectError, SavedSession},
    event::Event,
    handle::{self, ClientHandle, Events},
    options::Options,
};

/// One session with a node. Driven by [`next`](Self::next): nothing happens in between.
///
/// Dropping it drops the connection; the session then lives on at the node until its timeout,
/// unless the client [left](Self::leave).
#[derive(Debug)]
pub struct Client {
    driver: Driver,
    /// Messages handed out since the clock was read.
    unclocked: u32,
    /// How the session ended, once the application was told.
    ended: Option<(CloseCode, String)>,
}

impl Client {
    /// Logs in and starts a session, at the first address that answers.
    ///
    /// # Errors
    /// [`ConnectError`]: refused, no answer after all tries, or options that cannot be used.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        options.check()?;
        let Options { config, connector } = options;
        Self::answered(Driver::new(ClientLink::new(config), connector), false).await
    }

    /// Goes on with a session that [`export`](Self::export) wrote, in this process or an earlier
    /// one. Messages that the earlier one had not acknowledged come again.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and [`ConnectError::BadState`]. After
    /// [`ConnectError::Failed`], resume from what it has saved: the bytes given are used up.
    pub async fn resume(options: Options, state: &[u8]) -> Result<Self, ConnectError> {
        options.check()?;
        let Options { config, connector } = options;
        let link = ClientLink::import(config, state)?;
        Self::answered(Driver::new(link, connector), true).await
    }

    /// Waits for the node's first answer.
    async fn answered(mut driver: Driver, resumes: bool) -> Result<Self, ConnectError> {
        let answer = poll_fn(|cx| {
            loop {
                if let Some(answer) = driver.answer.take() {
                    return Poll::Ready(answer);
                }
                if !driver.stock() && driver.poll_io(cx, true).is_pending() {
                    return Poll::Pending;
                }
            }
        });
        match answer.await {
            Answer::Welcome => {
                driver.answer = Some(Answer::Welcome);
                driver.last_error = None;
                Ok(Self { driver, unclocked: 0, ended: None })
            }
            Answer::Refused { code, text, game_code } => {
                Err(ConnectError::Refused { code, text, game_code })
            }
            Answer::NoneCame => {
                let no_answer = || std::io::ErrorKind::TimedOut.into();
                let saved = if resumes { driver.link.export().map(SavedSession) } else { None };
                let last = driver.last_error.take().unwrap_or_else(no_answer);
                Err(ConnectError::Failed { tries: driver.tries, last, saved })
            }
        }
    }

    /// Waits for what happens next. Drives the client: it reads, writes what was sent, keeps the
    /// heartbeats and reconnects.
    ///
    /// A message counts as handled, and is acknowledged to the node soon after, once it was
    /// returned here. After [`Event::RepairFailed`] nothing comes until [`retry`](Self::retry);
    /// after [`Event::Ended`] the same comes again with every call.
    ///
    /// Cancel-safe: an event is returned or stays.
    pub async fn next(&mut self) -> Event {
        if let Some((code, text)) = &self.ended {
            // An application that overlooks the end must not keep its thread to itself.
            tokio::task::yield_now().await;
            return Event::Ended(*code, text.clone());
        }
        poll_fn(|cx| {
            loop {
                if let Some(event) = self.try_next() {
                    if self.ended.is_some() {
                        // The node may forget the session once it hears that we know.
                        self.driver.follow(cx);
                    } else if self.driver.should_write() {
                        self.driver.write(cx);
                    }
                    return Poll::Ready(event);
                }
                if self.driver.poll_io(cx, true).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// What has happened already, without waiting and without any I/O: the messages that came with
    /// the last read. Returns the end once.
    ///
    /// For taking a batch: `next` waits for the first, `try_next` gives the others.
    #[inline]
    pub fn try_next(&mut self) -> Option<Event> {
        let taken = self.driver.take()?;
        self.unclocked += 1;
        if self.unclocked >= CLOCK_EVERY {
            self.unclocked = 0;
            self.driver.refresh();
        }
        self.driver.handled(taken.seq);
        if let Event::Ended(code, text) = &taken.event {
            self.ended = Some((*code, text.clone()));
        }
        Some(taken.event)
    }

    /// Sends a message, after those sent before. It is copied and kept until the node acknowledges
    /// it, and written with the next [`next`](Self::next) or [`flush`](Self::flush).
    ///
    /// Waits while the window is full (256 messages or 1 MiB unacknowledged, unless the node says
    /// otherwise), and drives the client meanwhile: events that come are kept for `next`.
    ///
    /// Cancel-safe: a send that did not return has sent nothing.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] and [`SendError::Ended`] are final. [`SendError::WouldBlock`] if
    /// waiting is of no use before events are taken with `next`: a whole window of messages waits
    /// there, or the repair has failed.
    pub async fn send(&mut self, message: impl AsRef<[u8]>) -> Result<(), SendError> {
        let message = message.as_ref();
        loop {
            match self.driver.send(message) {
                Err(SendError::WouldBlock) => {}
                sent => {
                    if self.driver.should_write() {
                        poll_fn(|cx| {
                            self.driver.write(cx);
                            Poll::Ready(())
                        })
                        .await;
                    }
                    return sent;
                }
            }
            let driver = &mut self.driver;
            let waited = poll_fn(|cx| {
                if driver.stock() {
                    return Poll::Ready(true);
                }
                if driver.is_stocked() || driver.link.is_resting() {
                    return Poll::Ready(false);
                }
                driver.poll_io(cx, true).map(|()| true)
            });
            if !waited.await {
                return Err(SendError::WouldBlock);
            }
        }
    }

    /// Sends a message as [`send`](Self::send) does, if the window has room.
    ///
    /// # Errors
    /// [`SendError::WouldBlock`] at the window: call [`next`](Self::next), then try again;
    /// [`SendError::TooLarge`] and [`SendError::Ended`] are final.
    #[inline]
    pub fn try_send(&mut self, message: impl AsRef<[u8]>) -> Result<(), SendError> {
        self.driver.send(message.as_ref())
    }

    /// Writes what was sent to the connection. Returns at once if there is none: the messages then
    /// go with its repair.
    pub async fn flush(&mut self) {
        self.driver.refresh();
        poll_fn(|cx| self.driver.poll_flush(cx)).await;
    }

    /// Tries again after [`Event::RepairFailed`], with fresh tries, at once. Only on the player's
    /// wish. Does nothing at other times.
    pub fn retry(&mut self) {
        self.driver.connect();
    }

    /// Ends the session: messages sent before are written first, then the node is told. Without a
    /// connection the session ends here at once and expires at the node. Messages not taken yet
    /// are lost. Takes a second at most.
    pub async fn leave(&mut self) {
        self.driver.link.leave();
        let leaving = poll_fn(|cx| self.driver.poll_leave(cx));
        // A node that does not close in time has heard of it all the same.
        let _ = tokio::time::timeout(LEAVE_WAIT, leaving).await;
        self.driver.left();
    }

    /// Hands the client over to a task of the current tokio runtime, which drives it.
    #[must_use]
    pub fn spawn(self) -> (ClientHandle, Events) {
        handle::spawn(self.driver)
    }

    /// Counters of this session.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.driver.link.stats()
    }

    /// The smoothed round-trip time to the node, from heartbeats; none before the first came back.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.driver.link.rtt()
    }

    /// The node's clock: milliseconds since 1970 UTC, to about half a round trip.
    #[must_use]
    pub fn server_time(&self) -> u64 {
        // Known since the Welcome, and there is no client before it.
        self.driver.link.server_time(self.driver.time()).unwrap_or_default()
    }

    /// The session's id; it never changes.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        // Known since the Welcome, and there is no client before it.
        self.driver.link.session_id().unwrap_or(SessionId([0; 16]))
    }

    /// Whether messages travel now: not while the connection is being repaired.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.driver.link.is_live()
    }

    /// All that [`resume`](Self::resume) needs, with the session's secret and the messages that
    /// the node has not acknowledged. Good for one resume, and only while this client is not used
    /// any more: of two, the node takes the later one and ends the other.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        // Known since the Welcome, and there is no client before it.
        self.driver.link.export().unwrap_or_default()
    }

    /// Drops the connection and goes on at `address`, which has the form of those in
    /// [`Options::new`]; if it does not answer, where a repair goes. Nothing is lost. After
    /// [`Event::RepairFailed`] the next [`retry`](Self::retry) goes there first; after the end
    /// nothing happens. For load, tests and demonstrations: a game has no need of it.
    ///
    /// # Errors
    /// [`AddressError`] if the address cannot be used; nothing has happened then.
    pub fn move_to(&mut self, address: impl AsRef<str>) -> Result<(), AddressError> {
        self.driver.move_to(address.as_ref())
    }

    /// Drops the connection as a network would; the client repairs it. For tests and development.
    pub fn cut(&mut self) {
        self.driver.cut();
    }
}
