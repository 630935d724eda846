//! The link protocol of Throughline, both sides, as pure state machines.
//!
//! It numbers messages, acknowledges them, retains what is not acknowledged and resumes a session
//! over a new connection. It does no I/O, reads no clock, draws no randomness and starts no task:
//! bytes, time and seeds are arguments. `docs/protocol.md` is the specification.
//!
//! # Use
//!
//! [`ClientLink`] and [`NodeLink`] have the same grammar: `handle_*` takes what happened, then
//! [`poll_transmit`](NodeLink::poll_transmit), `poll_event` and `poll_timeout` are drained, in
//! this order, until they have nothing more. Time never goes back between two calls.
//!
//! # Layout
//!
//! - `wire`: every number of the protocol; `code`: the close codes
//! - `frame`, `frame/*`: the frames, one family per file; `extension`: their lists
//! - `reader`, `writer`: bounds-checked integers; `proof`: the HMAC of a resume
//! - `retained`: messages not acknowledged yet; `numbering`: both directions of one session
//! - `client`, `node`: the two sides; `backoff`: when a client tries again
//! - `defaults`, `config`: the limits, with their reasons; `time`, `id`: values

#![forbid(unsafe_code)]

mod backoff;
mod client;
mod clock;
mod code;
mod config;
pub mod defaults;
mod extension;
mod frame;
mod id;
mod node;
mod numbering;
mod proof;
mod reader;
mod retained;
mod time;
pub mod wire;
mod writer;

pub use backoff::Backoff;
pub use client::{ClientEvent, ClientLink, Dial, Stats};
pub use code::{Advice, CloseCode};
pub use config::{AddressOrder, ClientConfig, LinkConfig};
pub use extension::{Extension, Extensions};
pub use frame::{
    Close, Data, Frame, FrameError, Hello, Refused, Restarting, Resume, Split, Texts, Welcome,
    split,
};
pub use id::{Secret, SessionId};
pub use node::{Answer, NodeEvent, NodeLink};
pub use numbering::{Incoming, Numbering, SendError, Violation};
pub use proof::{proof, verify};
pub use reader::Short;
pub use time::Instant;

/// Why bytes exported earlier could not be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Written by a newer version of this crate. Nothing is wrong with the bytes.
    #[error("link state has version {found}, this build reads up to {known}")]
    Newer {
        /// The version found.
        found: u8,
        /// The newest version this build reads.
        known: u8,
    },
    /// Cut short, or with something behind its end: damaged where it was kept.
    #[error("link state is damaged: {0}")]
    Damaged(&'static str),
}
