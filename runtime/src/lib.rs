//! A game server runtime: sessions that outlive their connections.
//!
//! A game is a [`Session`] type: a player's state, and one hook per thing that may happen to it.
//! The node keeps the session while its client's connections break: each message is handled exactly
//! once and in order, both ways, or the session ends with a reason on both sides. It does not speak
//! a game's own network protocol, and keeps no game's data beyond its sessions.
//!
//! ```no_run
//! use throughline::prelude::*;
//!
//! /// One player's side.
//! #[derive(Serialize, Deserialize)]
//! struct Clicker { name: String, clicks: u64 }
//!
//! #[derive(Deserialize)] enum Ask { Click }
//! #[derive(Serialize)]   struct Score { clicks: u64 }
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
//! fn main() -> ExitCode { Node::from_args().sessions::<Clicker>().run() }
//! ```
//!
//! # Layout
//! - `durability`: what survives the death of a node; `token`: what a turn is called outside
//! - `session`: what a game implements and is given; `codec`: how its messages become bytes;
//!   `snapshot`: what of an actor goes into the store
//! - `node`: a server process; `config`: its settings; `prelude`: what a game imports
//! - `listen`, `transport`, `handshake`, `admission`: how connections come in
//! - `arrive`: how a session comes to this node; `cluster`: who may act for it, and the store
//! - `vactor`: what hosts VActors, for `throughline-vactor`
//! - `peers`: connections between nodes; `lend`, `local`: the hub and the local cluster
//! - `balancer`: spreads connections over nodes, for development
//! - `actor`: one session's actor; `kinds`: their types, erased; `directory`: where each one is
//! - `operator`: what operators may ask; `admin`: the HTTP listener through which they do
//! - `worker`: the threads; `clock`, `counters`: times and counts; `web_client`: files for browsers
//! - `environment`: what a node runs in, of the system or injected; `batch`: queues between threads

#![forbid(unsafe_code)]

mod actor;
mod admin;
mod admission;
mod arrive;
mod balancer;
mod batch;
mod care;
mod clock;
mod cluster;
mod codec;
mod config;
mod counters;
mod directory;
mod durability;
pub mod environment;
mod handshake;
mod kinds;
mod lend;
mod listen;
mod local;
mod node;
mod operator;
mod peers;
pub mod prelude;
mod queues;
mod session;
mod snapshot;
mod token;
mod transport;
#[doc(hidden)]
pub mod vactor;
mod web_client;
mod worker;

pub use cluster::{LocateError, Location};
pub use codec::{Codec, DecodeError, EncodeError, Incoming, Outgoing, Raw};
pub use config::{
    AdminSettings, CONFIG_FILE, ClusterSettings, Config, ConfigError, ConfigSources,
    DevelopmentSettings, DrainSettings, LimitSettings, LinkSettings, ListenSettings, Loaded,
    LogSettings, NodeSettings, Problem, Provenance, QueueSettings, SessionSettings, Source,
    StoreSettings, VActorSettings,
};
pub use counters::Counters;
pub use durability::Durability;
pub use listen::Page;
pub use node::{
    BuildError, DeliverError, Node, NodeBuilder, NodeHere, RunningNode, StartError, StopReport,
};
pub use queues::{Address, Backend, PeerLost, QueuedMessage, SendReliableError};
pub use session::{
    Arrival, Context, EndReason, HandlerError, Login, NotAllowed, Outcome, Recipient, Refusal,
    ServerMessage, Session, Undelivered,
};
pub use throughline_link::{CloseCode, SessionId};
pub use throughline_queue::{DeadLetter, DeadLetterError, DeadLetterPage, FiledLetter};
pub use token::TurnToken;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
