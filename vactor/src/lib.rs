//! Virtual actors: addressed by kind and key, begun when they are first asked, on one node at a
//! time, and swapped out when nobody asks. A match, a lobby, a guild.
//!
//! It does no networking and keeps no store of its own: the runtime hosts VActors on the records
//! that sessions have, too. What it adds is types: a kind, its messages, and their replies.
//!
//! ```
//! use throughline_vactor::prelude::*;
//!
//! /// How often somebody has come. The state is what lasts.
//! #[derive(Default, Serialize, Deserialize)]
//! struct Visits { count: u64 }
//!
//! struct Door { visits: Visits }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Enter;
//! impl Message for Enter { type Reply = u64; }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Count;
//! impl Message for Count { type Reply = u64; }
//!
//! messages! { Door { "enter" => Enter, "count" => read Count } }
//!
//! impl VActor for Door {
//!     const KIND: &'static str = "door";
//!     type State = Visits;
//!
//!     fn new(_key: &str, visits: Visits) -> Self { Self { visits } }
//!     fn state(&self) -> &Visits { &self.visits }
//! }
//!
//! impl Handle<Enter> for Door {
//!     async fn handle(&mut self, _: Enter, _: &mut Context<Self>) -> Result<u64, HandlerError> {
//!         self.visits.count += 1;
//!         Ok(self.visits.count)
//!     }
//! }
//!
//! impl Read<Count> for Door {
//!     async fn read(&self, _: Count, _: &ReadContext) -> Result<u64, HandlerError> {
//!         Ok(self.visits.count)
//!     }
//! }
//! ```
//!
//! A session asks `ctx.ask(&Door::at("front"), Enter).await`, and the node hosts it:
//! `Node::from_args().sessions::<Player>().vactors::<Door>().run()`.
//!
//! # Layout
//! - `vactor`: what a game implements; `message`: messages, and the list of them
//! - `context`: what a turn is given; `ask`: who may ask; `address`: whom
//! - `kind`: the types, erased for the runtime; `node`: how a node gets its kinds

#![forbid(unsafe_code)]

mod address;
mod ask;
mod context;
mod kind;
mod message;
mod node;
pub mod prelude;
mod vactor;

pub use address::Address;
pub use ask::{ASK_TIME, Ask, Tell, TellReliable};
pub use context::{Context, ReadContext};
pub use message::{Accepts, Handle, Message, MessageList, Messages, Read};
pub use node::{Move, Vactors};
pub use throughline::vactor::{
    Activation, AskError, CatchUp, Deactivation, Durability, Mode, Placement, Rejection,
};
pub use vactor::VActor;

#[cfg(doctest)]
#[doc = include_str!("../../docs/vactors.md")]
struct Page;
