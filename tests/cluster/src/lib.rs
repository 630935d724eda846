//! Tests of games: a cluster of nodes in the test's own thread, in virtual time.
//!
//! [`TestCluster`] runs the nodes of production: their sessions, leases, handovers, drains and the
//! protocol between them. What it puts in place of the world is the network and the store, which
//! are in memory, chance, which comes from a seed, and time, which goes on only while the test
//! waits for something, and then at once. So three nodes are up in milliseconds, a node is killed
//! in the middle of a move, a session waits an hour for its player, and a run can be repeated.
//!
//! # Example
//!
//! The game of the runtime's first page, and what its author wants to know: does it go on when a
//! node is updated, and what happens when one crashes?
//!
//! ```
//! use std::time::Duration;
//!
//! use throughline::{CloseCode, prelude::*};
//! use throughline_testing::TestCluster;
//!
//! /// One player's side.
//! #[derive(Serialize, Deserialize)]
//! struct Clicker { name: String, clicks: u64 }
//!
//! // A game reads `Ask` and writes `Score`; its test does the opposite, so each has both.
//! #[derive(Serialize, Deserialize)] enum Ask { Click }
//! #[derive(Serialize, Deserialize)] struct Score { clicks: u64 }
//!
//! impl Session for Clicker {
//!     const KIND: &'static str = "clicker";
//!     type In = Ask;
//!     type Out = Score;
//!
//!     async fn login(login: Login<'_>) -> Result<Self, Refusal> {
//!         Ok(Clicker { name: login.text()?.to_owned(), clicks: 0 })
//!     }
//!
//!     async fn message(&mut self, ask: Ask, ctx: &mut Context<Self>) -> Outcome {
//!         match ask { Ask::Click => self.clicks += 1 }
//!         ctx.send(Score { clicks: self.clicks });
//!         Ok(())
//!     }
//! }
//!
//! // In a game this is a `#[test]`, under `tests/` or beside what it tests.
//! fn clicks_survive_everything_but_a_crash() {
//!     let cluster = TestCluster::new(3, |node| node.sessions::<Clicker>());
//!     let mut ann = cluster.player("ann");
//!     ann.send(&Ask::Click);
//!     ann.expect(|score: &Score| score.clicks == 1);
//!
//!     // Her node is updated: she is handed over.
//!     let report = cluster.drain(0);
//!     assert_eq!((report.moved, report.left), (1, 0));
//!     cluster.start(0);
//!     ann.send(&Ask::Click);
//!     ann.expect(|score: &Score| score.clicks == 2);
//!
//!     // Her train is in a tunnel while she clicks.
//!     ann.go_away();
//!     ann.send(&Ask::Click);
//!     cluster.advance(Duration::from_secs(20));
//!     ann.come_back();
//!     ann.expect(|score: &Score| score.clicks == 3);
//!
//!     // Her node dies: she is told, and may log in again.
//!     let node = ann.node().expect("her session is somewhere");
//!     cluster.kill(node);
//!     assert_eq!(ann.expect_end(), CloseCode::Lost);
//!     let mut ann = cluster.player("ann");
//!     ann.send(&Ask::Click);
//!     ann.expect(|score: &Score| score.clicks == 1);
//! }
//! # clicks_survive_everything_but_a_crash();
//! ```
//!
//! # What a test can do
//!
//! - Players: [`player`](TestCluster::player), or [`log_in`](TestCluster::log_in) for one that may
//!   be refused; [`send`](Player::send), [`expect`](Player::expect), [`receive`](Player::receive),
//!   [`received`](Player::received), [`expect_end`](Player::expect_end).
//! - Their networks: [`cut`](Player::cut), [`go_away`](Player::go_away),
//!   [`come_back`](Player::come_back), [`move_to`](Player::move_to) another node.
//! - Nodes: [`drain`](TestCluster::drain), [`begin_drain`](TestCluster::begin_drain),
//!   [`kill`](TestCluster::kill), [`start`](TestCluster::start), [`freeze`](TestCluster::freeze),
//!   [`thaw`](TestCluster::thaw).
//! - What is between them: [`partition`](TestCluster::partition), [`heal`](TestCluster::heal),
//!   [`cut_store`](TestCluster::cut_store), [`break_store`](TestCluster::break_store),
//!   [`lose_answer`](TestCluster::lose_answer), [`heal_store`](TestCluster::heal_store).
//! - Time: [`advance`](TestCluster::advance), [`elapsed`](TestCluster::elapsed),
//!   [`wall_ms`](TestCluster::wall_ms).
//! - Everything else: [`node`](TestCluster::node), and [`run`](TestCluster::run) for what is
//!   asynchronous.
//!
//! # Time
//!
//! Nothing happens between two calls. A call that waits lets everything go on, all nodes and all
//! players, and while nobody has anything to do the clock jumps to the next timer. So no test
//! sleeps, and a time that is asserted is exact. What fails does so after 60 s of the cluster's
//! time, which is milliseconds, with what came instead.
//!
//! An hour of three idle nodes costs some seconds of real time in a debug build, since each beats
//! twice a second. A test of hours that kills nobody lets them beat slower:
//!
//! ```
//! # use std::time::Duration;
//! # use throughline_testing::TestCluster;
//! let builder = TestCluster::builder(2).settings(|config| {
//!     config.cluster.beat = Duration::from_secs(10);
//!     config.cluster.term = Duration::from_secs(60);
//!     config.cluster.margin = Duration::from_secs(10);
//! });
//! # drop(builder);
//! ```
//!
//! # Order
//!
//! The [seed](TestClusterBuilder::seed) draws delays, ids and backoffs, and the same seed is the
//! same run. Only where two things of one task are ready in the same moment, tokio picks one by a
//! chance of its own, unless it was built with `--cfg tokio_unstable`, as `.cargo/config.toml` can
//! say; that shows in next to no run. A game that wants to repeat its runs draws nothing itself,
//! and lets nothing
//! depend on the order of a `HashMap`. Many seeds in a loop find what one does not:
//!
//! ```no_run
//! # use throughline_testing::TestCluster;
//! # use throughline::NodeBuilder;
//! # fn game(node: NodeBuilder) -> NodeBuilder { node }
//! for seed in 0..100 {
//!     let cluster = TestCluster::builder(3).seed(seed).start(game);
//!     // ..
//! }
//! ```
//!
//! # What is different
//!
//! - Nodes have one worker, and neither an HTTP listener nor one for operators; players come over
//!   the TCP link's protocol. Links over WebSockets are tested against a real node.
//! - [`Context::blocking`](throughline::Context::blocking) runs on a thread, as everywhere; the
//!   clock stands still meanwhile. A game's own threads and runtimes are not virtual.
//! - What a game reads from the system's clock is real time.
//! - A crash of the whole cluster keeps what was committed, as a store on disk would.
//! - Secrets and session ids come from the seed: this is no way to serve anybody.
//!
//! # Layout
//!
//! - `cluster`, `builder`, `player`: what a test holds
//! - `world`: the runtime, its time, and the nodes; `network`, `pipe`: connections in memory;
//!   `store`: the shared store as a node sees it; `random`: the seed

#![forbid(unsafe_code)]

mod builder;
mod cluster;
mod network;
mod pipe;
mod player;
mod random;
mod store;
mod world;

pub use builder::TestClusterBuilder;
pub use cluster::TestCluster;
pub use player::Player;
