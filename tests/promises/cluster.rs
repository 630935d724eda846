//! Several nodes in this process: over a hub, as the nodes of one machine are, or each behind a
//! wall of its own before one store.

mod lender;
mod wall;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use throughline::{Config, NodeBuilder, RunningNode, StopReport};
use throughline_client::{Options, TestClient};
use throughline_store::{Faults, FaultyStore, MemoryStore, Scope, Store};

pub(crate) use lender::Lender;
use wall::SharedWall;
pub(crate) use wall::{Gate, Wall, asks, enqueues, holds_key, is_in, uses_up};

use crate::{game, player, watch};

/// What the nodes of a test share, and how they are made.
pub(crate) struct Plan {
    nodes: u32,
    on_disk: bool,
    /// Where PostgreSQL is.
    postgres: Option<String>,
    walled: bool,
    wide: bool,
    quick: bool,
    advertised: bool,
    faults: Option<(Faults, u64)>,
    change: Box<dyn Fn(&mut Config)>,
    kinds: fn(u32, Config) -> NodeBuilder,
}

impl Plan {
    /// So many nodes that share a hub.
    pub(crate) fn new(nodes: u32) -> Self {
        Self {
            nodes,
            on_disk: false,
            postgres: None,
            walled: false,
            wide: false,
            quick: false,
            advertised: false,
            faults: None,
            change: Box::new(|_| {}),
            kinds: |_, config| game::builder(|own| *own = config),
        }
    }

    /// The hub lends a store on disk.
    pub(crate) fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// The nodes share a database instead of a hub; this is `store.at`.
    pub(crate) fn on_postgres(mut self, at: String) -> Self {
        self.postgres = Some(at);
        self
    }

    /// Each node has a [`Wall`] of its own between itself and one store.
    pub(crate) fn walled(mut self) -> Self {
        self.walled = true;
        self
    }

    /// The store is one of several machines, so nodes play on while none of them reaches it.
    pub(crate) fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// A node that does not beat is dead after a second.
    pub(crate) fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    /// Nodes tell their addresses, so that clients can be sent to them.
    pub(crate) fn advertised(mut self) -> Self {
        self.advertised = true;
        self
    }

    /// Other settings.
    pub(crate) fn with(mut self, change: impl Fn(&mut Config) + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// Other kinds, by the number of the node.
    pub(crate) fn kinds(mut self, kinds: fn(u32, Config) -> NodeBuilder) -> Self {
        self.kinds = kinds;
        self
    }

    /// The store fails and delays as this seed says.
    pub(crate) fn faulty(mut self, faults: Faults, seed: u64) -> Self {
        self.faults = Some((faults, seed));
        self.walled()
    }

    pub(crate) async fn start(self) -> Cluster {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("secret"), "no secret at all, but long").unwrap();
        let walls = self.walled.then(|| {
            let mut store: Arc<dyn Store> = Arc::new(MemoryStore::new());
            if let Some((faults, seed)) = self.faults {
                store = Arc::new(FaultyStore::new(store, faults, seed));
            }
            (0..self.nodes).map(|_| Wall::new(&store)).collect::<Vec<_>>()
        });
        let lender = match self.walled || self.postgres.is_some() {
            true => None,
            false => Some(Lender::start(dir.path(), self.on_disk).await),
        };
        let ports = (0..self.nodes).map(|_| self.advertised.then(free_port)).collect();
        let nodes = (0..self.nodes).map(|_| None).collect();
        let mut cluster = Cluster { nodes, plan: self, ports, walls, lender, dir };
        for number in 1..=cluster.plan.nodes {
            cluster.start_node(number).await;
        }
        cluster
    }
}

/// Ports that a node has again after a restart: below those that the system gives to connections,
/// or one of another test would have it meanwhile.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// A port that is free now, and that nobody is given who does not ask for it.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(PORTS)).find(is_free).unwrap()
}

/// Nodes, by their numbers from 1.
pub(crate) struct Cluster {
    nodes: Vec<Option<Arc<RunningNode>>>,
    plan: Plan,
    ports: Vec<Option<u16>>,
    walls: Option<Vec<Arc<Wall>>>,
    lender: Option<Lender>,
    /// Last, since the others have files in it.
    dir: TempDir,
}

