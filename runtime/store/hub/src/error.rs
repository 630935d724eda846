//! Why a hub could not be served, and why a client could not connect.

use std::io;
use std::path::PathBuf;

use crate::Address;

/// Why a hub does not serve. Nothing is listening when one of these is answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// No address was given: the caller's fault.
    #[error("the hub has no address to listen on")]
    NoAddress,
    /// Other machines could reach this address: the caller's fault.
    #[error("a hub listens on loopback only, and {address} is not: use 127.0.0.1, ::1 or a socket")]
    NotLoopback {
        /// The address.
        address: Address,
    },
    /// Another process serves this address. Stop it, or choose another address.
    #[error("{address} is served by another process")]
    InUse {
        /// The address.
        address: Address,
    },
    /// There is a file of another kind at the socket's path; it was left alone. Choose another
    /// path, or remove it.
    #[error("{} is not a socket", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refused: the environment's fault.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: Address,
        /// Why.
        source: io::Error,
    },
}

/// Why a client could not connect for the first time. Later on it connects by itself, and its
/// calls answer `Down` with the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The hub has another secret. Retrying does not help.
    #[error("the hub at {address} refuses this secret")]
    WrongSecret {
        /// The hub's address.
        address: Address,
    },
    /// Who listens there cannot prove the secret, so it is not the hub. Retrying does not help.
    #[error("who listens at {address} does not know the secret of the hub")]
    NotTheHub {
        /// The hub's address.
        address: Address,
    },
    /// The hub speaks no version that this client speaks. Update the older of the two.
    #[error("the hub at {address} speaks another version: {text}")]
    Version {
        /// The hub's address.
        address: Address,
        /// What it said.
        text: String,
    },
    /// The hub was away, or full, for as long as a call waits. Retrying helps, later.
    #[error("the hub at {address} is away: {reason}")]
    Away {
        /// The hub's address.
        address: Address,
        /// What the last try met.
        reason: String,
    },
    /// The system gave no thread or no sockets: the environment's fault.
    #[error("cannot start the client of a hub: {source}")]
    Start {
        /// Why.
        source: io::Error,
    },
}
