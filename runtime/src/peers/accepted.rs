//! Where other nodes come in, and what drives the calls of each.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use throughline_cluster::Member;
use throughline_link::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::batch;
use crate::environment::{Listener, Wire, fill_random};
use crate::peers::dialed::until;
use crate::peers::frame::{Frame, FrameError, front, take};
use crate::peers::handshake::{AwaitHello, Refusal, VERSIONS};
use crate::peers::limits::{
    ACCEPT_PAUSE, FRAME_BYTES_MAX, GOODBYE_TIME, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX,
};
use crate::peers::proof::Credentials;
use crate::peers::serving::{Asked, Fault, Serving};
use crate::peers::shared::{Life, Place, Shared};
use crate::peers::stream::{ReceiveError, Stream};
use crate::peers::{Answered, Answerer, Serve};

/// Accepts until the node stops.
pub(crate) async fn accept(
    mut listener: Listener,
    credentials: Credentials,
    shared: Arc<Shared>,
    serve: Arc<dyn Serve>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut closed = shared.life.subscribe();
    loop {
        let next = async {
            let place = handshakes.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            _ = closed.wait_for(|life| life.is_closed) => return,
        };
        match (accepted, place) {
            (Ok(socket), Ok(place)) => {
                let acceptor = Acceptor {
                    credentials: credentials.clone(),
                    shared: shared.clone(),
                    life: shared.life.subscribe(),
                    serve: serve.clone(),
                };
                shared.spawner.spawn(acceptor.run(socket, place));
            }
            (Err(error), _) => {
                shared.counters.warn(shared.clock.now(), &format_args!("cannot accept: {error}"));
                sleep(ACCEPT_PAUSE).await;
            }
            // Nobody closes the semaphore.
            (_, Err(_)) => return,
        }
    }
}

/// After so many calls of a batch it is looked for answers: each look disturbs who answers.
const COLLECT_EVERY: u32 = 16;

/// One connection before its proof.
struct Acceptor {
    credentials: Credentials,
    shared: Arc<Shared>,
    life: watch::Receiver<Life>,
    serve: Arc<dyn Serve>,
}

impl Acceptor {
    async fn run(mut self, socket: Wire, handshake: OwnedSemaphorePermit) {
        let mut stream = Stream::new(socket);
        let welcome = timeout(HANDSHAKE_TIMEOUT, self.welcome(&mut stream));
        match welcome.await.unwrap_or(Err(Refusal::TooSlow)) {
            Ok((from, place)) => {
                drop(handshake);
                let Self { shared, life, serve, .. } = self;
                Connection::new(stream, from, place, shared, life, serve).run().await;
            }
            Err(refusal) => {
                self.shared.counters.count_refusal(self.shared.clock.now(), &refusal);
                // Small enough for the empty buffer of any socket, so one that does not take it
                // is not helped.
                let _ = timeout(HANDSHAKE_TIMEOUT, stream.send(&refusal.frame())).await;
            }
        }
    }

    /// Proves and asks for proof: who it is, and a place for it.
    async fn welcome(&mut self, stream: &mut Stream) -> Result<(Member, Place), Refusal> {
        let io = |error: io::Error| Refusal::Io(error.to_string());
        let mut nonce = [0; 32];
        fill_random(&mut nonce).map_err(|error| Refusal::Io(error.to_string()))?;
        let awaiting =
            AwaitHello { credentials: self.credentials.clone(), versions: VERSIONS, nonce };
        let (awaiting, challenge) = awaiting.handle_frame(stream.receive().await?)?;
        stream.send(&challenge).await.map_err(io)?;
        let proof = stream.receive().await?;
        // If the life changes after this look, the connection ends with its first turn.
        let life = *self.life.borrow_and_update();
        if life.is_closed {
            return Err(Refusal::Stopped);
        }
        let proved = awaiting.handle_frame(proof, life.me)?;
        let from = proved.from;
        let place = self.shared.place(from).ok_or(Refusal::Full)?;
        let clock = self.shared.clock.now().as_micros();
        stream.send(&proved.welcome(clock)).await.map_err(io)?;
        Ok((from, place))
    }
}

impl From<ReceiveError> for Refusal {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Io(error) => Self::Io(error.to_string()),
            ReceiveError::Frame(error) => Self::Frame(error),
        }
    }
}

