//! A player in the hands of a test.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use throughline::{Codec, Incoming, Outgoing};
use throughline_client::{Client, ClientHandle, CloseCode, Event, Events, SessionId, Stats};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::world::{PATIENCE, World, link_address};

/// Messages that came and were not looked at, at most; then the player stops reading, and its
/// session ends as that of a slow client.
const WAITING_MAX: usize = 100_000;

/// How often it is looked whether something is so that has no event.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A player with the real client, driven whenever the cluster goes on. It takes each message when
/// it comes, and keeps it until the test looks at it, in order.
///
/// Its methods panic with what happened instead, since that fails the test. Dropped, it is a client
/// that was killed: its session waits for it in vain.
pub struct Player {
    world: Rc<World>,
    handle: ClientHandle,
    /// Takes what comes, and holds the client with that.
    taking: AbortHandle,
    seen: Arc<Seen>,
    codec: Codec,
    host: IpAddr,
}

/// What the player has seen.
#[derive(Default)]
struct Seen {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Bytes>,
    end: Option<(CloseCode, String)>,
    has_given_up: bool,
    repairs: u64,
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `look` has found something.
    async fn find<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(&mut self.state()) {
                return found;
            }
            self.changed.notified().await;
        }
    }
}

/// Takes what comes.
async fn take(mut events: Events, seen: Arc<Seen>) {
    while let Some(event) = events.next().await {
        let is_full = seen.state().take(event);
        seen.changed.notify_one();
        if is_full {
            std::future::pending::<()>().await;
        }
    }
}

impl Player {
    pub(crate) fn new(world: Rc<World>, client: Client, codec: Codec, host: IpAddr) -> Self {
        let seen = Arc::new(Seen::default());
        let (handle, taking) = world.run(async {
            let (handle, events) = client.spawn();
            (handle, tokio::spawn(take(events, Arc::clone(&seen))).abort_handle())
        });
        Self { world, handle, taking, seen, codec, host }
    }

    /// Sends a message of the game, written as its session kind reads it. It leaves as soon as the
    /// window and the connection allow, and not before time goes on.
    ///
    /// # Panics
    /// If the session has ended, the message cannot be written or is too large, or the window has
    /// no room for it within 60 s of the cluster's time.
    #[track_caller]
    pub fn send(&mut self, message: &impl Outgoing) {
        let mut bytes = Vec::new();
        let written = message.encode(self.codec, &mut bytes);
        let sent = written.map_err(|error| error.to_string()).and_then(|()| {
            let sent = self.world.wait(self.handle.send(bytes));
            let sent = sent.ok_or_else(|| format!("the window is full for {PATIENCE:?}"))?;
            sent.map_err(|error| error.to_string())
        });
        if let Err(error) = sent {
            panic!("not sent: {error}{}", self.why_not());
        }
    }

    /// The first message from here on that is `wanted`; those before it are skipped.
    ///
    /// # Panics
    /// If none comes within 60 s of the cluster's time, or the session ends before.
    #[track_caller]
    pub fn expect<T: Incoming>(&mut self, mut wanted: impl FnMut(&T) -> bool) -> T {
        let (codec, mut skipped, mut last) = (self.codec, 0, Bytes::new());
        let found = self.seen.find(|state| {
            while let Some(bytes) = state.messages.pop_front() {
                match T::decode(codec, &bytes) {
                    Ok(message) if wanted(&message) => return Some(Ok(message)),
                    Ok(_) => {}
                    Err(error) => return Some(Err(format!("{error}: {bytes:?}"))),
                }
                skipped += 1;
                last = bytes;
            }
            state.is_over().then(|| Err("no more messages come".to_owned()))
        });
        match self.world.wait(found) {
            Some(Ok(message)) => message,
            Some(Err(error)) => panic!("{error}{}", self.why_not()),
            None => panic!(
                "not in {PATIENCE:?}: {skipped} other messages came, the last {:?}{}",
                String::from_utf8_lossy(&last),
                self.why_not()
            ),
        }
    }

