//! sled with nothing around it: a batch, its flush, and the sync that sled leaves out.

use std::fs::File;
use std::path::Path;

use crate::error::Error;

/// That of the store.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// A database, and its file for the sync.
#[derive(Debug)]
pub(crate) struct RawSled {
    db: sled::Db,
    log: File,
}

fn failed(error: sled::Error) -> Error {
    Error::Store(error.to_string())
}

impl RawSled {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let config =
            sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = config.open().map_err(failed)?;
        let log = File::options().write(true).open(path.join("db"));
        Ok(Self { db, log: log.map_err(Error::io("opening sled's file"))? })
    }

    /// All of it is durable then.
    pub(crate) fn write(&self, batch: sled::Batch) -> Result<(), Error> {
        self.db.apply_batch(batch).map_err(failed)?;
        self.db.flush().map_err(failed)?;
        self.log.sync_data().map_err(Error::io("syncing sled's file"))
    }
}
