//! Connections between the nodes of a cluster: calls with answers, and one-way messages.
//!
//! Bytes only: it knows no records and no sessions. `docs/peers.md` has the protocol. A node dials
//! each node that it has something to say to, once, and sends all its calls and tells over that
//! one connection; what the other node asks comes over the connection that the other one dialed.
//! So no two nodes ever argue about which of two connections to keep.
//!
//! # Layout
//! - `wire`: every number of the protocol; `limits`: every bound, with its reason
//! - `frame`: the frames; `proof`, `handshake`: who is there
//! - `link`: what this node sends to one other; `serving`: what it handles for one other
//! - `answers`: how what was handled comes back to its connection
//! - `dialed`, `accepted`: what drives these two; `stream`: a socket; `counters`: counts
//! - `numbers`: tables by number; `due`: what expires when

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::Member;
use throughline_link::Instant;
use tokio::sync::oneshot;

use crate::batch;
use crate::clock::Clock;
use crate::environment::{Joined, Spawner};
use crate::peers::limits::SECRET_BYTES_MIN;
use crate::peers::proof::Credentials;
use crate::peers::shared::Shared;

mod accepted;
mod answers;
mod counters;
mod dialed;
mod due;
mod frame;
mod handshake;
mod limits;
mod link;
mod numbers;
mod proof;
mod serving;
mod shared;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use answers::{Answered, Hold, hold};
pub(crate) use counters::PeerCounts;

/// What connects this node to the others of its cluster.
pub(crate) struct Peers {
    shared: Arc<Shared>,
    local_address: Option<SocketAddr>,
}

/// How this node is found by others, and knows them.
pub(crate) struct PeerConfig {
    /// The name of the cluster: nodes of another one are refused.
    pub(crate) cluster: String,
    /// What every node of the cluster knows, at least 16 bytes of good randomness. `None`: this
    /// node is alone, and every call is unreachable.
    pub(crate) secret: Option<Arc<[u8]>>,
    /// Where other nodes dial. `None`: nowhere.
    pub(crate) listen: Option<SocketAddr>,
    /// What it listens and dials on.
    pub(crate) network: Joined,
    /// The node's clock, so that its deadlines are theirs.
    pub(crate) clock: Clock,
}

/// Handles what other nodes ask.
pub(crate) trait Serve: Send + Sync + 'static {
    /// A call of another node, `now`. Dropping `answer` unanswered answers "not handled", from
    /// which the caller concludes that it may ask again.
    fn handle_call(&self, now: Instant, from: Member, payload: Bytes, answer: Answerer);

    /// All calls that came together were handed over: what waited for more of them goes on.
    fn handle_end_of_batch(&self) {}

    /// A one-way message of another node.
    fn handle_tell(&self, from: Member, payload: Bytes);

    /// Whether messages of this incarnation are refused: it is known dead, or has been silent
    /// for too long. Asked before each call and each tell is handled.
    fn refuses(&self, from: Member) -> bool;

    /// Whether a call is answered even to one that is refused: a mere question, which changes
    /// nothing.
    fn answers_anybody(&self, _payload: &Bytes) -> bool {
        false
    }
}

/// Answers one call. It may be kept for long, and sent to any thread; if the connection has ended
/// meanwhile, the answer goes nowhere, and the caller knows that the outcome is unknown.
#[derive(Debug)]
pub(crate) struct Answerer {
    call: u64,
    /// Unbounded by itself: it has as many answers as calls are under way on the connection.
    answers: Option<batch::Sender<Answered>>,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// No connection, or the call never left: surely not handled. Retrying helps once the node
    /// can be reached.
    #[error("the node cannot be reached: {reason}")]
    Unreachable {
        /// What happened to the connection or the last try to make one.
        reason: String,
    },
    /// Another incarnation, or another node, is at the address: surely not handled. Retrying does
    /// not help.
    #[error("another incarnation is at the node's address")]
    WrongPeer,
    /// Too much is under way to this node, or to all: surely not handled. Retrying helps later.
    #[error("too much is under way to the node")]
    Overloaded,
    /// The payload is longer than a frame may be: surely not handled. The caller's fault.
    #[error("a payload of {bytes} bytes, at most {limit}", limit = limits::PAYLOAD_BYTES_MAX)]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The node answered that it did not handle the call: it refuses this incarnation, or the
    /// deadline passed before the call was begun, or it gave it up. Surely not handled.
    #[error("the node did not handle the call")]
    NotHandled,
    /// No answer within the deadline: whether it was handled is unknown.
    #[error("no answer within the deadline")]
    TimedOut,
    /// The connection broke after the call had left, or the answer could not be sent: whether it
    /// was handled is unknown.
    #[error("the connection to the node broke: {reason}")]
    Broken {
        /// How it broke.
        reason: String,
    },
}

/// Why the connections could not be started. An operator's fault, or the environment's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    /// Others would get in.
    #[error("a node that listens for other nodes needs a secret")]
    NoSecret,
    /// It could be searched for.
    #[error("the cluster's secret has {bytes} bytes, at least {SECRET_BYTES_MIN}")]
    SecretTooShort {
        /// How many it has.
        bytes: usize,
    },
    /// The address is in use, or none of this machine.
    #[error("cannot listen for other nodes on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

