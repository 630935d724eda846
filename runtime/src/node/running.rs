//! A node that runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize},
};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use throughline_link::{CloseCode, SessionId};
use tokio::sync::oneshot;

use crate::{
    actor::ToSession,
    admin,
    cluster::{self, LocateError, Location, Order, Sending},
    codec::{self, Codec, EncodeError},
    counters::Counters,
    listen::{self, Entrance},
    node::{
        Shared, StartError, joining,
        joining::{ClusterRuntime, Prepared},
    },
    queues::{Address, GroupName, SendReliableError},
    session::{ServerMessage, Undelivered},
    vactor::Caller,
    worker::{self, WorkerHandle},
};

/// How often a stopping node looks whether its threads have ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Workers that are idle end at once; one that has not ended after this is stuck in a hook.
const JOIN_TIME: Duration = Duration::from_secs(1);

/// A node that runs. Dropping it stops it, without waiting for its sessions.
pub struct RunningNode {
    pub(super) shared: Arc<Shared>,
    http: Vec<SocketAddr>,
    link: Vec<SocketAddr>,
    admin: Vec<SocketAddr>,
    workers: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    watch: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
    /// The thread of the lease.
    cluster: Option<JoinHandle<()>>,
}

/// A message from outside that was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// It cannot be encoded. The caller's fault.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It was not delivered.
    #[error(transparent)]
    Undelivered(#[from] Undelivered),
}

