//! Why a node does not start.

use std::io;
use std::net::SocketAddr;

use crate::config::ConfigError;

/// What is wrong with what the game registered. The game's fault; found at every start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Nothing to serve.
    #[error("no session kind is registered: call .sessions::<YourSession>()")]
    NoKinds,
    /// Two types with one name: of sessions, of VActors, or of both.
    #[error("kind `{0}` is registered twice")]
    Duplicate(&'static str),
    /// A name that does not fit into a Hello.
    #[error("the kind `{0}` has {len} bytes, where 1 to 64 are expected", len = .0.len())]
    BadName(&'static str),
    /// A kind of VActors that nobody can ask anything.
    #[error("the VActor kind `{0}` has no messages: list them with messages!")]
    NoMessages(&'static str),
    /// Two messages of a kind with one name.
    #[error("message `{message}` of VActor kind `{kind}` is there twice")]
    DuplicateMessage {
        /// The kind.
        kind: &'static str,
        /// The name.
        message: &'static str,
    },
    /// The name of a message is empty or too long.
    #[error(
        "the message `{message}` of VActor kind `{kind}` has {len} bytes, where 1 to 64 are \
         expected",
        len = message.len()
    )]
    BadMessageName {
        /// The kind.
        kind: &'static str,
        /// The name.
        message: &'static str,
    },
    /// `listen.kinds` names what the game does not have.
    #[error("listen.kinds names `{found}`; this game has: {known}")]
    UnknownKind {
        /// The name in the configuration.
        found: String,
        /// The names registered.
        known: String,
    },
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The game registered something wrong.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port is taken, or an address is not this machine's.
    #[error("cannot listen on {address}: {source}; another address is set with --{flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting that changes it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The store did not open, or the cluster's secret is missing. The text says the way out.
    #[error("{text}")]
    Store {
        /// What was wrong.
        text: String,
    },
    /// Another process is alive under this node's number, or the store does not answer.
    #[error(
        "node {number} could not join its cluster: another process of this number \
         (cluster.node) is alive, or the store does not answer"
    )]
    Join {
        /// The number.
        number: u32,
    },
    /// The listener for other nodes (`cluster.listen`) could not be opened.
    #[error("{text}; another address is set with --cluster.listen")]
    Peers {
        /// What was wrong.
        text: String,
    },
    /// The system gave no thread, or no random numbers.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
