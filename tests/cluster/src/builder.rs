//! What a test may set before its cluster starts.

use std::rc::Rc;
use std::time::Duration;

use throughline::{Config, NodeBuilder};
use throughline_store::Scope;

use crate::cluster::TestCluster;
use crate::world::World;

/// A message takes from 1 ms to so long from one host to another.
const LATENCY: Duration = Duration::from_millis(3);

/// The seed of tests that set none: the same run every time.
const SEED: u64 = 1;

/// More nodes than any test needs, and few enough for one thread.
const NODES_MAX: usize = 64;

pub(crate) type Game = dyn Fn(NodeBuilder) -> NodeBuilder;
pub(crate) type Settings = dyn Fn(&mut Config);

/// Sets up a [`TestCluster`].
pub struct TestClusterBuilder {
    nodes: usize,
    seed: u64,
    latency: Duration,
    scope: Scope,
    settings: Rc<Settings>,
}

impl TestClusterBuilder {
    pub(crate) fn new(nodes: usize) -> Self {
        let (scope, settings) = (Scope::Machine, Rc::new(|_: &mut Config| {}));
        Self { nodes, seed: SEED, latency: LATENCY, scope, settings }
    }

    /// What delays, session ids and backoffs are drawn from; 1 by default. Another seed is another
    /// order of things: a test that is run with many finds more.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The longest that bytes take from one host to another, 3 ms by default; each write takes
    /// 1 ms to so long. 0: they are there at once.
    #[must_use]
    pub const fn latency(mut self, most: Duration) -> Self {
        self.latency = most;
        self
    }

    /// The nodes are on several machines, as with PostgreSQL: while none of them reaches the store,
    /// they play on (`cluster.play-on`). By default they are on one.
    #[must_use]
    pub const fn on_several_machines(mut self) -> Self {
        self.scope = Scope::Cluster;
        self
    }

    /// Changes the settings of every node; by default they are those of [`Config::default`].
    /// Addresses and node numbers are the cluster's own.
    #[must_use]
    pub fn settings(mut self, change: impl Fn(&mut Config) + 'static) -> Self {
        self.settings = Rc::new(change);
        self
    }

    /// Starts all nodes, and waits until they know each other; `game` gives each one its kinds, at
    /// each start.
    ///
    /// # Panics
    /// If the count of nodes is not 1 to 64, the settings contradict themselves or the game
    /// registers something wrong. If called in a tokio runtime: tests are plain `#[test]`s.
    #[track_caller]
    #[must_use]
    pub fn start(self, game: impl Fn(NodeBuilder) -> NodeBuilder + 'static) -> TestCluster {
        let Self { nodes, seed, latency, scope, settings } = self;
        assert!((1..=NODES_MAX).contains(&nodes), "{nodes} nodes, 1 to {NODES_MAX} expected");
        let world = Rc::new(World::new(nodes, latency, seed, scope));
        TestCluster::begin(world, Rc::new(game), settings)
    }
}

impl std::fmt::Debug for TestClusterBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestClusterBuilder")
            .field("nodes", &self.nodes)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
