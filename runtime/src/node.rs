//! A node: one server process, from its start to its end.

mod args;
mod builder;
mod error;
mod running;
mod shared;

pub use args::Node;
pub use builder::NodeBuilder;
pub use error::{BuildError, StartError};
pub use running::{DeliverError, RunningNode, StopReport};
pub(crate) use shared::{Admit, Shared};
