//! Tests of games.
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
