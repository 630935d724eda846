//! What is promised of VActors, on real nodes.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod cluster;
mod deactivating;
mod dead_letters;
mod deadlines;
mod killer;
mod kinds;
mod one_node;
mod outages;
mod peers;
mod reads;
mod reminders;
mod surroundings;
mod tells;
