//! The session kinds of a node, with their types erased.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use throughline_cluster::Readable;
use throughline_link::{CloseCode, NodeLink, Secret, SessionId};

use crate::{
    actor::{
        Beginning, Hook, Input, Resuming, SessionActor, SessionSnapshot, Timers, Turns, facts,
        write_new,
    },
    admission::ConnectionPermit,
    arrive::{self, Arriving},
    clock::wall_ms,
    cluster,
    codec::Codec,
    session::{Joining, Login, Refusal, Session},
    transport::Transport,
    worker::Worker,
};

/// A client whose Hello has been read.
pub(crate) struct Newcomer {
    pub(crate) transport: Transport,
    pub(crate) session_id: SessionId,
    pub(crate) secret: Secret,
    pub(crate) peer: std::net::SocketAddr,
    pub(crate) game_version: Option<String>,
    pub(crate) login: Vec<u8>,
    pub(crate) permit: ConnectionPermit,
}

/// A login that did not become a session: the connection, to say so.
pub(crate) struct Rejected {
    pub(crate) transport: Transport,
    pub(crate) peer: std::net::SocketAddr,
    pub(crate) refusal: Refusal,
}

pub(crate) type Starting = Pin<Box<dyn Future<Output = Result<(), Box<Rejected>>>>>;

/// One session kind that a node serves.
pub(crate) trait Kind: Send + Sync {
    fn name(&self) -> &'static str;

    /// How its messages are written.
    fn codec(&self) -> Codec;

    /// Runs the login hook, and starts the session if it says yes. `number` is the kind's place in
    /// the node's list.
    fn start(&self, worker: Rc<Worker>, number: usize, newcomer: Newcomer) -> Starting;

    /// Starts a session that has come here.
    fn arrive(&self, worker: Rc<Worker>, number: usize, arriving: Arriving) -> Starting;

    /// Tells the client of an ended session its last messages and the reason.
    fn tell_end(
        &self,
        worker: Rc<Worker>,
        code: CloseCode,
        last: &[u8],
        resuming: Resuming<Transport>,
    ) -> Result<(), Box<Rejected>>;

    /// The versions of its state that this build reads.
    fn readable(&self) -> Readable;

    /// Whether an expired session is taken out of the store for its last hook.
    fn destroys_expired(&self) -> bool;
}

/// What becomes of a parked session of a served kind whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiring {
    /// Its last hook runs; the number of its kind.
    Destroyed(usize),
    /// It is dropped.
    Dropped,
}

/// The kind of sessions of type `S`.
pub(crate) struct Of<S>(PhantomData<fn() -> S>);

impl<S: Session> Of<S> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<S: Session> Kind for Of<S> {
    fn name(&self) -> &'static str {
        S::KIND
    }

    fn codec(&self) -> Codec {
        S::CODEC
    }

    fn start(&self, worker: Rc<Worker>, number: usize, newcomer: Newcomer) -> Starting {
        Box::pin(start::<S>(worker, number, newcomer))
    }

    fn arrive(&self, worker: Rc<Worker>, number: usize, arriving: Arriving) -> Starting {
        Box::pin(arrive::arrive::<S>(worker, number, arriving))
    }

    fn tell_end(
        &self,
        worker: Rc<Worker>,
        code: CloseCode,
        last: &[u8],
        resuming: Resuming<Transport>,
    ) -> Result<(), Box<Rejected>> {
        arrive::tell_end::<S>(worker, code, last, resuming)
    }

    fn readable(&self) -> Readable {
        let (oldest, newest) = (S::OLDEST_VERSION, S::STATE_VERSION);
        Readable { kind: S::KIND.to_owned(), oldest, newest }
    }

    fn destroys_expired(&self) -> bool {
        S::DESTROY_EXPIRED
    }
}

