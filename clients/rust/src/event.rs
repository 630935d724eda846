//! What a client tells its application.

use std::time::Duration;

use bytes::Bytes;
use throughline_link::CloseCode;

/// What happened in a session, in the order in which it did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The node's next message. It is a part of the read buffer, up to 64 KiB, which lives as long
    /// as the message: copy what is kept for long.
    Message(Bytes),
    /// The connection broke; the client repairs it by itself while it is driven.
    RepairStarted,
    /// The session goes on over a new connection, with nothing lost.
    Repaired {
        /// How long the connection was broken.
        after: Duration,
    },
    /// The client gave up; nothing is lost yet. Only `retry` tries again, and only the player
    /// should ask for it: clients that retry for ever kill a slow server.
    RepairFailed,
    /// The node is about to go; the client comes back elsewhere by itself.
    Restarting {
        /// When.
        reconnect_in: Duration,
    },
    /// The session is over for this client, with the reason and a text for a person. Comes after
    /// every message. A session does not come back: retrying does not help.
    Ended(CloseCode, String),
}
