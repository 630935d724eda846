//! Why a command was not carried out.

use std::io;
use std::path::PathBuf;

use throughline_queue::{DeadLetterError, ReadError};
use throughline_store::CloseError;
use throughline_store_sled::{OpenError, tools::ToolError};

use crate::admin::AskError;

/// Why a command was not carried out. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A store does not open; nothing was changed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A queue could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing was done with a dead letter.
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    /// The store did not close cleanly; nothing was changed.
    #[error(transparent)]
    Close(#[from] CloseError),
    /// A dump did not finish.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A node did not do what was asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The file to write to is there, or cannot be made.
    #[error("cannot write to {path}: {source}; choose a new file")]
    NewFile { path: PathBuf, source: io::Error },
    /// No node has the session.
    #[error(
        "no session {id} at {asked}: it has ended, or is on a node whose --admin was not given"
    )]
    NoSuchSession { id: String, asked: String },
    /// More than one node was named where one was expected.
    #[error(
        "a drain is of one node, and {0} were named: drain them one after the other, so that each \
         one's sessions find a place"
    )]
    OneNode(usize),
    /// The work's thread panicked: our fault.
    #[error("the work ended with a panic; what it printed above says where")]
    Panicked,
    /// Standard output does not take what is written.
    #[error("the output failed: {0}")]
    Output(#[source] io::Error),
    /// The system gave no thread.
    #[error("cannot start: {0}")]
    System(#[source] io::Error),
}

impl Error {
    /// Whether the reader of the output has gone.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let (Self::Output(error) | Self::Tool(ToolError::Output(error))) = self else {
            return false;
        };
        error.kind() == io::ErrorKind::BrokenPipe
    }
}