    /// The next message.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn receive<T: Incoming>(&mut self) -> T {
        self.expect(|_| true)
    }

    /// What has come until now and was not looked at, without waiting.
    ///
    /// # Panics
    /// If a message is not a `T`.
    #[track_caller]
    pub fn received<T: Incoming>(&mut self) -> Vec<T> {
        let messages = std::mem::take(&mut self.seen.state().messages);
        let read = |bytes: Bytes| {
            T::decode(self.codec, &bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
        };
        messages.into_iter().map(read).collect()
    }

    /// Waits until the session ends; messages that came before stay.
    ///
    /// # Panics
    /// If it does not within 60 s of the cluster's time.
    #[track_caller]
    pub fn expect_end(&mut self) -> CloseCode {
        let end = self.seen.find(|state| state.end.as_ref().map(|(code, _)| *code));
        let end = self.world.wait(end);
        end.unwrap_or_else(|| panic!("the session lives on for {PATIENCE:?}{}", self.why_not()))
    }

    /// How the session ended, if it has: the reason, and the words for a person.
    #[must_use]
    pub fn ended(&self) -> Option<(CloseCode, String)> {
        self.seen.state().end.clone()
    }

    /// Cuts the connection, as a network would; the client repairs it when time goes on.
    pub fn cut(&mut self) {
        self.world.run(self.handle.cut());
    }

    /// The player goes into a tunnel: its network carries nothing, until it
    /// [comes back](Self::come_back).
    pub fn go_away(&mut self) {
        self.world.network.take_away(self.host, true);
    }

    /// The player's network carries again.
    pub fn come_back(&mut self) {
        self.world.network.take_away(self.host, false);
    }

    /// The client comes to node `n`, and waits until its session goes on there: the session is
    /// handed over.
    ///
    /// # Panics
    /// If it does not within 60 s of the cluster's time.
    #[track_caller]
    pub fn move_to(&mut self, n: usize) {
        let address = link_address(n).to_string();
        self.world.run(self.handle.move_to(address)).expect("addresses of nodes are well-formed");
        let id = self.session_id();
        let is_there = || self.world.with(n, |node| node.has_session(id)) == Some(true);
        let (handle, seen) = (self.handle.clone(), Arc::clone(&self.seen));
        let moved = until(|| seen.state().is_over() || is_there() && handle.is_live());
        if self.world.wait(moved).is_none() || !is_there() {
            let at = self.node().map_or_else(|| "at none".to_owned(), |at| format!("at node {at}"));
            panic!("the session is {at}, not at node {n}{}", self.why_not());
        }
    }

    /// Tries again after the client has given up, as a player does by a click.
    pub fn retry(&mut self) {
        self.seen.state().has_given_up = false;
        self.world.run(self.handle.retry());
    }

    /// Ends the session: the player leaves the game.
    pub fn leave(&mut self) {
        self.world.run(self.handle.leave());
    }

    /// The node that the session is on, if it is on one now.
    #[must_use]
    pub fn node(&self) -> Option<usize> {
        let id = self.session_id();
        let has = |n: &usize| self.world.with(*n, |node| node.has_session(id)) == Some(true);
        (0..self.world.count()).find(has)
    }

    /// The session's id.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.handle.session_id()
    }

    /// Whether messages travel now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.handle.is_live()
    }

    /// How often the connection was repaired.
    #[must_use]
    pub fn repairs(&self) -> u64 {
        self.seen.state().repairs
    }

    /// The client's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// What a person wants to know beside a failure.
    fn why_not(&self) -> String {
        let state = self.seen.state();
        match &state.end {
            Some((code, text)) => format!("; the session has ended: {code} {text}"),
            None if state.has_given_up => "; the client has given up its repair".to_owned(),
            None if !self.is_live() => "; there is no connection".to_owned(),
            None => String::new(),
        }
    }
}

impl State {
    /// True if it was the last that there is room for.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Message(bytes) => self.messages.push_back(bytes),
            Event::Ended(code, text) => self.end = Some((code, text)),
            Event::RepairFailed => self.has_given_up = true,
            Event::Repaired { .. } => {
                self.has_given_up = false;
                self.repairs += 1;
            }
            _ => {}
        }
        self.messages.len() >= WAITING_MAX
    }

    /// Whether nothing more comes by itself.
    const fn is_over(&self) -> bool {
        self.end.is_some() || self.has_given_up
    }
}

/// Waits until it is so.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(LOOK_EVERY).await;
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player").field("handle", &self.handle).finish_non_exhaustive()
    }
}