/// One connection of a node that has proved who it is.
struct Connection {
    stream: Stream,
    from: Member,
    place: Place,
    shared: Arc<Shared>,
    life: watch::Receiver<Life>,
    serve: Arc<dyn Serve>,
    serving: Serving,
    answerer: batch::Sender<Answered>,
    answers: batch::Receiver<Answered>,
    /// What was taken out of it; empty but for moments.
    taken: Vec<Answered>,
    /// Whether the frame at the front waits for room.
    is_full: bool,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it sent {0}")]
    Frame(#[from] FrameError),
    #[error("it {0}")]
    Fault(#[from] Fault),
    #[error("it has made another one")]
    Replaced,
    #[error("this node stops, or is another incarnation now")]
    Closed,
}

impl Connection {
    fn new(
        stream: Stream,
        from: Member,
        place: Place,
        shared: Arc<Shared>,
        life: watch::Receiver<Life>,
        serve: Arc<dyn Serve>,
    ) -> Self {
        let serving = Serving::new(shared.clock.now());
        let (answerer, answers) = batch::queue();
        Self {
            stream,
            from,
            place,
            shared,
            life,
            serve,
            serving,
            answerer,
            answers,
            taken: Vec::new(),
            is_full: false,
        }
    }

    /// Serves until the connection ends. Calls that are being handled then are unknown to their
    /// caller, which knows that.
    async fn run(mut self) {
        let _standing = self.shared.counters.count_connection();
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        let from = self.from;
        if matches!(end, End::Closed) && self.life.borrow().is_closed {
            // What is under way is answered; whoever called later learns that it was not handled.
            let _ = timeout(GOODBYE_TIME, self.say_goodbye()).await;
        }
        match end {
            End::Frame(_) | End::Fault(_) => {
                let what = format!("closed the connection of {from}: {end}");
                self.shared.counters.warn(self.shared.clock.now(), &what);
            }
            end => log::debug!("nodes: the connection of {from} ended: {end}"),
        }
    }

    /// Answers what was begun, tells what was not, and waits for the other side to close: closed
    /// with bytes unread, the connection would be reset, and the last frames might be lost.
    async fn say_goodbye(&mut self) -> Result<(), End> {
        loop {
            self.collect()?;
            let has_moved = self.write()?;
            if self.serving.is_idle() && self.stream.out.is_empty() {
                break;
            }
            if has_moved {
                continue;
            }
            tokio::select! {
                ready = self.stream.ready(false) => ready?,
                () = self.answers.some() => {}
            }
        }
        self.stream.send(&Frame::Goodbye { last: self.serving.last() }).await?;
        loop {
            self.stream.input.clear();
            self.stream.ready(true).await?;
            self.stream.try_read()?;
        }
    }

    /// Does what can be done at once, then waits until there is more.
    async fn turn(&mut self) -> Result<(), End> {
        // Before anything is handled: a former incarnation handles nothing.
        if self.life.has_changed().unwrap_or(true) {
            return Err(End::Closed);
        }
        let mut has_moved = self.begin()?;
        // An answer may have made room.
        has_moved |= self.collect()?;
        has_moved |= !self.is_full && self.stream.try_read()?.is_some();
        self.serving.handle_timeout(self.shared.clock.now(), !self.is_full && !has_moved)?;
        has_moved |= self.write()?;
        if has_moved {
            // A busy connection lets the others of its thread have their turn.
            tokio::task::consume_budget().await;
            return Ok(());
        }
        let due = Some(self.serving.poll_timeout());
        tokio::select! {
            ready = self.stream.ready(!self.is_full) => ready?,
            () = self.answers.some() => {}
            () = self.place.replaced.notified() => return Err(End::Replaced),
            _ = self.life.changed() => return Err(End::Closed),
            () = until(&self.shared, due) => {}
        }
        Ok(())
    }

    /// Begins what has come, as far as there is room.
    fn begin(&mut self) -> Result<bool, End> {
        self.is_full = false;
        let begun = self.begin_all();
        self.serve.handle_end_of_batch();
        begun
    }

    fn begin_all(&mut self) -> Result<bool, End> {
        let mut begun = 0_u32;
        // Once for all that has come by now.
        let (now, is_refused) = (self.shared.clock.now(), self.serve.refuses(self.from));
        while let Some(bytes) = front(&self.stream.input, FRAME_BYTES_MAX)? {
            if !self.serving.admits(bytes) {
                self.is_full = true;
                break;
            }
            let Some(frame) = take(&mut self.stream.input, FRAME_BYTES_MAX)? else { break };
            let asked = self.serving.handle_frame(now, frame)?;
            self.handle(now, asked, is_refused)?;
            // So that what is answered at once counts before many more are begun.
            begun += 1;
            if begun.is_multiple_of(COLLECT_EVERY) {
                self.collect()?;
            }
        }
        Ok(begun > 0)
    }

    /// Takes the answers that have come.
    fn collect(&mut self) -> Result<bool, Fault> {
        let has_some = self.answers.take(&mut self.taken);
        for (call, answer) in self.taken.drain(..) {
            self.serving.handle_answer(call, answer)?;
        }
        Ok(has_some)
    }

    fn handle(&mut self, now: Instant, asked: Asked, is_refused: bool) -> Result<(), Fault> {
        let counters = &self.shared.counters;
        let is_refused = match &asked {
            Asked::Nothing => return Ok(()),
            Asked::Call { payload, .. } => is_refused && !self.serve.answers_anybody(payload),
            Asked::Tell { .. } => is_refused,
        };
        let counter = if is_refused { &counters.refused_messages } else { &counters.handled };
        counter.fetch_add(1, Relaxed);
        match asked {
            Asked::Call { call, .. } if is_refused => self.serving.handle_answer(call, None)?,
            Asked::Call { call, payload } => {
                let answer = Answerer::new(call, self.answerer.clone());
                self.serve.handle_call(now, self.from, payload, answer);
            }
            Asked::Tell { payload } if !is_refused => self.serve.handle_tell(self.from, payload),
            Asked::Tell { .. } | Asked::Nothing => {}
        }
        Ok(())
    }

    fn write(&mut self) -> Result<bool, End> {
        let now = self.shared.clock.now();
        if self.stream.out.is_empty() {
            self.serving.poll_transmit(now, &mut self.stream.out);
        }
        let Some(written) = self.stream.try_write()? else { return Ok(false) };
        self.serving.handle_written(now, written);
        Ok(true)
    }
}
