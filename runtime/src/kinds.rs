//! The session kinds of a node, with their types erased.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use throughline_link::{CloseCode, NodeLink, Secret, SessionId};

use crate::{
    actor::{Beginning, Hook, SessionActor},
    admission::ConnectionPermit,
    clock::wall_ms,
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

    /// Runs the login hook, and starts the session if it says yes. `number` is the kind's place in
    /// the node's list.
    fn start(&self, worker: Rc<Worker>, number: usize, newcomer: Newcomer) -> Starting;
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

    fn start(&self, worker: Rc<Worker>, number: usize, newcomer: Newcomer) -> Starting {
        Box::pin(start::<S>(worker, number, newcomer))
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
    match log_in::<S>(&worker, number, Login::new(joining, &login)).await {
        Ok(state) => {
            let transport = transport.admitted(node.config.link.max_frame).await;
            let config = Arc::clone(&node.link);
            let link = NodeLink::new(config, session_id, secret, node.clock.now(), wall_ms());
            SessionActor::begin(
                worker,
                Beginning {
                    state,
                    kind: number,
                    link,
                    transport,
                    peer,
                    connection_permit: permit,
                    permit: session_permit,
                },
            );
            Ok(())
        }
        Err(refusal) => Err(rejected(transport, refusal)),
    }
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
    Refusal { code, game_code: None, text: text.into(), retry_after, is_of_game: false }
}
