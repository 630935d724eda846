//! The promises of the runtime, each shown on a real node with real sockets.
//!
//! # Layout
//! - `game`, `kinds`, `pigeon`: what is played; `journal`: what its hooks saw
//! - `player`: the client library's side; `raw`: frames written by hand, over TCP or WebSocket
//! - `cluster`: several nodes in this process, over a hub or over stores that can be held up
//! - `logs`: what the node logs
//! - `p1_*` to `p10_*`: the promises; `bad_input`, `groups`, `handover`, `session_life`, `node`,
//!   `operators`, `postgres`, `process`: what else is documented

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod bad_input;
mod cluster;
mod game;
mod groups;
mod handover;
mod journal;
mod kinds;
mod local_cluster;
mod logs;
mod node;
mod operators;
mod p10_nothing_gets_in;
mod p1_exactly_once;
mod p2_failed_turns;
mod p2_no_silent_hole;
mod p3_one_owner;
mod p4_graceful_stop;
mod p5_any_node;
mod p6_queues_keep;
mod p8_acknowledged_means_durable;
mod p9_bounded;
mod pigeon;
mod player;
mod postgres;
mod process;
mod raw;
mod session_life;

use throughline_tests::watch;
