//! Why there is no session.

use std::{fmt, io};

use throughline_link::{CloseCode, ImportError};

use crate::address::AddressError;

/// Why [`Client::connect`](crate::Client::connect) or [`Client::resume`](crate::Client::resume)
/// gave no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The node said no. Retrying does not help, unless the game's text says so.
    #[error("refused: {code} {text}")]
    Refused {
        /// Why.
        code: CloseCode,
        /// For a person.
        text: String,
        /// The game's own number, if its login refused.
        game_code: Option<u16>,
    },
    /// No node answered as one should, after all tries. Try again when the player asks for it.
    #[error("no connection after {tries} tries, at last: {last}")]
    Failed {
        /// How many.
        tries: u32,
        /// What the last one failed with.
        last: io::Error,
        /// After a resume: what to resume with the next time, instead of the bytes given.
        saved: Option<SavedSession>,
    },
    /// An address cannot be used: the application's fault.
    #[error("address {address:?}: {why}")]
    BadAddress {
        /// The address, as given.
        address: String,
        /// What is wrong with it.
        why: AddressError,
    },
    /// The options have no address: the application's fault.
    #[error("no address to connect to")]
    NoAddress,
    /// The session kind is missing or too long: the application's fault.
    #[error("a session kind of {bytes} bytes, where 1 to 64 are expected")]
    BadKind {
        /// The length of the kind given.
        bytes: usize,
    },
    /// The bytes to resume with cannot be read.
    #[error("the saved session cannot be read: {0}")]
    BadState(#[from] ImportError),
}

/// What [`Client::export`](crate::Client::export) would have written. It holds the session's
/// secret, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SavedSession(pub(crate) Vec<u8>);

impl SavedSession {
    /// For [`Client::resume`](crate::Client::resume). Keep it like a secret.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SavedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SavedSession(..)")
    }
}
