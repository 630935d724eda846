//! Nodes on loopback sockets, and impostors that speak to them frame by frame.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use throughline_cluster::NodeId;
use tokio::net::TcpListener as TokioListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::environment::Wire;
use crate::peers::dialed::{Route, dial};
use crate::peers::frame::Frame;
use crate::peers::handshake::{AwaitHello, VERSIONS};
use crate::peers::stream::Stream;

mod breaks;
mod calls;
mod strangers;

const A: Member = Member { node: NodeId(1), incarnation: 10 };
const B: Member = Member { node: NodeId(2), incarnation: 20 };
/// Longer than anything here takes: a hang fails rather than lasts.
const HANG: Duration = Duration::from_secs(60);
const LOOPBACK: &str = "127.0.0.1:0";

fn credentials() -> Credentials {
    Credentials { cluster: "ours".into(), secret: [7; 16].into() }
}

fn config() -> PeerConfig {
    let Credentials { secret, .. } = credentials();
    PeerConfig {
        cluster: "ours".to_owned(),
        secret: Some(secret),
        listen: Some(LOOPBACK.parse().unwrap()),
        network: Joined::System,
        clock: Clock::start(),
    }
}

/// What is answered to anybody.
const QUESTION: &str = "?";

/// What a node does with the calls of others.
enum Manner {
    Echo,
    /// Answers with so many bytes.
    Answer(usize),
    /// Keeps them.
    Hold,
    /// Does not handle them.
    GiveUp,
    /// Refuses this member.
    Refuse(Member),
}

struct Served {
    manner: Manner,
    held: Mutex<Vec<Answerer>>,
    /// All that was begun: from whom, and what.
    begun: watch::Sender<Vec<(Member, Bytes)>>,
}

struct Node {
    peers: Arc<Peers>,
    served: Arc<Served>,
    address: String,
}

impl Serve for Served {
    fn handle_call(&self, _: Instant, from: Member, payload: Bytes, answer: Answerer) {
        self.begun.send_modify(|begun| begun.push((from, payload.clone())));
        match self.manner {
            Manner::Echo | Manner::Refuse(_) => answer.answer(payload),
            Manner::Answer(bytes) => answer.answer(vec![0; bytes].into()),
            Manner::Hold => self.held.lock().unwrap().push(answer),
            Manner::GiveUp => drop(answer),
        }
    }

    fn handle_tell(&self, from: Member, payload: Bytes) {
        self.begun.send_modify(|begun| begun.push((from, payload)));
    }

    fn refuses(&self, from: Member) -> bool {
        matches!(self.manner, Manner::Refuse(refused) if refused == from)
    }

    fn answers_anybody(&self, payload: &Bytes) -> bool {
        payload == QUESTION
    }
}

impl Node {
    fn start(me: Member, manner: Manner) -> Self {
        Self::with(config(), me, manner).unwrap()
    }

    fn with(config: PeerConfig, me: Member, manner: Manner) -> Result<Self, PeerError> {
        let served =
            Served { manner, held: Mutex::default(), begun: watch::Sender::new(Vec::new()) };
        let served = Arc::new(served);
        let peers = Peers::start(config, me, served.clone(), &Spawner::Runtime(Handle::current()))?;
        let address = peers.local_address().map(|address| address.to_string());
        Ok(Self { peers, served, address: address.unwrap_or_default() })
    }

    async fn call(&self, to: Member, address: &str, payload: &'static str) -> CallResult {
        within(self.peers.call(to, address, payload.into(), HANG)).await
    }

    fn begun(&self) -> Vec<(Member, Bytes)> {
        self.served.begun.borrow().clone()
    }

    /// Once so many calls and tells have been begun.
    async fn has_begun(&self, count: usize) {
        let mut begun = self.served.begun.subscribe();
        within(begun.wait_for(|begun| begun.len() >= count)).await.unwrap();
    }

    fn held(&self) -> Vec<Answerer> {
        std::mem::take(&mut *self.served.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type CallResult = Result<Bytes, CallError>;

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(HANG, what).await.expect("a test hangs")
}

/// A connection to a node, as this member: past the handshake.
async fn dial_as(from: Member, to: Member, address: &str) -> Stream {
    let route = Route { me: from, to, address: address.into(), number: 0 };
    within(dial(Joined::System, route, credentials())).await.unwrap().0
}

/// Listens as a node does that nothing is behind.
async fn listen() -> (TokioListener, String) {
    let listener = TokioListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// The next connection, past the handshake, as this member.
async fn accept_as(me: Member, listener: &TokioListener) -> Stream {
    let (socket, _) = within(listener.accept()).await.unwrap();
    let mut stream = Stream::new(Wire::Tcp(socket));
    let awaiting = AwaitHello { credentials: credentials(), versions: VERSIONS, nonce: [9; 32] };
    let hello = within(stream.receive()).await.unwrap();
    let (awaiting, challenge) = awaiting.handle_frame(hello).ok().unwrap();
    stream.send(&challenge).await.unwrap();
    let proof = within(stream.receive()).await.unwrap();
    let proved = awaiting.handle_frame(proof, me).ok().unwrap();
    stream.send(&proved.welcome(0)).await.unwrap();
    stream
}

/// The next frame that is no heartbeat.
async fn next(stream: &mut Stream) -> Frame {
    loop {
        match within(stream.receive()).await.unwrap() {
            Frame::Ping | Frame::Alive { .. } => {}
            frame => return frame,
        }
    }
}

/// Reads until the other side has closed the connection.
async fn closed(stream: &mut Stream) {
    while within(stream.receive()).await.is_ok() {}
}
