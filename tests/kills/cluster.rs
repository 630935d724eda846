//! A cluster of three nodes, each a process, over a hub of this process.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use throughline_cluster::Member;
use throughline_store_hub::{Address, Hub, Secret};

use crate::kill_at::{Moment, Order};
use crate::node::Told;
use crate::process::NodeProcess;
use crate::step::Step;
use crate::world::World;

/// How many nodes there are; the tests call them 0, 1 and 2, the cluster n1, n2 and n3.
pub(crate) const NODES: usize = 3;

const SECRET: &[u8] = b"the secret of these processes";

/// Of what a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Sessions that are written when they leave their node.
    Sessions,
    /// Sessions that are written with every turn.
    CrashProof,
    /// A VActor that is written with every turn; sessions that are not ask it.
    VActor,
    /// A VActor that is written when it leaves memory; the same sessions ask it.
    LooseVActor,
}

impl Of {
    pub(crate) const ALL: [Self; 4] =
        [Self::Sessions, Self::CrashProof, Self::VActor, Self::LooseVActor];
}

/// What differs from case to case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) of: Of,
    /// How many nodes are there at first.
    pub(crate) nodes: usize,
    /// Nodes cannot reach each other.
    pub(crate) mute: bool,
    /// Sessions have no last hook.
    pub(crate) no_last_hook: bool,
    pub(crate) session_timeout_ms: u64,
    pub(crate) ended_memory_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            of: Of::Sessions,
            nodes: NODES,
            mute: false,
            no_last_hook: false,
            session_timeout_ms: 60_000,
            ended_memory_ms: 600_000,
        }
    }
}

/// Where each node serves clients.
pub(crate) type Addresses = Arc<Mutex<[Option<SocketAddr>; NODES]>>;

/// Incarnations that a test has ended.
pub(crate) type Gone = Arc<Mutex<BTreeSet<Member>>>;

/// The nodes, and what they stand on.
#[derive(Debug)]
pub(crate) struct Cluster {
    nodes: [Option<NodeProcess>; NODES],
    pub(crate) addresses: Addresses,
    pub(crate) world: World,
    /// Incarnations that were killed, or sent away.
    pub(crate) gone: Gone,
    pub(crate) settings: Settings,
    hub: Address,
    secret_file: PathBuf,
    _hub: Hub,
    _folder: TempDir,
}

