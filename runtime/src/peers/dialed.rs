//! What drives one link: it dials, and uses one connection at a time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use throughline_cluster::Member;
use throughline_link::Instant;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep_until, timeout};

use crate::batch;
use crate::environment::{Joined, fill_random, random_u64};
use crate::peers::CallError;
use crate::peers::frame::{FrameError, take};
use crate::peers::handshake::{AwaitChallenge, DialError, VERSIONS};
use crate::peers::limits::{FRAME_BYTES_MAX, HANDSHAKE_TIMEOUT};
use crate::peers::link::{Break, Link, Misplaced, Wish};
use crate::peers::proof::Credentials;
use crate::peers::shared::{Charge, Life, Room, Shared};
use crate::peers::stream::{ReceiveError, Stream};

/// A message on its way to the driver.
#[derive(Debug)]
pub(crate) enum Asked {
    Call { payload: Bytes, deadline: Instant, caller: Caller },
    Tell { payload: Bytes, caller: Caller },
}

/// How the caller of a call is answered (a tell's is not), and the message's part of the bounds.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) answer: Option<oneshot::Sender<Result<Bytes, CallError>>>,
    /// What a call has of the bounds.
    pub(crate) units: usize,
    /// The same of a tell.
    pub(crate) _charge: Option<Charge>,
}

/// Where a link leads, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) me: Member,
    pub(crate) to: Member,
    pub(crate) address: Arc<str>,
    /// Tells this link from others to the same member.
    pub(crate) number: u64,
}

/// The driver of one link.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    credentials: Credentials,
    route: Route,
    life: watch::Receiver<Life>,
    asked: batch::Receiver<Asked>,
    /// What was taken out of it; empty but for moments.
    taken: Vec<Asked>,
    room: Arc<Room>,
    /// Of the calls that were taken and are not answered.
    units: usize,
    link: Link<Caller>,
    /// Nobody can ask any more: another link has taken its place.
    is_replaced: bool,
}