impl Cluster {
    /// So many nodes that share a hub over a store in memory.
    pub(crate) async fn of(nodes: u32) -> Self {
        Plan::new(nodes).start().await
    }

    fn config(&self, number: u32) -> Config {
        let mut config = game::config();
        config.cluster.node = number;
        config.cluster.secret_file = self.path("secret").display().to_string();
        config.store.at = match (&self.lender, &self.plan.postgres) {
            (Some(lender), _) => format!("hub:{}", lender.address()),
            (None, Some(at)) => at.clone(),
            (None, None) => "memory".to_owned(),
        };
        // Short, so that tests of nodes that join again, or drain, do not wait.
        config.cluster.beat = Duration::from_millis(100);
        if self.plan.quick {
            config.cluster.term = Duration::from_secs(1);
            config.cluster.margin = Duration::from_millis(200);
        }
        config.drain.rate = 0;
        if let Some(port) = self.ports[index(number)] {
            let address = format!("127.0.0.1:{port}");
            config.listen.link = vec![address.parse().unwrap()];
            config.listen.advertise = vec![address];
        }
        (self.plan.change)(&mut config);
        config
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a node, again if it ran before.
    pub(crate) async fn start_node(&mut self, number: u32) {
        self.start_with(number, self.plan.kinds).await;
    }

    /// Starts a node of another build.
    pub(crate) async fn start_with(&mut self, number: u32, kinds: fn(u32, Config) -> NodeBuilder) {
        let mut builder = kinds(number, self.config(number));
        if let Some(walls) = &self.walls {
            let wall = Arc::clone(&walls[index(number)]);
            let scope = if self.plan.wide { Scope::Cluster } else { Scope::Machine };
            builder = builder.store(Arc::new(SharedWall(wall, scope)));
        }
        let started = tokio::task::spawn_blocking(move || builder.start());
        self.nodes[index(number)] = Some(Arc::new(started.await.unwrap().unwrap()));
    }

    /// The node of this number, from 1.
    pub(crate) fn node(&self, number: u32) -> &RunningNode {
        self.nodes[index(number)].as_deref().unwrap()
    }

    /// What is between this node and its store.
    pub(crate) fn wall(&self, number: u32) -> &Arc<Wall> {
        &self.walls.as_ref().unwrap()[index(number)]
    }

    pub(crate) fn lender(&mut self) -> &mut Lender {
        self.lender.as_mut().unwrap()
    }

    /// Where clients find this node.
    pub(crate) fn at(&self, number: u32) -> String {
        self.node(number).link_addresses()[0].to_string()
    }

    /// Drains a node and ends it.
    pub(crate) async fn stop(&mut self, number: u32) -> StopReport {
        let node = self.take(number);
        watch::soon("the stop of a node", tokio::task::spawn_blocking(move || node.stop()))
            .await
            .unwrap()
    }

    /// Ends a node without a word to anybody.
    pub(crate) async fn kill(&mut self, number: u32) {
        let node = self.take(number);
        let killed = tokio::task::spawn_blocking(move || drop(node));
        watch::soon("the end of a node", killed).await.unwrap();
    }

    /// Begins to drain a node, and leaves it running.
    pub(crate) fn drain(&self, number: u32) -> tokio::task::JoinHandle<StopReport> {
        let node = Arc::clone(self.nodes[index(number)].as_ref().unwrap());
        tokio::task::spawn_blocking(move || node.drain())
    }

    fn take(&mut self, number: u32) -> RunningNode {
        let node = self.nodes[index(number)].take().unwrap();
        Arc::into_inner(node).expect("a drain that was begun has ended")
    }

    /// A player who logged in at this node and was greeted; all nodes are known to its client.
    pub(crate) async fn join(&self, number: u32, name: &str) -> TestClient {
        player::join_with(self.options(number, name)).await
    }

    pub(crate) fn options(&self, number: u32, name: &str) -> Options {
        player::options(self.at(number), name)
    }

    /// The number of live sessions of each node.
    pub(crate) fn sessions(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.as_ref().map_or(0, |node| node.counts().1)).collect()
    }
}

const fn index(number: u32) -> usize {
    number as usize - 1
}
