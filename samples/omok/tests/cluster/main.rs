//! Whole games on a cluster of nodes, in virtual time: whatever becomes of the nodes, the game goes
//! on, and ends with the right winner.
//!
//! # Layout
//! - `player`: a player of the tests, who checks what it is told
//! - `moves`: nodes are drained, sessions handed over, clocks run out, in the middle of games
//! - `kills`: nodes are killed in the middle of games
//! - `meets`: players find each other over nodes; `ends`: matches that end otherwise

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod ends;
mod kills;
mod meets;
mod moves;
mod player;