/// A connection that has passed the handshake, and the other node's clock.
pub(crate) type Dialed = (Stream, u64);
type Dialing = Pin<Box<dyn Future<Output = Result<Dialed, DialError>> + Send>>;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Read(io::Error),
    #[error(transparent)]
    Write(io::Error),
    #[error("it sent {0}")]
    Frame(#[from] FrameError),
    #[error("it sent {0}")]
    Misplaced(#[from] Misplaced),
    #[error("it stops")]
    Goodbye,
    #[error("it is silent")]
    Silent,
    #[error("another address is used")]
    Replaced,
    #[error("this node stops, or is another incarnation now")]
    Closed,
}

impl Driver {
    /// Called while the table of links is locked, so that no change of the life is missed.
    pub(crate) fn new(
        shared: Arc<Shared>,
        credentials: Credentials,
        route: Route,
        asked: batch::Receiver<Asked>,
        room: Arc<Room>,
    ) -> Self {
        let seed = random_u64().unwrap_or(route.number);
        Self {
            life: shared.life.subscribe(),
            link: Link::new(shared.clock.now(), seed),
            shared,
            credentials,
            route,
            asked,
            taken: Vec::new(),
            room,
            units: 0,
            is_replaced: false,
        }
    }

    /// Runs until the link is forgotten, replaced or closed.
    pub(crate) async fn run(mut self) {
        let mut dialing = None;
        loop {
            self.take_asked();
            self.pass_time();
            match self.link.poll_wish(self.shared.clock.now()) {
                Wish::Dial => dialing = Some(self.dial()),
                Wish::Forget if self.forget() => return,
                _ => {}
            }
            if self.is_replaced && self.link.is_empty() {
                return;
            }
            let due = self.link.poll_timeout();
            tokio::select! {
                _ = self.life.changed() => return self.close(),
                dialed = finish(&mut dialing) => {
                    dialing = None;
                    if let End::Closed = self.handle_dialed(dialed).await {
                        return self.close();
                    }
                }
                () = self.asked.some(), if !self.is_replaced => {}
                () = until(&self.shared, due) => {}
            }
        }
    }

    fn dial(&self) -> Dialing {
        let (route, credentials) = (self.route.clone(), self.credentials.clone());
        let dial = dial(self.shared.network.clone(), route, credentials);
        Box::pin(async {
            timeout(HANDSHAKE_TIMEOUT, dial).await.unwrap_or(Err(DialError::TooSlow))
        })
    }

    /// Uses a connection until it ends.
    async fn handle_dialed(&mut self, dialed: Result<Dialed, DialError>) -> End {
        let Route { to, address, .. } = &self.route;
        let (mut stream, clock) = match dialed {
            Ok(dialed) => dialed,
            Err(error) => {
                let now = self.shared.clock.now();
                let what = format!("cannot use {to} at {address}: {error}");
                match error {
                    DialError::ProofRefused | DialError::NotOurs | DialError::Version => {
                        self.shared.counters.warn(now, &what);
                    }
                    _ => log::debug!("nodes: {what}"),
                }
                self.link.handle_dial_failed(now, &error);
                self.answer();
                return End::Read(io::ErrorKind::NotConnected.into());
            }
        };
        let _standing = self.shared.counters.count_connection();
        log::debug!("nodes: connected to {to} at {address}");
        self.link.handle_connected(self.shared.clock.now(), clock);
        let end = loop {
            if let Err(end) = self.turn(&mut stream).await {
                break end;
            }
        };
        log::info!("nodes: the connection to {} ended: {end}", self.route.to);
        let how = if matches!(end, End::Write(_)) { Break::Write } else { Break::Read };
        self.link.handle_broken(self.shared.clock.now(), how, end.to_string());
        self.answer();
        end
    }

    /// Does what can be done at once, then waits until there is more.
    async fn turn(&mut self, stream: &mut Stream) -> Result<(), End> {
        self.take_asked();
        let mut has_moved = self.read(stream)?;
        self.pass_time();
        has_moved |= self.write(stream)?;
        if self.link.poll_wish(self.shared.clock.now()) == Wish::GiveUp {
            return Err(if self.link.is_over() { End::Goodbye } else { End::Silent });
        }
        if self.is_replaced && self.link.is_empty() {
            return Err(End::Replaced);
        }
        // Never, while the life is this one: checked before each wait and, here, each turn.
        if self.life.has_changed().unwrap_or(true) {
            return Err(End::Closed);
        }
        if has_moved {
            // A busy connection lets the others of its thread have their turn.
            tokio::task::consume_budget().await;
            return Ok(());
        }
        let due = self.link.poll_timeout();
        tokio::select! {
            ready = stream.ready(true) => ready.map_err(End::Read)?,
            () = self.asked.some(), if !self.is_replaced => {}
            _ = self.life.changed() => return Err(End::Closed),
            () = until(&self.shared, due) => {}
        }
        Ok(())
    }

    fn write(&mut self, stream: &mut Stream) -> Result<bool, End> {
        if stream.out.is_empty() {
            self.link.poll_transmit(&mut stream.out);
        }
        let Some(written) = stream.try_write().map_err(End::Write)? else { return Ok(false) };
        self.link.handle_written(written);
        Ok(true)
    }

    fn read(&mut self, stream: &mut Stream) -> Result<bool, End> {
        if stream.try_read().map_err(End::Read)?.is_none() {
            return Ok(false);
        }
        let now = self.shared.clock.now();
        while let Some(frame) = take(&mut stream.input, FRAME_BYTES_MAX)? {
            self.link.handle_frame(now, frame)?;
        }
        self.answer();
        Ok(true)
    }

    /// Takes all that has been asked, so that it shares a batch.
    fn take_asked(&mut self) {
        if !self.asked.take(&mut self.taken) {
            self.is_replaced = self.is_replaced || self.asked.is_over();
            return;
        }
        self.handle_taken();
    }

    fn take_all(&mut self) {
        self.asked.close();
        self.asked.take_unripe(&mut self.taken);
        self.handle_taken();
    }

    fn handle_taken(&mut self) {
        let mut calls = 0;
        for asked in self.taken.drain(..) {
            match asked {
                Asked::Call { payload, deadline, caller } => {
                    calls += 1;
                    self.units += caller.units;
                    self.link.handle_call(payload, deadline, caller);
                }
                Asked::Tell { payload, caller } => {
                    self.link.handle_tell(self.shared.clock.now(), payload, caller);
                }
            }
        }
        if calls > 0 {
            self.shared.counters.calls.fetch_add(calls, Relaxed);
        }
    }

    fn pass_time(&mut self) {
        self.link.handle_timeout(self.shared.clock.now());
        self.answer();
    }

    fn answer(&mut self) {
        let dropped = self.link.poll_dropped();
        if dropped > 0 {
            self.shared.counters.dropped.fetch_add(dropped, Relaxed);
        }
        let mut units = 0;
        while let Some((caller, answer)) = self.link.poll_answer() {
            units += caller.units;
            if let Some(sender) = caller.answer {
                // A caller that has dropped its call does not want to know.
                let _ = sender.send(answer);
            }
        }
        if units > 0 {
            self.units -= units;
            self.room.give_back(units);
        }
    }

    /// Whether the link is out of the table: nothing was asked meanwhile.
    fn forget(&mut self) -> bool {
        let Route { to, number, .. } = self.route;
        let is_forgotten = self.shared.forget(to, number, &self.asked, &mut self.taken);
        self.handle_taken();
        is_forgotten
    }

    /// Answers whoever asked and waits.
    fn close(&mut self) {
        self.asked.close();
        self.take_asked();
        self.link.handle_closed(&End::Closed.to_string());
        self.answer();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // With a runtime that stopped; else nobody has anything any more.
        self.take_all();
        self.room.give_back(self.units);
    }
}

/// One try to connect, and the proofs.
pub(crate) async fn dial(
    network: Joined,
    route: Route,
    credentials: Credentials,
) -> Result<Dialed, DialError> {
    let io = |error: io::Error| DialError::Io(error.to_string());
    let socket = network.connect(&route.address).await.map_err(io)?;
    let mut stream = Stream::new(socket);
    let mut nonce = [0; 32];
    fill_random(&mut nonce).map_err(|error| DialError::Io(error.to_string()))?;
    let (awaiting, hello) = AwaitChallenge::start(credentials, VERSIONS, nonce, route.me, route.to);
    stream.send(&hello).await.map_err(io)?;
    let (awaiting, proof) = awaiting.handle_frame(stream.receive().await?)?;
    stream.send(&proof).await.map_err(io)?;
    let clock = awaiting.handle_frame(stream.receive().await?)?;
    Ok((stream, clock))
}

impl From<ReceiveError> for DialError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Io(error) => Self::Io(error.to_string()),
            ReceiveError::Frame(error) => Self::Frame(error),
        }
    }
}

async fn finish(dialing: &mut Option<Dialing>) -> Result<Dialed, DialError> {
    match dialing {
        Some(dialing) => dialing.await,
        None => std::future::pending().await,
    }
}

/// Waits until this moment, if there is one.
pub(crate) async fn until(shared: &Shared, due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(shared.clock.at(due)).await,
        None => std::future::pending().await,
    }
}
