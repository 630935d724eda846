//! What is promised of VActors, on real nodes.

mod cluster;
mod kinds;
mod one_node;
