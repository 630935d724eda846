//! VActors: actors with a name, that are wherever the cluster has them.
//!
//! This hosts them in bytes, on the records that sessions have, too: one owner, lease, swap-out,
//! drain. The typed side, which games write, is `throughline-vactor`; what it needs is exported
//! here, and is no part of the promises of this crate's versions.
//!
//! # Layout
//! - `kind`: what the typed side gives; `parcel`: a message that may stay in this process
//! - `caller`, `route`: an ask or a tell finds its VActor; `place`: where a new one is to be
//! - `wire`: the same between nodes; `serve`: what other nodes ask; `gathered`: many in a row
//! - `table`: the VActors of this node; `activate`: how one begins here
//! - `actor`, `actor/*`: one VActor; `stage`: what a turn of it does; `reminders`: its timers
//! - `due`: reminders of those that are parked; `balance`: who moves when a node has joined

mod activate;
mod actor;
mod balance;
mod caller;
mod due;
mod error;
mod gathered;
mod kind;
mod parcel;
mod place;
mod reminders;
mod route;
mod serve;
mod stage;
mod table;
mod wire;

pub use crate::{durability::Durability, session::Unreadable};
pub use caller::{Caller, Target};
pub use error::{AskError, Rejection};
pub use kind::{
    Activation, CatchUp, Deactivation, Instance, Job, Kind, Mode, Placement, Settings, TurnFuture,
};
pub use parcel::{Parcel, Payload};
pub use stage::Stage;

pub(crate) use balance::Balancer;
pub(crate) use due::{DueSoon, hand_over as hand_over_due};
pub(crate) use serve::{
    handle_call, is_served_at, move_to, push_gathered, release, send_to_node, start, wake,
};
pub(crate) use table::VActors;
pub(crate) use wire::is_invocation;
