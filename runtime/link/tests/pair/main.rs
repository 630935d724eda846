//! A client and a node, joined by a simulated network, in virtual time.
//!
//! No clock, no sleep, no thread: [`pair::Pair`] owns the time, and moves it to the next thing that
//! happens. Every message carries its number, and both ends check, as they handle one, that it is
//! the next: exactly once, in order (P1). Every frame written is read again, and nothing may
//! follow a Close. A side that asks to be driven without making progress fails the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod host;
mod message;
mod net;
mod pair;

mod cuts;
mod ends;
mod fixture;
mod half_open;
mod handover;
mod limits;
mod places;
mod properties;
mod resumes;
mod timers;
mod tries;
