//! How a store is opened.

use std::path::PathBuf;

use crate::limits::CACHE_BYTES;
use crate::{OpenError, SledStore};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct SledOptions {
    pub(crate) path: PathBuf,
    pub(crate) cache_bytes: u64,
    pub(crate) is_existing: bool,
}

impl SledOptions {
    /// A store in this directory, which is created if it is not there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), cache_bytes: CACHE_BYTES, is_existing: false }
    }

    /// Memory for sled's cache. Default 64 MiB; sled itself may take about twice this.
    pub fn cache_bytes(&mut self, bytes: u64) -> &mut Self {
        self.cache_bytes = bytes;
        self
    }

    /// Refuses a directory without a store, as the tools do, instead of creating one.
    pub fn existing(&mut self) -> &mut Self {
        self.is_existing = true;
        self
    }

    /// Opens the store. Blocks: it reads every record's head and compares them with the seal.
    ///
    /// # Errors
    /// [`OpenError`], which says the way out.
    pub fn open(&self) -> Result<SledStore, OpenError> {
        SledStore::open_with(self)
    }
}
