//! A cluster in the hands of a test.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use throughline::environment::Environment;
use throughline::{Config, Node, RunningNode, SessionId, StopReport};
use throughline_client::{Client, ConnectError, Options};
use tokio::time::sleep;

use crate::builder::{Game, Settings, TestClusterBuilder};
use crate::player::Player;
use crate::store::{Gate, NodeStore};
use crate::world::{PEER_PORT, World, host_of_node, host_of_player, link_address};

/// What the nodes of every test know.
const SECRET: &[u8] = b"a secret of tests only";

/// The least that is waited for a node to join.
const JOIN_TIME: Duration = Duration::from_secs(20);

/// Nodes of one cluster on the test's own thread; see the [crate's page](crate).
///
/// Nodes have the numbers from 0 on. Time stands still between two calls; in each, everything goes
/// on until what was asked for is there.
pub struct TestCluster {
    world: Rc<World>,
    game: Rc<Game>,
    settings: Rc<Settings>,
    players: Cell<usize>,
}

impl TestCluster {
    /// So many nodes of a game, all started and known to each other: `TestCluster::new(3, |node|
    /// node.sessions::<Clicker>())`.
    ///
    /// # Panics
    /// As [`TestClusterBuilder::start`].
    #[track_caller]
    #[must_use]
    pub fn new(
        nodes: usize,
        game: impl Fn(throughline::NodeBuilder) -> throughline::NodeBuilder + 'static,
    ) -> Self {
        Self::builder(nodes).start(game)
    }

    /// The same, with settings or a seed.
    #[must_use]
    pub fn builder(nodes: usize) -> TestClusterBuilder {
        TestClusterBuilder::new(nodes)
    }

    #[track_caller]
    pub(crate) fn begin(world: Rc<World>, game: Rc<Game>, settings: Rc<Settings>) -> Self {
        let cluster = Self { world, game, settings, players: Cell::new(0) };
        for n in 0..cluster.world.count() {
            cluster.start(n);
        }
        // With its next beat each one sees those that came after it.
        cluster.advance(cluster.config(0).cluster.beat * 2);
        cluster
    }

    /// Starts a node that was drained or killed, and waits until it has joined.
    ///
    /// # Panics
    /// If it runs, or cannot start.
    #[track_caller]
    pub fn start(&self, n: usize) {
        assert!(!self.is_up(n), "node {n} runs already");
        let world = &self.world;
        let start = world.next_start(n);
        let seed = world.seed_of(n as u64 + 1, start);
        let store = NodeStore::new(&world.content, world.scope, seed);
        let host = world.network.host(host_of_node(n));
        let config = self.config(n);
        let patience = config.cluster.term * 2 + JOIN_TIME;
        let environment =
            Environment::new(host, Arc::new(store.clone()), SECRET, seed).wall_ms(self.wall_ms());
        let builder = (self.game)(Node::builder(config));
        let started = world.inside(|| builder.start_here(environment));
        let node = started.unwrap_or_else(|error| panic!("node {n} does not start: {error}"));
        let joined = node.joined();
        world.set_up(n, node, store);
        let joined = world.run(async { tokio::time::timeout(patience, joined).await });
        assert_eq!(joined, Ok(true), "node {n} did not join within {patience:?}");
    }

    fn config(&self, n: usize) -> Config {
        let mut config = Config::default();
        (self.settings)(&mut config);
        config.cluster.node = u32::try_from(n + 1).unwrap_or(u32::MAX);
        config.cluster.listen = vec![(host_of_node(n), PEER_PORT).into()];
        config.listen.link = vec![link_address(n)];
        config.listen.advertise = vec![link_address(n).to_string()];
        config.listen.http = Vec::new();
        config.admin.listen = Vec::new();
        config
    }

    /// A player who logs in with this payload, at the node whose turn it is. The cluster must serve
    /// one session kind.
    ///
    /// # Panics
    /// If the login is refused or no node answers.
    #[track_caller]
    #[must_use]
    pub fn player(&self, login: impl AsRef<[u8]>) -> Player {
        let kind = self.only_kind();
        self.player_of(kind, login)
    }

    /// The same, of a session kind by its name.
    ///
    /// # Panics
    /// As [`player`](Self::player), or if no node serves it.
    #[track_caller]
    #[must_use]
    pub fn player_of(&self, kind: &str, login: impl AsRef<[u8]>) -> Player {
        let login = login.as_ref();
        self.log_in(kind, login).unwrap_or_else(|error| {
            panic!("`{}` cannot log in: {error}", String::from_utf8_lossy(login).escape_debug())
        })
    }

    /// A player who may be refused.
    ///
    /// # Errors
    /// [`ConnectError::Refused`], or no answer after all tries.
    ///
    /// # Panics
    /// If no node runs, or none serves the kind.
    #[track_caller]
    pub fn log_in(&self, kind: &str, login: impl AsRef<[u8]>) -> Result<Player, ConnectError> {
        let kinds = self.kinds();
        let codec = kinds.iter().find(|(name, _)| *name == kind).map(|(_, codec)| *codec);
        let Some(codec) = codec else { panic!("no node serves `{kind}`") };
        let number = self.players.replace(self.players.get() + 1);
        let world = &self.world;
        let host = host_of_player(number);
        let nodes = world.count();
        let addresses = (0..nodes).map(|n| link_address((number + n) % nodes).to_string());
        let options = Options::new(addresses)
            .kind(kind)
            .login(login)
            .seed(world.seed_of(number as u64, 0))
            .connector(world.network.host(host));
        let client = world.run(Client::connect(options))?;
        Ok(Player::new(Rc::clone(world), client, codec, host))
    }