async fn start<S: Session>(
    worker: Rc<Worker>,
    number: usize,
    newcomer: Newcomer,
) -> Result<(), Box<Rejected>> {
    let node = Arc::clone(&worker.node);
    let Newcomer { transport, session_id, secret, peer, game_version, login, permit } = newcomer;
    let rejected = |transport, refusal| Box::new(Rejected { transport, peer, refusal });
    let session_permit = match node.admission.session(peer.ip()) {
        Ok(permit) => permit,
        Err(full) => return Err(rejected(transport, overloaded(&full.to_string()))),
    };
    let joining = Joining { session_id, peer, game_version: game_version.as_deref() };
    // Nobody else deals with the record while it is being made.
    let _reserved = node.directory.reserve(session_id);
    let state = match log_in::<S>(&worker, number, Login::new(joining, &login)).await {
        Ok(state) => state,
        Err(refusal) => return Err(rejected(transport, refusal)),
    };
    let version = node.cluster.view().common_version(S::KIND, S::STATE_VERSION, S::OLDEST_VERSION);
    let link_config = Arc::clone(node.link_over(&transport));
    let link = NodeLink::new(link_config, session_id, secret.clone(), node.clock.now(), wall_ms());
    let first = match first_snapshot(&link, &state, version) {
        Ok(first) => first,
        Err(refusal) => return Err(rejected(transport, refusal)),
    };
    let (committed, snapshot) = first.unzip();
    let created = cluster::create(&node, session_id, &secret, S::KIND, version, snapshot).await;
    let holding = match created {
        Ok(holding) => holding,
        Err(refusal) => return Err(rejected(transport, refusal)),
    };
    let transport = transport.admitted(node.config.link.max_frame).await;
    let shared = facts(&worker, session_id, Some(peer));
    let beginning = Beginning {
        turns: Some(Turns::new(state, Rc::clone(&shared))),
        shared,
        kind: number,
        link,
        timers: Timers::default(),
        holding: Some(holding),
        connection: Some((transport, peer, permit)),
        permit: Some(session_permit),
        inputs: vec![Input::Started],
        enqueued_ms: 0,
        committed: committed.unwrap_or_default(),
        care: None,
        ran: None,
    };
    SessionActor::begin(worker, beginning);
    Ok(())
}

/// The state and the snapshot that stand in the store from the beginning, each with the version of
/// the state, for kinds that commit every turn.
type First = Option<((Bytes, u32), (Bytes, u32))>;

fn first_snapshot<S: Session>(link: &NodeLink, state: &S, version: u32) -> Result<First, Refusal> {
    if !S::DURABILITY.is_every_turn() {
        return Ok(None);
    }
    let failed = |why: String| {
        log::error!("the state of a new session of {} cannot be written: {why}", S::KIND);
        later(CloseCode::LoadFailed, "the login failed")
    };
    let written = write_new(state, version).map_err(|error| failed(error.to_string()))?;
    let (state, version) = (Bytes::from(written.0), written.1);
    let body = SessionSnapshot::first(link, state.clone()).map_err(|e| failed(e.to_string()))?;
    Ok(Some(((state, version), (body, version))))
}

/// Runs the login hook, within its deadline; a panic in it refuses this login only.
async fn log_in<S: Session>(
    worker: &Worker,
    number: usize,
    login: Login<'_>,
) -> Result<S, Refusal> {
    let deadline = worker.node.config.session.login_deadline;
    let mut hook = std::pin::pin!(AssertUnwindSafe(S::login(login)).catch_unwind());
    let guarded = std::future::poll_fn(|cx| {
        worker.pulse.enter(number, Hook::Login, worker.node.clock.now());
        let polled = hook.as_mut().poll(cx);
        worker.pulse.leave();
        polled
    });
    match tokio::time::timeout(deadline, guarded).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => {
            log::error!("the login hook of {} panicked", S::KIND);
            Err(later(CloseCode::LoadFailed, "the login failed"))
        }
        Err(_) => {
            log::error!("the login hook of {} overran session.login-deadline", S::KIND);
            Err(later(CloseCode::HandshakeTimeout, "the login took too long"))
        }
    }
}

/// How long a client waits before it tries an overloaded node again. Clients add jitter.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

pub(crate) fn overloaded(text: &str) -> Refusal {
    later(CloseCode::Overloaded, text)
}

pub(crate) fn later(code: CloseCode, text: &str) -> Refusal {
    Refusal { retry_after: RETRY_AFTER, ..refusal(code, text) }
}

/// A refusal by the node itself.
pub(crate) fn refusal(code: CloseCode, text: impl Into<String>) -> Refusal {
    let retry_after = std::time::Duration::ZERO;
    let text = text.into();
    Refusal { code, game_code: None, text, retry_after, elsewhere: Vec::new(), is_of_game: false }
}