/// Starts what [`prepare`](super::joining::prepare) made.
pub(super) fn start(
    (prepared, runtime): (Prepared, ClusterRuntime),
) -> Result<RunningNode, StartError> {
    let shared = Arc::clone(&prepared.shared);
    let http = bind(&shared.config.listen.http, "listen.http")?;
    let link = bind(&shared.config.listen.link, "listen.link")?;
    let operators = bind(&shared.config.admin.listen, "admin.listen")?;
    let local = |listeners: &[TcpListener]| -> std::io::Result<Vec<SocketAddr>> {
        listeners.iter().map(TcpListener::local_addr).collect()
    };
    let (http_addresses, link_addresses) = (local(&http)?, local(&link)?);
    let admin_addresses = local(&operators)?;
    let count = match shared.config.node.workers {
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    let mut node = RunningNode {
        shared: Arc::clone(&shared),
        http: http_addresses,
        link: link_addresses,
        admin: admin_addresses,
        workers: Vec::new(),
        threads: Vec::new(),
        watch: None,
        cluster: None,
    };
    let mut pulses = Vec::new();
    for index in 0..count {
        let (handle, pulse, thread) = worker::start(index, Arc::clone(&shared))?;
        node.workers.push(handle);
        node.threads.push(thread);
        pulses.push(pulse);
    }
    shared.operator.set_pulses(pulses.clone());
    // Set once, here.
    let _ = shared.workers.set(node.workers.iter().map(WorkerHandle::downgrade).collect());
    for listener in operators {
        shared.cluster.handle().spawn(admin::serve(Arc::clone(&shared), listener));
    }
    let sessions = shared.kinds.iter().map(|kind| kind.name());
    let kinds = sessions.chain(shared.vactors.kind_names()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let limit = shared.config.limits.stuck_worker;
    let thread = worker::watch(pulses, kinds, shared.clock, limit, Arc::clone(&stop))?;
    node.watch = Some((thread, stop));
    node.cluster = Some(joining::join(prepared, runtime)?);
    let next_worker = Arc::new(AtomicUsize::new(0));
    let entrances = http.into_iter().map(|listener| (listener, Entrance::Http));
    let entrances = entrances.chain(link.into_iter().map(|l| (l, Entrance::Link)));
    for (index, (listener, entrance)) in entrances.enumerate() {
        let (workers, next) = (node.workers.clone(), Arc::clone(&next_worker));
        node.workers[index % count].run(move |worker| {
            let node = Arc::clone(&worker.node);
            actix_rt::spawn(listen::accept(node, listener, entrance, workers, next));
        });
    }
    Ok(node)
}

fn bind(addresses: &[SocketAddr], flag: &'static str) -> Result<Vec<TcpListener>, StartError> {
    let bind = |&address| {
        listen::bind(address).map_err(|source| StartError::Listen { address, flag, source })
    };
    addresses.iter().map(bind).collect()
}

impl RunningNode {
    /// One without threads, whose tasks its caller polls.
    pub(super) fn here(shared: Arc<Shared>, worker: WorkerHandle) -> Self {
        Self {
            http: Vec::new(),
            link: shared.config.listen.link.clone(),
            admin: Vec::new(),
            shared,
            workers: vec![worker],
            threads: Vec::new(),
            watch: None,
            cluster: None,
        }
    }

    /// Where pages and WebSocket links are served; ports that were 0 are filled in.
    #[must_use]
    pub fn http_addresses(&self) -> &[SocketAddr] {
        &self.http
    }

    /// Where TCP links are served; ports that were 0 are filled in.
    #[must_use]
    pub fn link_addresses(&self) -> &[SocketAddr] {
        &self.link
    }

    /// Where operators are answered; ports that were 0 are filled in.
    #[must_use]
    pub fn admin_addresses(&self) -> &[SocketAddr] {
        &self.admin
    }

    /// What has happened since the start.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Sessions that have a connection now, and all sessions that live.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        self.shared.admission.counts()
    }

    /// VActors that are in this node's memory now.
    #[must_use]
    pub fn vactor_count(&self) -> usize {
        self.shared.vactors.len()
    }

    /// The session that holds this key, if one does.
    #[must_use]
    pub fn session_of_key(&self, key: &str) -> Option<SessionId> {
        self.shared.directory.find_key(key)
    }

    /// Sends a message to a session on whichever node it is, by its id or its key, from outside any
    /// session; it comes as `server_message` from the session itself. Waits up to 5 s for a session
    /// that is on its way from one node to another.
    ///
    /// # Errors
    /// [`DeliverError`]: surely not delivered, but for [`Undelivered::Unknown`]. `Ok` means that it
    /// is in the session's mailbox.
    pub async fn send_to_session<T: Serialize + ?Sized>(
        &self,
        to: impl Into<crate::Recipient>,
        message: &T,
    ) -> Result<(), DeliverError> {
        let mut payload = Vec::new();
        codec::encode(Codec::Cbor, message, &mut payload)?;
        let (to, node) = (to.into(), Arc::clone(&self.shared));
        let from = match &to {
            crate::Recipient::Session(id) => *id,
            crate::Recipient::Key(_) => SessionId([0; 16]),
        };
        let errand = node.cluster.errand();
        let sending = Sending { from, to, payload: payload.into(), _errand: errand };
        let sent = self.shared.cluster.handle().spawn(async move { sending.deliver(&node).await });
        // The thread ends only with the node, which is here.
        sent.await.unwrap_or(Err(Undelivered::Unknown))?;
        Ok(())
    }

    /// Sends a message to a session from outside any session; it comes as `server_message` from the
    /// session itself.
    ///
    /// # Errors
    /// [`DeliverError`]: surely not delivered. `Ok` means that it is in the session's mailbox.
    pub fn send_to_local_session<T: Serialize + ?Sized>(
        &self,
        to: SessionId,
        message: &T,
    ) -> Result<(), DeliverError> {
        let mut payload = Vec::new();
        codec::encode(Codec::Cbor, message, &mut payload)?;
        self.shared.deliver(to, ServerMessage::new(to, payload.into()))?;
        Ok(())
    }

    /// Sends a durable message from outside any session or VActor; it comes as `queued`. When this
    /// returns, it is durable. A process that has only the store does the same with a
    /// [`Backend`](crate::Backend).
    ///
    /// # Errors
    /// [`SendReliableError`]: not sent, but for `Enqueue(Unknown)`.
    pub async fn send_reliable<T: Serialize + ?Sized>(
        &self,
        to: impl Into<Address>,
        message: &T,
        ttl: Duration,
    ) -> Result<(), SendReliableError> {
        let mut body = Vec::new();
        codec::encode(Codec::Cbor, message, &mut body)?;
        let (node, to) = (Arc::clone(&self.shared), to.into());
        let sent = self
            .on_cluster(async move { node.queues.send(&node, &to, &body, ttl).await.map(drop) });
        sent.await
    }

    /// Sends a durable message from outside to each member of a group; to how many. Members whose
    /// queue is full are passed over.
    ///
    /// # Errors
    /// [`SendReliableError`]; some members may have got it.
    pub async fn send_reliable_to_group<T: Serialize + ?Sized>(
        &self,
        group: &str,
        message: &T,
        ttl: Duration,
    ) -> Result<usize, SendReliableError> {
        let group = GroupName::new(group)?;
        let mut body = Vec::new();
        codec::encode(Codec::Cbor, message, &mut body)?;
        let node = Arc::clone(&self.shared);
        let sent = self
            .on_cluster(async move { node.queues.send_to_group(&node, &group, &body, ttl).await });
        sent.await
    }

    /// Sends a message from outside to all members of a group, best effort; it comes as
    /// `server_message` from the session id 0.
    ///
    /// # Errors
    /// [`SendReliableError`]: it cannot be encoded, or no group has such a name.
    pub fn send_to_group<T: Serialize + ?Sized>(
        &self,
        group: &str,
        message: &T,
    ) -> Result<(), SendReliableError> {
        let group = GroupName::new(group)?;
        let mut body = Vec::new();
        codec::encode(Codec::Cbor, message, &mut body)?;
        cluster::send_to_group(&self.shared, &group, SessionId([0; 16]), body.into());
        Ok(())
    }

    /// Where the session is that holds this key, at this moment.
    ///
    /// # Errors
    /// [`LocateError`]: the store does not say.
    pub async fn locate(&self, key: &str) -> Result<Location, LocateError> {
        let (node, key) = (Arc::clone(&self.shared), key.to_owned());
        self.on_cluster(async move { cluster::locate(&node, &key).await }).await
    }

    /// Runs it on the thread that the store and the other nodes are spoken to from.
    pub(super) async fn on_cluster<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (done, result) = oneshot::channel();
        self.shared.cluster.handle().spawn(async move {
            let _ = done.send(work.await);
        });
        // The thread ends only with the node, which is here.
        result.await.expect("the cluster's thread runs as long as its node")
    }

    /// Asks and tells VActors from outside any session: for `throughline-vactor`.
    #[doc(hidden)]
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::new(Arc::clone(&self.shared), None)
    }

    /// Ends a session, as an operator does. False if there is no such session.
    pub fn kick(&self, id: SessionId) -> bool {
        let actor = self.shared.directory.find(id);
        actor.is_some_and(|actor| actor.try_send(ToSession::End(CloseCode::Kicked)).is_ok())
    }

    /// Ends the threads.
    pub(super) fn end(&mut self) {
        self.shared.stopping.send_replace(true);
        self.workers.clear();
        if let Some(thread) = self.cluster.take() {
            self.shared.cluster.order(Order::Stop);
            let _ = thread.join();
        }
        if let Some((thread, stop)) = self.watch.take() {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            thread.thread().unpark();
            let _ = thread.join();
        }
        let deadline = Instant::now() + JOIN_TIME;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                thread::sleep(LOOK_EVERY);
            }
            if thread.is_finished() {
                let _ = thread.join();
            } else {
                // A hook that blocks its thread cannot be stopped, but the process can end.
                let name = thread.thread().name().unwrap_or("worker").to_owned();
                log::error!("{name} does not end: a hook blocks it; it is left behind");
            }
        }
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for RunningNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningNode")
            .field("http", &self.http)
            .field("link", &self.link)
            .field("sessions", &self.shared.directory.len())
            .finish_non_exhaustive()
    }
}