    #[track_caller]
    fn only_kind(&self) -> &'static str {
        match self.kinds()[..] {
            [(kind, _)] => kind,
            [] => panic!("no node runs"),
            _ => panic!("several kinds are served: say which, with `player_of`"),
        }
    }

    fn kinds(&self) -> Vec<(&'static str, throughline::Codec)> {
        let mut nodes = 0..self.world.count();
        nodes.find_map(|n| self.world.with(n, |node| node.kinds())).unwrap_or_default()
    }

    /// Drains a node as SIGTERM does, and waits until it has left.
    ///
    /// # Panics
    /// If it does not run, or is frozen.
    #[track_caller]
    pub fn drain(&self, n: usize) -> StopReport {
        let stop = self.world.with(n, |node| node.stop());
        let Some(stop) = stop else { panic!("node {n} does not run") };
        assert!(!self.world.is_frozen(n), "node {n} is frozen");
        let report = self.world.run(stop);
        self.wait_until_gone(n);
        report
    }

    /// Tells a node to drain, as SIGTERM does; it leaves by itself while the test goes on. Its
    /// progress is in [`RunningNode::drain_progress`].
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn begin_drain(&self, n: usize) {
        let stop = self.world.with(n, |node| node.stop());
        assert!(stop.is_some(), "node {n} does not run");
    }

    /// Waits until a node that drains has left.
    ///
    /// # Panics
    /// If it does not within 60 s of the cluster's time.
    #[track_caller]
    pub fn wait_until_gone(&self, n: usize) {
        let gone = async {
            while self.is_up(n) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(self.world.wait(gone).is_some(), "node {n} does not leave");
    }

    /// Kills a node: in this moment, without a word, as `kill -9` does. Its connections are closed.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn kill(&self, n: usize) {
        assert!(self.world.kill(n), "node {n} does not run");
    }

    /// Freezes a node, as `kill -STOP` does: nothing of it goes on, and its connections stay.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn freeze(&self, n: usize) {
        assert!(self.world.freeze(n, true), "node {n} does not run");
    }

    /// A frozen node goes on.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn thaw(&self, n: usize) {
        assert!(self.world.freeze(n, false), "node {n} does not run");
    }

    /// Two nodes no longer reach each other. What is on its way waits until they do. Both reach the
    /// store, and players reach both.
    pub fn partition(&self, one: usize, other: usize) {
        self.world.network.part(host_of_node(one), host_of_node(other), true);
    }

    /// They reach each other again.
    pub fn heal(&self, one: usize, other: usize) {
        self.world.network.part(host_of_node(one), host_of_node(other), false);
    }

    /// A node no longer reaches the store: its calls wait.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn cut_store(&self, n: usize) {
        assert!(self.world.set_store(n, Gate::Shut), "node {n} does not run");
    }

    /// A node's commits are refused, since its store does not work: nothing of them is written. It
    /// can read.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn break_store(&self, n: usize) {
        assert!(self.world.set_store(n, Gate::Down), "node {n} does not run");
    }

    /// The next commit of a node is made, and the node does not hear so: its outcome is unknown
    /// there.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn lose_answer(&self, n: usize) {
        assert!(self.world.set_store(n, Gate::Unheard), "node {n} does not run");
    }

    /// It reaches the store again, and the calls that waited go through.
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    pub fn heal_store(&self, n: usize) {
        assert!(self.world.set_store(n, Gate::Open), "node {n} does not run");
    }

    /// Lets so much time pass.
    pub fn advance(&self, time: Duration) {
        self.world.run(async { sleep(time).await });
    }

    /// How much time has passed since the cluster began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.world.elapsed()
    }

    /// What the wall clocks of the nodes show, in milliseconds since 1970 UTC. They begin with
    /// 2026.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        let passed = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        throughline::environment::WALL_MS.saturating_add(passed)
    }

    /// Whether a node runs; a frozen one does.
    #[must_use]
    pub fn is_up(&self, n: usize) -> bool {
        self.world.with(n, |_| ()).is_some()
    }

    /// Whether a session is on this node now; [`Player::node`] says which node it is on.
    #[must_use]
    pub fn has_session(&self, n: usize, id: SessionId) -> bool {
        self.world.with(n, |node| node.has_session(id)) == Some(true)
    }

    /// A node that runs, for counters and for messages from outside; what is asynchronous is
    /// awaited in [`run`](Self::run).
    ///
    /// # Panics
    /// If it does not run.
    #[track_caller]
    #[must_use]
    pub fn node(&self, n: usize) -> Rc<RunningNode> {
        let node = self.world.with(n, |node| node.running());
        node.unwrap_or_else(|| panic!("node {n} does not run"))
    }

    /// Lets everything go on until `future` is ready: `cluster.run(async { .. })`. Within it,
    /// players and the cluster cannot be used.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.world.run(future)
    }
}

impl std::fmt::Debug for TestCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let up: Vec<_> = (0..self.world.count()).filter(|n| self.is_up(*n)).collect();
        f.debug_struct("TestCluster").field("up", &up).field("seed", &self.world.seed).finish()
    }
}
