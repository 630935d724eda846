//! The harness that Throughline's tests and its `load` program share.
//!
//! It holds what stands between a client and a node in a test, and what starts the project's
//! binaries; it holds no test of a promise itself.
//!
//! # Layout
//! - [`proxy`]: a TCP proxy with seeded faults.
//! - [`program`]: the binaries as an operator meets them.
//! - [`watch`]: waiting for what other threads and processes do.

#![forbid(unsafe_code)]

pub mod program;
pub mod proxy;
pub mod watch;

#[cfg(doctest)]
#[doc = include_str!("../../docs/coming-from.md")]
struct ComingFrom;
