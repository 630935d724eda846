//! Why a store does not open, with the way out.

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::EngineError;

/// Why a store on disk could not be opened. Only a database that is damaged, and that could not be
/// copied first, may have been changed by the try: [`Corrupt`](Self::Corrupt) says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle in this one, has it open: who started it twice.
    /// Retrying helps once that one has ended.
    #[error(
        "the store at {path} is in use by process {holder}: stop that one, or choose another path"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that wrote its number into the lock, or "unknown".
        holder: String,
    },
    /// Written by a newer version of this program. Nothing is wrong with it.
    #[error(
        "the store at {path} has format {found}, this program reads up to {known}: \
         start the newer version again, or choose another path"
    )]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that this build reads.
        known: u32,
    },
    /// The directory holds other things: the path is wrong.
    #[error("{path} is no store but holds \"{found}\": choose an empty or a new directory")]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// One of the things it holds.
        found: String,
    },
    /// What is on disk is not what was written: a fault of the disk, or of who changed or copied
    /// the files. Retrying does not help.
    #[error(
        "the store at {path} is damaged ({detail}); {}: move it away and put the last backup in \
         its place; what can still be read comes out with a dump",
        touched(*untouched)
    )]
    Corrupt {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        detail: String,
        /// Its files are as they were: a copy was put back, or none was opened. Not so if there was
        /// no space for the copy: sled changes a damaged log while it reads it.
        untouched: bool,
    },
    /// No space: nothing was lost. Retrying helps once there is.
    #[error("no space on the disk of {path}: free some, and try again")]
    DiskFull {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused something: rights, a missing disk.
    #[error("the store at {path} cannot be opened: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

const fn touched(untouched: bool) -> &'static str {
    match untouched {
        true => "its files are as they were",
        false => "it could not be copied first, so the try may have changed its files",
    }
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            return Self::DiskFull { path: path.to_owned() };
        }
        Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), detail: detail.into(), untouched: false }
    }

    pub(crate) fn engine(path: &Path, error: EngineError) -> Self {
        match error {
            EngineError::Io(source) => Self::io(path, source),
            EngineError::Damaged(detail) => Self::corrupt(path, detail),
        }
    }
}

/// Whether a write failed for want of space: a full disk, a quota, or a limit on file sizes.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
