//! Why a run could not be completed.

use std::io;

/// Why a run could not be completed. Nothing of it says that the node is wrong: that is what the
/// counters of a report are for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "{process} needs {needed} open files, the limit here is {limit}: raise it with `ulimit -n` \
         or ask for fewer with {option}"
    )]
    OpenFiles { process: &'static str, needed: u64, limit: u64, option: &'static str },
    #[error("cannot read {path}: {source}")]
    Proc { path: String, source: io::Error },
    #[error("{path} has no line {wanted:?} with a number")]
    ProcLine { path: String, wanted: &'static str },
    #[error("cannot start {role}: {source}")]
    Start { role: String, source: io::Error },
    #[error("{role} ended before it answered; its own message is above")]
    Gone { role: String },
    #[error("{role} did not answer within {seconds} s")]
    Silent { role: String, seconds: u64 },
    #[error("{role} answered {found:?}: {source}")]
    Answer { role: String, found: String, source: serde_json::Error },
    #[error("{option} must be from {from} to {to}, found {found}")]
    Option { option: &'static str, from: u64, to: u64, found: u64 },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("a client could not {what}: {why}")]
    Client { what: &'static str, why: String },
    #[error("the node could not start: {0}")]
    Node(String),
    #[error("the store: {0}")]
    Store(String),
    #[error("no {0} free ports below those that connections are given")]
    Ports(u64),
    #[error("node {number} {what}")]
    Member { number: u32, what: String },
    #[error("cannot draw {path}: {reason}")]
    Plot { path: String, reason: String },
    #[error("the bare echo broke its framing: {0}")]
    Framing(String),
}

impl Error {
    /// For `map_err`: an I/O error and what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