impl Peers {
    /// Binds the listener at once; its tasks are started by `spawner`, where there is time and, for
    /// the system's network, I/O. `serve` is called for every call and tell of another node, in
    /// these tasks; it must not block. It is kept until `close`, or until the `Peers` are dropped.
    ///
    /// # Errors
    /// No secret, or a short one; or the address cannot be listened on.
    pub(crate) fn start(
        config: PeerConfig,
        me: Member,
        serve: Arc<dyn Serve>,
        spawner: &Spawner,
    ) -> Result<Arc<Self>, PeerError> {
        let PeerConfig { cluster, secret, listen, network, clock } = config;
        if let Some(secret) = &secret
            && secret.len() < SECRET_BYTES_MIN
        {
            return Err(PeerError::SecretTooShort { bytes: secret.len() });
        }
        let credentials = secret.map(|secret| Credentials { cluster: cluster.into(), secret });
        let shared = Shared::new(credentials.clone(), me, spawner.clone(), network, clock);
        let mut local_address = None;
        if let Some(address) = listen {
            let credentials = credentials.ok_or(PeerError::NoSecret)?;
            let failed = |source| PeerError::Listen { address, source };
            let (listener, local) = shared.network.listen(address, spawner).map_err(failed)?;
            local_address = Some(local);
            spawner.spawn(accepted::accept(listener, credentials, shared.clone(), serve));
        }
        Ok(Arc::new(Self { shared, local_address }))
    }

    /// Where this node listens for others, the port included.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }

    /// This node rejoined as another incarnation: all connections are closed and made anew as it.
    /// What the former incarnation asked and had not sent is unreachable.
    pub(crate) fn set_me(&self, me: Member) {
        self.shared.set_me(me);
    }

    /// Asks the node `to` at `address` (`host:port`) and awaits its answer. From any thread; calls
    /// to a node leave in the order in which they were made. A call is sent at most once. If the
    /// future is dropped, the call may still be handled.
    ///
    /// # Errors
    /// [`CallError`] says of each one whether the call may have been handled.
    pub(crate) fn call(
        &self,
        to: Member,
        address: &str,
        payload: Bytes,
        deadline: Duration,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send + 'static + use<> {
        self.call_until(to, address, payload, self.shared.clock.now() + deadline)
    }

    /// The same, until a time of the node's clock.
    pub(crate) fn call_until(
        &self,
        to: Member,
        address: &str,
        payload: Bytes,
        until: Instant,
    ) -> Called {
        match self.shared.call(to, address, payload, until) {
            Ok(answer) => Called::UnderWay(answer),
            Err(error) => Called::Over(Some(error)),
        }
    }

    /// One-way; dropped, and counted, if it cannot be sent within 2 seconds. It may be lost.
    pub(crate) fn tell(&self, to: Member, address: &str, payload: Bytes) {
        self.shared.tell(to, address, payload);
    }

    /// Ends all connections and the listener. What is called from now on is unreachable.
    pub(crate) fn close(&self) {
        self.shared.close();
    }

    /// Waits until the other nodes have the answers to what they asked before `close`, for a second
    /// and some at most.
    pub(crate) async fn finish(&self) {
        let goodbye = async {
            while self.shared.counters.counts().connections > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(limits::GOODBYE_TIME + LOOK_EVERY, goodbye).await;
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> PeerCounts {
        self.shared.counters.counts()
    }
}

/// A call: its answer, as of [`Peers::call`].
#[derive(Debug)]
pub(crate) enum Called {
    UnderWay(oneshot::Receiver<Result<Bytes, CallError>>),
    /// It was not taken.
    Over(Option<CallError>),
}

impl Future for Called {
    type Output = Result<Bytes, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is dropped only when the runtime of the connections is.
        let stopped = || CallError::Broken { reason: "this node has stopped".to_owned() };
        match &mut *self {
            Self::UnderWay(answer) => {
                Pin::new(answer).poll(cx).map(|answer| answer.unwrap_or_else(|_| Err(stopped())))
            }
            Self::Over(error) => Poll::Ready(Err(error.take().unwrap_or_else(stopped))),
        }
    }
}

/// How often a node that stops looks whether its connections have ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

impl Drop for Peers {
    fn drop(&mut self) {
        self.close();
    }
}

impl Answerer {
    fn new(call: u64, answers: batch::Sender<Answered>) -> Self {
        Self { call, answers: Some(answers) }
    }

    /// Answers the call. An answer longer than a frame may be is not sent: its caller learns that
    /// the outcome is unknown.
    pub(crate) fn answer(mut self, payload: Bytes) {
        self.send(Some(payload));
    }

    fn send(&mut self, payload: Option<Bytes>) {
        if let Some(answers) = self.answers.take() {
            answers::send(answers, (self.call, payload));
        }
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.send(None);
    }
}

impl CallError {
    /// Whether the call may have been handled. If not, it surely was not, and may be made again.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Broken { .. })
    }
}
