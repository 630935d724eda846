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
    environment::{Joined, Spawner, random_u64},
    node::{Parts, Shared, StartError},
    peers::{PeerConfig, Peers},
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
    ordered: mpsc::Receiver<Order>,
    secret: Option<Arc<[u8]>>,
    network: Joined,
}

/// How long a node waits to join beyond two terms: an earlier incarnation may have to be found
/// dead, which takes one, and longer if it may have played on, and the store may be slow.
const JOIN_TIME: Duration = Duration::from_secs(20);

/// Opens the store.
pub(super) fn prepare(
    config: Config,
    parts: Parts,
    injected: Option<Arc<dyn Store>>,
) -> Result<(Prepared, ClusterRuntime), StartError> {
    let (runtime, opened) = open(&config, injected)?;
    let spawner = Spawner::Runtime(runtime.handle().clone());
    let prepared = put_together(config, parts, opened, spawner, Joined::System)?;
    Ok((prepared, ClusterRuntime(Some(runtime))))
}

/// Makes what the parts of a node share.
pub(super) fn put_together(
    config: Config,
    parts: Parts,
    opened: Opened,
    spawner: Spawner,
    network: Joined,
) -> Result<Prepared, StartError> {
    let Opened { store, hub, secret, name } = opened;
    fits(&config, store.about().scope, &name)?;
    if store.about().scope > Scope::Process && secret.is_none() {
        let at = &config.store.at;
        let text = format!("store.at ({at}) needs cluster.secret-file, a file of 16 bytes or more");
        return Err(StartError::Store { text });
    }
    let me = Member { node: NodeId(config.cluster.node), incarnation: incarnation()? };
    let (cluster, ordered) = Cluster::new(store, name, me, spawner);
    let shared = Shared::new(config, parts, cluster, hub);
    Ok(Prepared { shared, ordered, secret, network })
}

/// A node that is told how others reach it is not silently alone. What a hub lends is of one
/// machine, and so are those who reach it: there is nothing to refuse.
fn fits(config: &Config, scope: Scope, store: &str) -> Result<(), StartError> {
    let settings = &config.cluster;
    let advertise = Some(("advertise", settings.advertise.clone()));
    let advertise = advertise.filter(|(_, address)| !address.is_empty());
    let listen = settings.listen.first().filter(|address| !address.ip().is_loopback());
    let set = advertise.or_else(|| Some(("listen", listen?.to_string())));
    match set.filter(|_| scope == Scope::Process) {
        None => Ok(()),
        Some((name, address)) => Err(StartError::Store {
            text: format!(
                "cluster.{name} is {address}, for other nodes, and store.at ({store}) is of \
                 {scope} alone: a hub or PostgreSQL is shared; a node alone needs no cluster.{name}"
            ),
        }),
    }
}

/// Opens the store, on a thread that may block: whoever starts a node may be a task itself.
fn open(
    config: &Config,
    injected: Option<Arc<dyn Store>>,
) -> Result<(Runtime, Opened), StartError> {
    let open = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let opened = runtime.block_on(async {
            let opened = cluster::open(config, injected).await;
            let opened = opened.map_err(|error| StartError::Store { text: error.to_string() })?;
            let whole = cluster::refuse_half_copy(&*opened.store, &opened.name).await;
            whole.map_err(|error| StartError::Store { text: error.to_string() })?;
            Ok::<_, StartError>(opened)
        })?;
        Ok((runtime, opened))
    };
    thread::scope(|scope| {
        let opened = scope.spawn(open).join();
        let panicked = || io::Error::other("the thread that opened the store panicked");
        opened.unwrap_or_else(|_| Err(panicked().into()))
    })
}

fn incarnation() -> Result<u64, StartError> {
    Ok(random_u64().map_err(io::Error::other)?.max(1))
}

/// The life of the lease, to be run, and what turns true when the node has joined.
pub(super) fn begin(
    prepared: Prepared,
) -> Result<(impl Future<Output = ()> + Send + 'static, watch::Receiver<bool>), StartError> {
    let Prepared { shared, ordered, secret, network } = prepared;
    let (config, cluster) = (&shared.config, &shared.cluster);
    let is_shared = cluster.store.about().scope > Scope::Process;
    let peers = Peers::start(
        PeerConfig {
            cluster: config.cluster.name.clone(),
            secret,
            listen: config.cluster.listen.first().copied().filter(|_| is_shared),
            network,
            clock: shared.clock,
        },
        cluster.member(),
        Arc::new(Server(Arc::clone(&shared))),
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
    let (joined, joins) = watch::channel(false);
    Ok((cluster::run(shared, Joining { info, ordered, joined }), joins))
}

/// Starts the thread of the lease, and waits until the node has joined.
pub(super) fn join(
    prepared: Prepared,
    runtime: ClusterRuntime,
) -> Result<JoinHandle<()>, StartError> {
    let shared = Arc::clone(&prepared.shared);
    let (config, cluster) = (&shared.config, &shared.cluster);
    let (lease, mut joins) = begin(prepared)?;
    let (told, tells) = std_mpsc::sync_channel(1);
    cluster.handle().spawn(async move {
        if joins.wait_for(|joined| *joined).await.is_ok() {
            let _ = told.send(());
        }
    });
    let body = move || runtime.run(lease);
    let thread = thread::Builder::new().name("cluster".to_owned()).spawn(body)?;
    let former = config.cluster.term * 2 + cluster.play_on(&config.cluster);
    if tells.recv_timeout(former + JOIN_TIME).is_ok() {
        return Ok(thread);
    }
    cluster.order(Order::Stop);
    let _ = thread.join();
    let number = config.cluster.node;
    Err(StartError::Join { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_others_are_to_reach_is_refused_on_a_store_of_its_own() {
        let told = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            [Scope::Process, Scope::Machine, Scope::Cluster]
                .map(|scope| fits(&config, scope, "sled:data").map_err(|error| error.to_string()))
        };
        assert_eq!(told(|_| {}), [Ok(()), Ok(()), Ok(())]);
        let advertise = told(|config| config.cluster.advertise = "n1.example:7".to_owned());
        let listen = told(|config| config.cluster.listen = vec![([10, 0, 0, 1], 7).into()]);
        for (name, [alone, machine, cluster]) in [("advertise", advertise), ("listen", listen)] {
            assert_eq!((machine, cluster), (Ok(()), Ok(())));
            let text = alone.unwrap_err();
            let (key, store) =
                (format!("cluster.{name} is "), "store.at (sled:data) is of this process");
            assert!(text.contains(&key) && text.contains(store), "{text}");
        }
    }
}
