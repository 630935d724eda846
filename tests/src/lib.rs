//! The harness that Throughline's tests and its `load` program share.
//!
//! It holds what stands between a client and a node in a test; it holds no test of a promise
//! itself.
//!
//! # Layout
//! - [`proxy`]: a TCP proxy with seeded faults.

#![forbid(unsafe_code)]

pub mod proxy;