impl Cluster {
    /// The hub, and no node yet.
    pub(crate) async fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("secret");
        std::fs::write(&secret_file, SECRET).unwrap();
        let world = World::new();
        let (secret, any) = (Secret::new(SECRET).unwrap(), "127.0.0.1:0".parse().unwrap());
        let hub = Hub::serve(Arc::new(world.clone()), secret, &[any]).await.unwrap();
        Self {
            nodes: [const { None }; NODES],
            addresses: Addresses::default(),
            world,
            gone: Gone::default(),
            settings,
            hub: hub.addresses()[0].clone(),
            secret_file,
            _hub: hub,
            _folder: folder,
        }
    }

    /// Starts a node that has `orders` from the start. It may not serve yet.
    pub(crate) fn begin(&mut self, node: usize, orders: &[(Step, Order)]) {
        let name =
            |(step, order): &(Step, Order)| (step.name().to_owned(), order.name().to_owned());
        let told = Told {
            number: number(node),
            hub: self.hub.to_string(),
            secret_file: self.secret_file.display().to_string(),
            advertise: host(node),
            mute: self.settings.mute,
            loose: self.settings.of == Of::LooseVActor,
            no_last_hook: self.settings.no_last_hook,
            session_timeout_ms: self.settings.session_timeout_ms,
            ended_memory_ms: self.settings.ended_memory_ms,
            orders: orders.iter().map(name).collect(),
        };
        self.nodes[node] = Some(NodeProcess::start(&told));
    }

    /// Starts these nodes.
    pub(crate) async fn start(&mut self, nodes: &[usize]) {
        for &node in nodes {
            self.begin(node, &[]);
        }
        for &node in nodes {
            let address = self.node(node).ready().await;
            self.addresses.lock().unwrap()[node] = Some(address);
        }
        let view = |rows: &crate::world::Rows| {
            nodes.iter().all(|&node| rows.member(number(node)).is_some())
        };
        self.world.wait("nodes that join", view).await;
    }

    /// Starts all that do not run.
    pub(crate) async fn restart(&mut self) {
        let gone: Vec<_> = (0..NODES).filter(|&node| self.nodes[node].is_none()).collect();
        self.start(&gone).await;
    }

    fn node(&mut self, node: usize) -> &mut NodeProcess {
        self.nodes[node].as_mut().expect("the node does not run")
    }

    pub(crate) async fn order(&mut self, node: usize, step: Step, order: Order) {
        self.node(node).order(step, order).await;
    }

    pub(crate) async fn fail_restored(&mut self, node: usize) {
        self.node(node).fail_restored().await;
    }

    /// Nothing is ordered of the nodes that run. One that has come to its step meanwhile is gone,
    /// too.
    pub(crate) async fn clear(&mut self, steps: &[Step]) {
        for node in 0..NODES {
            for &step in steps {
                let Some(process) = &mut self.nodes[node] else { continue };
                if !process.order(step, Order::Nothing).await {
                    self.note_gone(node);
                    self.nodes[node] = None;
                }
            }
        }
    }

    /// Whether a node has not died.
    pub(crate) fn runs(&self, node: usize) -> bool {
        self.nodes[node].is_some()
    }

    pub(crate) async fn drain(&mut self, node: usize) {
        self.note_gone(node);
        self.node(node).drain().await;
    }

    /// Waits until a node that drains has gone.
    pub(crate) async fn left(&mut self, node: usize) {
        let process = self.nodes[node].take().expect("the node does not run");
        process.stopped().await;
    }

    /// Waits until a node is held up at this step.
    pub(crate) async fn is_at(&mut self, node: usize, step: Step, moment: Moment) {
        self.node(node).is_at(step, moment).await;
    }

    /// Waits until one of these nodes has died at this step.
    pub(crate) async fn died(&mut self, nodes: &[usize], step: Step, moment: Moment) {
        let waiting = self.nodes.iter_mut().enumerate().filter_map(|(node, process)| {
            let process = process.as_mut().filter(|_| nodes.contains(&node))?;
            Some(Box::pin(async move {
                process.died(step, moment).await;
                node
            }))
        });
        let (died, ..) = futures_util::future::select_all(waiting).await;
        self.note_gone(died);
        self.nodes[died] = None;
    }

    /// Ends a node as a power cut would.
    pub(crate) async fn kill(&mut self, node: usize) {
        self.note_gone(node);
        self.node(node).kill().await;
        self.nodes[node] = None;
    }

    /// Stops a node as a machine that stands still would.
    pub(crate) fn freeze(&mut self, node: usize) {
        self.node(node).freeze();
    }

    /// A node that was stopped goes on; waits until it has beaten, so that nobody takes it for
    /// dead.
    pub(crate) async fn thaw(&mut self, node: usize) {
        let member = self.world.rows().member(number(node)).unwrap();
        let before = self.world.rows().beat(member);
        self.node(node).thaw();
        self.world.wait("a node beats again", |rows| rows.beat(member) != before).await;
    }

    /// Waits until a node knows all that have joined: after each beat it reads, and beats again
    /// when it has.
    pub(crate) async fn knows_the_others(&self, node: usize) {
        let member = self.world.rows().member(number(node)).unwrap();
        let second = self.world.rows().beat(member).map(|beat| beat + 2);
        self.world.wait("a node that looks", |rows| rows.beat(member) >= second).await;
    }

    /// Waits until all that died count as dead.
    pub(crate) async fn dead_are_known(&self) {
        let gone = self.gone.lock().unwrap().clone();
        self.world.wait("the dead are marked", |rows| gone.is_subset(rows.marked())).await;
    }

    fn note_gone(&self, node: usize) {
        self.addresses.lock().unwrap()[node] = None;
        self.gone.lock().unwrap().extend(self.world.rows().member(number(node)));
    }

    /// The incarnations that run.
    pub(crate) fn members(&self) -> Vec<Member> {
        let rows = self.world.rows();
        (0..NODES).filter_map(|node| rows.member(number(node))).collect()
    }
}

/// The number of a node in the cluster.
pub(crate) fn number(node: usize) -> u32 {
    u32::try_from(node).unwrap() + 1
}

/// The address that clients know of a node; where it leads is in [`Addresses`].
pub(crate) fn host(node: usize) -> String {
    format!("node{node}:7778")
}
