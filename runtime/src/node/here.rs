//! A node on its caller's thread, in an environment of its caller's.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use throughline_link::SessionId;
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};

use crate::{
    clock::runtime_now,
    cluster::Opened,
    codec::Codec,
    config::Config,
    environment::{Environment, Incoming, Joined, Network, Seen, Spawner},
    listen,
    node::{
        Parts, RunningNode, StartError, StopReport,
        joining::{self, Prepared},
        stopping,
    },
    worker,
};

/// What operators see of an injected store.
const STORE_NAME: &str = "the environment's";

/// A node that runs on its caller's thread: all its tasks are polled when this is, and by nobody
/// else. Not polled, it is frozen, as a process that was stopped; dropped, it is gone, as one that
/// was killed: nothing of it is polled again.
///
/// As a future it is ready when the node has [stopped](Self::stop).
pub struct NodeHere {
    running: Rc<RunningNode>,
    tasks: LocalSet,
    lease: JoinHandle<()>,
    joined: watch::Receiver<bool>,
    seen: Seen,
}

/// Puts the node together; it begins with its first poll.
pub(super) fn start(
    config: Config,
    parts: Parts,
    environment: Environment,
) -> Result<NodeHere, StartError> {
    let Environment { network, store, secret, seed, wall_ms } = environment;
    let mut seen = Seen::new(runtime_now(), wall_ms, seed);
    let links = listen_for_links(&config, network.as_ref())?;
    let tasks = LocalSet::new();
    let (spawner, inbox) = Spawner::here();
    tasks.spawn_local(inbox.run());
    let opened = Opened { store, hub: None, secret: Some(secret), name: STORE_NAME.to_owned() };
    let network = Joined::Injected(network);
    let (running, lease, joined) = seen.during(|| {
        let prepared = joining::put_together(config, parts, opened, spawner, network)?;
        begin(prepared, &tasks, links)
    })?;
    Ok(NodeHere { running: Rc::new(running), tasks, lease, joined, seen })
}

fn listen_for_links(config: &Config, network: &dyn Network) -> Result<Vec<Incoming>, StartError> {
    let flag = "listen.link";
    let listen = |&address| {
        network.listen(address).map_err(|source| StartError::Listen { address, flag, source })
    };
    config.listen.link.iter().map(listen).collect()
}

type Begun = (RunningNode, JoinHandle<()>, watch::Receiver<bool>);

fn begin(prepared: Prepared, tasks: &LocalSet, links: Vec<Incoming>) -> Result<Begun, StartError> {
    let shared = Arc::clone(&prepared.shared);
    let (handle, pulse, work) = worker::start_here(Arc::clone(&shared));
    tasks.spawn_local(work);
    shared.operator.set_pulses(vec![pulse]);
    // Set once, here.
    let _ = shared.workers.set(vec![handle.downgrade()]);
    let (lease, joined) = joining::begin(prepared)?;
    let lease = tasks.spawn_local(lease);
    let joins = joined.clone();
    handle.run(move |worker| {
        for incoming in links {
            let (worker, mut joins) = (Rc::clone(&worker), joins.clone());
            actix_rt::spawn(async move {
                // Who comes before that waits, as in the queue of a socket.
                if joins.wait_for(|joined| *joined).await.is_ok() {
                    listen::accept_injected(worker, incoming).await;
                }
            });
        }
    });
    Ok((RunningNode::here(shared, handle), lease, joined))
}

impl NodeHere {
    /// The node, for what can be asked of every node. What blocks its caller cannot be: use
    /// [`stop`](Self::stop) in place of [`RunningNode::drain`].
    #[must_use]
    pub fn running(&self) -> Rc<RunningNode> {
        Rc::clone(&self.running)
    }

    /// Sets its wall clock forward or, if negative, back by so many milliseconds, as an operator or
    /// a time server does. Its monotonic clocks go on.
    pub const fn jump_wall(&mut self, by_ms: i64) {
        self.seen.jump(by_ms);
    }

    /// Waits until it has joined its cluster; false if it never will.
    pub fn joined(&self) -> impl Future<Output = bool> + use<> {
        let mut joined = self.joined.clone();
        async move { joined.wait_for(|joined| *joined).await.is_ok() }
    }

    /// Stops the node as SIGTERM does: it is drained, then leaves. It must be polled meanwhile.
    pub fn stop(&self) -> impl Future<Output = StopReport> + use<> {
        let node = Arc::clone(&self.running.shared);
        let spawner = node.cluster.handle().clone();
        let stopped = spawner.spawn(stopping::stop_here(node));
        // Without a result it was dropped meanwhile: nothing of it is known.
        async move { stopped.await.unwrap_or_default() }
    }

    /// The session kinds that it serves, each with how its messages are written.
    #[must_use]
    pub fn kinds(&self) -> Vec<(&'static str, Codec)> {
        let kinds = self.running.shared.kinds.iter();
        kinds.map(|kind| (kind.name(), kind.codec())).collect()
    }

    /// Whether a session is here now.
    #[must_use]
    pub fn has_session(&self, id: SessionId) -> bool {
        self.running.shared.directory.find(id).is_some()
    }
}

impl Future for NodeHere {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { tasks, lease, seen, .. } = self.get_mut();
        // There may be none now and some after the next connection.
        let _ = seen.during(|| Pin::new(tasks).poll(cx));
        Pin::new(lease).poll(cx).map(drop)
    }
}

impl Drop for NodeHere {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut self.tasks);
        // actix polls an actor once more when it is dropped, but nothing that it has spawned: no
        // turn begins.
        self.seen.during(|| drop(tasks));
    }
}

impl std::fmt::Debug for NodeHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHere").field("running", &self.running).finish_non_exhaustive()
    }
}
