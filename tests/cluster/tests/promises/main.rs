//! What games may rely on, on real nodes in virtual time: see `docs/guarantees.md`.
//!
//! # Layout
//! - `game`: what is played; `handover`, `faults`, `expiry`: what is done to its cluster
//! - `seeds`: the same again, and in other orders; `outside`: what turns do elsewhere
//! - `mixed`: nodes of two builds

mod crash_proof;
mod dead_letters;
mod expiry;
mod faults;
mod game;
mod handover;
mod killer;
mod mixed;
mod outage;
mod outside;
mod seeds;
mod standstill;
mod swap_out;
