//! The engines of stores with nothing around them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

use crate::error::Error;

/// What gives the next record.
pub(crate) type Next<'a> = &'a mut dyn FnMut() -> Result<(Bytes, Bytes), Error>;

/// An engine.
pub(crate) trait Raw {
    /// Writes so many records at once. All of them are durable then.
    fn write(&mut self, records: u64, next: Next<'_>) -> Result<(), Error>;

    /// Removes all that was written.
    fn remove(self: Box<Self>) -> Result<(), Error>;
}

/// An engine of its own, with nothing in it: of PostgreSQL if there is an address of one, or else
/// sled's in this folder.
pub(crate) fn open(postgres: Option<&str>, path: &Path) -> Result<Box<dyn Raw>, Error> {
    Ok(match postgres {
        Some(address) => Box::new(RawPostgres::open(address)?),
        None => Box::new(RawSled::open(path)?),
    })
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Store(error.to_string())
}

/// That of the store.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// sled: a batch, its flush, and the sync that sled leaves out.
#[derive(Debug)]
struct RawSled {
    path: PathBuf,
    db: sled::Db,
    log: File,
}

impl RawSled {
    fn open(path: &Path) -> Result<Self, Error> {
        let config =
            sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = config.open().map_err(failed)?;
        let log = File::options().write(true).open(path.join("db"));
        let log = log.map_err(Error::io("opening sled's file"))?;
        Ok(Self { path: path.to_owned(), db, log })
    }
}

impl Raw for RawSled {
    fn write(&mut self, records: u64, next: Next<'_>) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for _ in 0..records {
            let (key, value) = next()?;
            batch.insert(&*key, &*value);
        }
        self.db.apply_batch(batch).map_err(failed)?;
        self.db.flush().map_err(failed)?;
        self.log.sync_data().map_err(Error::io("syncing sled's file"))
    }

    fn remove(self: Box<Self>) -> Result<(), Error> {
        let path = self.path.clone();
        drop(self);
        fs::remove_dir_all(path).map_err(Error::io("removing a slice"))
    }
}

/// PostgreSQL: one statement with all records in arrays, into a table of its own.
struct RawPostgres {
    runtime: Runtime,
    client: Client,
    statement: tokio_postgres::Statement,
}

/// A table for what is measured, with the columns and the key of the store's.
const CREATE: &str = "
    drop table if exists raw_engine;
    create table raw_engine (key bytea primary key, value bytea not null);
    alter table raw_engine alter column value set storage external";

const WRITE: &str = "
    insert into raw_engine select * from unnest($1::bytea[], $2::bytea[])
    on conflict (key) do update set value = excluded.value";

impl RawPostgres {
    fn open(address: &str) -> Result<Self, Error> {
        let words = address.strip_prefix("postgres:").unwrap_or(address);
        // The first of several hosts that takes writes, as the store does.
        let mut config: Config = words.parse().map_err(failed)?;
        config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::io("starting a runtime"))?;
        let opened = runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await?;
            // It ends with the client.
            tokio::spawn(connection);
            client.batch_execute(CREATE).await?;
            let statement = client.prepare(WRITE).await?;
            Ok::<_, tokio_postgres::Error>((client, statement))
        });
        let (client, statement) = opened.map_err(failed)?;
        Ok(Self { runtime, client, statement })
    }
}

impl Raw for RawPostgres {
    fn write(&mut self, records: u64, next: Next<'_>) -> Result<(), Error> {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for _ in 0..records {
            let (key, value) = next()?;
            keys.push(key);
            values.push(value);
        }
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
        let (client, statement) = (&self.client, &self.statement);
        let written = async { client.execute(statement, &[&keys, &values]).await };
        self.runtime.block_on(written).map(drop).map_err(failed)
    }

    fn remove(self: Box<Self>) -> Result<(), Error> {
        let removed = self.client.batch_execute("drop table raw_engine");
        self.runtime.block_on(removed).map_err(failed)
    }
}
