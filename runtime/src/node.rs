//! A node: one server process, from its start to its end.

mod args;
mod attached;
mod builder;
mod dead_letters;
mod error;
mod here;
mod joining;
mod running;
mod serve;
mod shared;
mod signals;
mod stopping;

pub use args::Node;
pub(crate) use args::{say, start_log};
pub(crate) use attached::ATTACHED;
pub use builder::NodeBuilder;
pub use error::{BuildError, StartError};
pub use here::NodeHere;
pub use running::{DeliverError, RunningNode};
pub(crate) use shared::{Admit, Parts, Shared, suits};
pub(crate) use signals::Signals;
pub use stopping::StopReport;
