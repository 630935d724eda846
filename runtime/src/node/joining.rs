//! A node joins its cluster: store, lease, the other nodes.

use std::io;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use throughline_cluster::{Member, NodeId, NodeInfo};
use throughline_store::{Scope, Store};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::{
    cluster::{self, Cluster, Joining, Opened, Order, Server},
    config::Config,
    kinds::Kind,
    listen::Pages,
    node::{Shared, StartError, shared::Admit},
    peers::{PeerConfig, Peers},
    vactor::VActors,
};

/// The runtime of the thread `cluster`. It may be dropped by a task, which must not block.
#[derive(Debug)]
pub(super) struct ClusterRuntime(Option<Runtime>);

impl Drop for ClusterRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Tasks that wait for something that never comes must not hold up the end.
            runtime.shutdown_background();
        }
    }
}

impl ClusterRuntime {
    fn run(&self, all: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(all);
        }
    }
}

/// What a node has before it listens.
pub(super) struct Prepared {
    pub(super) shared: Arc<Shared>,
    pub(super) runtime: ClusterRuntime,
    pub(super) ordered: mpsc::Receiver<Order>,
    pub(super) secret: Option<Arc<[u8]>>,
}

/// How long a node waits to join beyond two terms: an earlier incarnation may have to be found
/// dead, which takes one, and the store may be slow.
const JOIN_TIME: Duration = Duration::from_secs(20);

/// Opens the store.
pub(super) fn prepare(
    config: Config,
    kinds: Vec<Box<dyn Kind>>,
    vactors: VActors,
    pages: Pages,
    admit: Option<Box<Admit>>,
    injected: Option<Arc<dyn Store>>,
) -> Result<Prepared, StartError> {
    let (runtime, Opened { store, secret, name }) = open(&config, injected)?;
    if store.scope() > Scope::Process && secret.is_none() {
        let at = &config.store.at;
        let text = format!("store.at ({at}) needs cluster.secret-file, a file of 16 bytes or more");
        return Err(StartError::Store { text });
    }
    let me = Member { node: NodeId(config.cluster.node), incarnation: incarnation()? };
    let handle = runtime.handle().clone();
    let (cluster, ordered) = Cluster::new(store, name, me, handle);
    let shared = Shared::new(config, kinds, vactors, pages, admit, cluster);
    Ok(Prepared { shared, runtime: ClusterRuntime(Some(runtime)), ordered, secret })
}

/// Opens the store, on a thread that may block: whoever starts a node may be a task itself.
fn open(
    config: &Config,
    injected: Option<Arc<dyn Store>>,
) -> Result<(Runtime, Opened), StartError> {
    let open = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match runtime.block_on(cluster::open(config, injected)) {
            Ok(opened) => Ok((runtime, opened)),
            Err(error) => Err(StartError::Store { text: error.to_string() }),
        }
    };
    thread::scope(|scope| {
        let opened = scope.spawn(open).join();
        let panicked = || io::Error::other("the thread that opened the store panicked");
        opened.unwrap_or_else(|_| Err(panicked().into()))
    })
}

fn incarnation() -> Result<u64, StartError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_be_bytes(bytes).max(1))
}

/// Starts the thread of the lease, and waits until the node has joined.
pub(super) fn join(
    shared: &Arc<Shared>,
    runtime: ClusterRuntime,
    ordered: mpsc::Receiver<Order>,
    secret: Option<Arc<[u8]>>,
) -> Result<JoinHandle<()>, StartError> {
    let (config, cluster) = (&shared.config, &shared.cluster);
    let is_shared = cluster.store.scope() > Scope::Process;
    let peers = Peers::start(
        PeerConfig {
            cluster: config.cluster.name.clone(),
            secret,
            listen: config.cluster.listen.first().copied().filter(|_| is_shared),
        },
        cluster.member(),
        Arc::new(Server(Arc::clone(shared))),
        cluster.handle(),
    )
    .map_err(|error| StartError::Peers { text: error.to_string() })?;
    let address = match (config.cluster.advertise.as_str(), peers.local_address()) {
        ("", Some(address)) => address.to_string(),
        (advertised, _) => advertised.to_owned(),
    };
    cluster.set_peers(peers);
    let sessions = shared.kinds.iter().map(|kind| kind.readable());
    let readable = sessions.chain(shared.vactors.readable()).collect();
    let info = NodeInfo::new(&address, readable)
        .and_then(|info| info.with_clients(config.listen.advertise.clone()))
        .map_err(|error| StartError::Store { text: error.to_string() })?;
    let joined = watch::Sender::new(false);
    let (told, tells) = std_mpsc::sync_channel(1);
    let mut joins = joined.subscribe();
    cluster.handle().spawn(async move {
        if joins.wait_for(|joined| *joined).await.is_ok() {
            let _ = told.send(());
        }
    });
    let node = Arc::clone(shared);
    let body = move || {
        runtime.run(cluster::run(node, Joining { info, ordered, joined }));
    };
    let thread = thread::Builder::new().name("cluster".to_owned()).spawn(body)?;
    if tells.recv_timeout(config.cluster.term * 2 + JOIN_TIME).is_ok() {
        return Ok(thread);
    }
    cluster.order(Order::Stop);
    let _ = thread.join();
    let number = config.cluster.node;
    Err(StartError::Join { number })
}
