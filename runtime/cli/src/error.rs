//! Why a command was not carried out.

use std::io;
use std::path::PathBuf;

use throughline_queue::{DeadLetterError, ReadError};
use throughline_store::{CloseError, CommitError, GetError, ScanError};
use throughline_store_hub::{AddressError, ConnectError};
use throughline_store_postgres::{OpenError as DatabaseError, OptionsError};
use throughline_store_sled::{OpenError, tools::ToolError};

use crate::{admin::AskError, copy::CopyError};

/// Why a command was not carried out. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A store does not open; nothing was changed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address of a database is none, or the cluster's name is none.
    #[error(transparent)]
    Options(OptionsError),
    /// A password where every list of processes shows it.
    #[error(
        "the address has a password in it, where every list of processes shows it: take it out, \
         and put it into a file for --password-file"
    )]
    PasswordInAddress,
    /// A database does not open; no record was changed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The file with the password is none.
    #[error("cannot take the password from {path}: {source}")]
    PasswordFile { path: PathBuf, source: io::Error },
    /// The file with the secret is none.
    #[error("cannot take the secret from {path}: {source}")]
    SecretFile { path: PathBuf, source: io::Error },
    /// A hub lends its store to nobody without the secret.
    #[error(
        "a hub lends its store to who knows the cluster's secret: --secret-file names its file"
    )]
    NoSecret,
    /// The address of a hub is none.
    #[error(transparent)]
    HubAddress(#[from] AddressError),
    /// A hub does not lend its store to this program.
    #[error(transparent)]
    HubAway(#[from] ConnectError),
    /// What needs the whole store, or its files, while a hub lends it to nodes.
    #[error(
        "this is for a store that nobody uses: a hub has it, so stop it, and name its directory"
    )]
    HubHasIt,
    /// What is done to files was asked for in a database.
    #[error("this is for a store on disk; for a database there is {instead}")]
    NoDirectory { instead: &'static str },
    /// A store could not be read to its end.
    #[error("cannot read {at}: {source}")]
    Scan { at: String, source: ScanError },
    /// The same, for one record.
    #[error("cannot read {at}: {source}")]
    Get { at: String, source: GetError },
    /// A store does not take what is written.
    #[error("cannot write to {at}: {source}; started again, a copy goes on where it was")]
    Commit { at: String, source: CommitError },
    /// A store was not copied; it is as it was.
    #[error(transparent)]
    Copy(Box<CopyError>),
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

impl From<OptionsError> for Error {
    fn from(error: OptionsError) -> Self {
        match error {
            OptionsError::PasswordInAddress => Self::PasswordInAddress,
            error => Self::Options(error),
        }
    }
}

impl From<CopyError> for Error {
    fn from(error: CopyError) -> Self {
        Self::Copy(Box::new(error))
    }
}

impl Error {
    /// Whether the command line is wrong, in a way that is seen only when it is carried out.
    pub(crate) const fn is_of_command_line(&self) -> bool {
        matches!(
            self,
            Self::Options(_)
                | Self::PasswordInAddress
                | Self::NoSecret
                | Self::HubAddress(_)
                | Self::HubHasIt
                | Self::NoDirectory { .. }
        )
    }

    /// Whether the reader of the output has gone.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let (Self::Output(error) | Self::Tool(ToolError::Output(error))) = self else {
            return false;
        };
        error.kind() == io::ErrorKind::BrokenPipe
    }
}
