//! Durable messages of sessions and VActors: what a turn enqueues, and how an inbox is read.
//!
//! Queues are `throughline-queue`'s; this puts them into the commits of records. docs/queues.md has
//! what holds.
//!
//! # Layout
//! - `address`, `envelope`, `queued`: to whom, how it is written, what the receiver gets
//! - `staged`, `send`: what a turn is to write, staged until its end; `beside`: the same as part of
//!   a commit
//! - `inboxes`: what an actor has not handled yet, read from the store
//! - `dead`: what nobody could handle
//! - `groups`: who of this node is in which group
//! - `peers`: whom an actor has met; `meetings`: whom those of this node ask after
//! - `outside`: the producer of those who are no actors; `backend`: the same without a node;
//!   `counts`: for operators
//!
//! Pokes, looks and sweeps are `cluster`'s, since they speak to other nodes.

mod address;
mod backend;
mod beside;
mod counts;
mod dead;
mod envelope;
mod error;
mod groups;
mod inboxes;
mod meetings;
mod outside;
mod peers;
mod queued;
mod send;
mod staged;

pub use address::Address;
pub use backend::Backend;
pub use error::SendReliableError;
pub use peers::PeerLost;
pub use queued::QueuedMessage;

pub(crate) use address::{address_of, queue_of, record_of};
pub(crate) use beside::{Beside, beside, delete_later};
pub(crate) use counts::{QueueCounts, QueueStatus};
pub(crate) use dead::{Died, file_dead_letter, stage_dead_letter, trim_dead_letters};
pub(crate) use envelope::seal;
pub(crate) use groups::{GroupName, Groups, all_member_rows, member_of};
pub(crate) use inboxes::{Inboxes, Taking};
pub(crate) use meetings::{Left, Meetings};
pub(crate) use outside::Queues;
pub(crate) use peers::{Heard, Life, Loss, Meeting, News, Peers, Poke, TravellingPeer};
pub(crate) use send::{stage_reliable, stage_reliable_to_group, stage_watch};
pub(crate) use staged::{Durable, StagedDurable};
