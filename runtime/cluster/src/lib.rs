//! Ownership in a cluster: records, leases, placement, handover and drain, as pure state machines.
//!
//! A session and a VActor are the same thing here: a record with one owner and, mostly, a
//! snapshot. This crate decides who may act for it, and builds the commits that make it so. It
//! does no I/O, reads no clock, draws no randomness and starts no task: what was read, the time
//! and random numbers are arguments. `docs/cluster.md` has every step, with its races.
//!
//! # Use
//!
//! The cores ([`Membership`], [`Placement`], [`Held`], [`Drain`]) have the same grammar:
//! `handle_*` takes what happened, then `poll_action` and `poll_timeout` are drained, in this
//! order, until they have nothing more. Time never goes back between two calls.
//!
//! # Layout
//!
//! - `law`: the rules; `steps`, `steps/*`: the commits they allow, a family per file
//! - `failing`: records that could not be loaded
//! - `header`, `snapshot`, `entry`: what stands in the store; `form`: how it is written
//! - `plan`: a commit in words; `batch`: the same in bytes; `keys`: every key
//! - `membership`: the lease of this node; `placement`: how a resume finds its session
//! - `half_copy`: a store that is being copied into; `final_versions`: which states may be written
//! - `held`: a record in memory; `drain`: how a node empties itself
//! - `ask`, `refusal`, `outcome`: what is said; `defaults`: the limits, with their reasons

#![forbid(unsafe_code)]

mod ask;
mod batch;
pub mod defaults;
mod drain;
mod entry;
mod failing;
mod final_versions;
mod form;
mod half_copy;
mod header;
mod held;
mod id;
pub mod keys;
mod law;
mod membership;
mod outcome;
mod placement;
mod plan;
mod refusal;
mod snapshot;
mod steps;

pub use ask::{Ask, Reply};
pub use batch::{Batch, Check, Write};
pub use drain::{Drain, DrainAction, DrainConfig, DrainProgress, DrainReport, Went};
pub use entry::{Beat, Entry, NodeInfo, NodeState, PlayOn, Readable, Standing};
pub use failing::Failing;
pub use final_versions::FinalVersions;
pub use form::FormError;
pub use half_copy::HalfCopy;
pub use header::{Header, Identity, State};
pub use held::{Gone, Held, HeldAction};
pub use id::{Class, Member, NodeId, RecordId, SessionKey, TooLong};
pub use law::{Law, NotNow, Rule, StepName};
pub use membership::{Entries, LeaseConfig, MemberAction, Membership, WallClock, is_adrift};
pub use outcome::Outcome;
pub use placement::{Host, Placed, Placement, PlacementAction, Proof, Read};
pub use plan::{Commit, Guard, Holder, Request, Row, Value};
pub use refusal::Refusal;
pub use snapshot::Snapshot;
pub use steps::{Creation, Ending, Found, Step, Taken, Turn, TurnState};
