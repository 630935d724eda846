//! A store's files, open and verified.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::engine::{Engine, EngineError};
use crate::error::OpenError;
use crate::layout::Layout;
use crate::limits::{CHUNK_BYTES_MAX, PROBE_CHUNKS};
use crate::record::{self, Damage, HEADS, HEADS_END, Head};
use crate::seal::{PROBE_KEY, SEAL_KEY, Seal};
use crate::tail::Tail;

#[cfg(test)]
mod tests;

/// The files of a store, verified.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Engine,
    pub(crate) seal: Seal,
    pub(crate) tail: Tail,
    root: PathBuf,
}

/// Why a record could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Engine(EngineError),
    Damage(Damage),
}

impl From<EngineError> for ReadError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<Damage> for ReadError {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl Opened {
    /// Opens what is there, or creates it, and compares it with its seal and its tail. sled
    /// rewrites a damaged log while it reads it, so a copy is kept until the comparison is done,
    /// and put back if it fails.
    pub(crate) fn open(layout: &Layout, cache_bytes: u64) -> Result<Self, OpenError> {
        let is_there = layout.sled().exists();
        let kept = layout.keep();
        if let Err(error) = &kept
            && is_there
        {
            log::warn!("{} is opened without a copy of it: {error}", layout.root().display());
        }
        let is_kept = kept.is_ok();
        let mut opened = Self::open_as_it_is(layout, cache_bytes);
        match &opened {
            Err(OpenError::Corrupt { .. }) if is_kept => layout.put_back()?,
            _ => layout.forget_kept(),
        }
        if let Err(OpenError::Corrupt { untouched, .. }) = &mut opened {
            *untouched = is_kept || !is_there;
        }
        opened
    }

    /// The same without the copy: for files that this process itself has written, and that may be
    /// short of space.
    pub(crate) fn open_as_it_is(layout: &Layout, cache_bytes: u64) -> Result<Self, OpenError> {
        let (has_database, has_tail) = (layout.sled().exists(), layout.tail().exists());
        if has_tail && !has_database {
            return Err(OpenError::corrupt(layout.root(), "its database is missing"));
        }
        if !has_database {
            create(layout, cache_bytes)?;
        }
        let opened = Self::read(layout, cache_bytes, has_tail)?;
        verify(&opened.engine, opened.seal, layout.root())?;
        Ok(opened)
    }

    fn read(layout: &Layout, cache_bytes: u64, has_tail: bool) -> Result<Self, OpenError> {
        let root = layout.root();
        let failed = |error| OpenError::engine(root, error);
        let engine = Engine::open(&layout.sled(), cache_bytes).map_err(failed)?;
        let stored = engine.get(SEAL_KEY).map_err(failed)?;
        let seal = stored.and_then(|stored| Seal::read(&stored));
        let Some(seal) = seal else {
            return Err(OpenError::corrupt(root, "its database has no seal"));
        };
        let tail = if has_tail {
            compare_tail(layout, seal)?
        } else if seal.generation == 1 {
            // Killed between the two steps of the creation: nothing was answered yet.
            let tail = Tail::create(&layout.tail(), seal.generation);
            tail.map_err(|error| OpenError::io(&layout.tail(), error))?
        } else {
            return Err(OpenError::corrupt(root, "its tail is missing"));
        };
        Ok(Self { engine, seal, tail, root: root.to_owned() })
    }

    /// The store's directory, for what is said about it.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The whole value of a record.
    pub(crate) fn value(&self, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        let Some(stored) = self.engine.get(&record::head_key(key))? else { return Ok(None) };
        self.assemble(key, &stored).map(Some)
    }

    /// The same, with its head.
    pub(crate) fn value_and_head(
        &self,
        key: &[u8],
    ) -> Result<(Option<Bytes>, Option<Head>), ReadError> {
        let Some(stored) = self.engine.get(&record::head_key(key))? else {
            return Ok((None, None));
        };
        let value = self.assemble(key, &stored)?;
        Ok((Some(value), Head::read(&stored).map(|(head, _)| head)))
    }

    pub(crate) fn assemble(&self, key: &[u8], stored: &[u8]) -> Result<Bytes, ReadError> {
        let chunk = |index| Ok(self.engine.get(&record::chunk_key(key, index))?);
        record::assemble(key, stored, chunk)
    }

    /// What a record's head says, without its value.
    pub(crate) fn head(&self, key: &[u8]) -> Result<Option<Head>, ReadError> {
        let Some(stored) = self.engine.get(&record::head_key(key))? else { return Ok(None) };
        match Head::read(&stored) {
            Some((head, _)) => Ok(Some(head)),
            None => Err(Damage("its head").into()),
        }
    }

    /// Writes a group that is built, and returns when it is on the disk. After an error this must
    /// be closed.
    pub(crate) fn write(&mut self, mut batch: sled::Batch, seal: Seal) -> Result<(), EngineError> {
        let seal = Seal { generation: seal.generation + 1, ..seal };
        batch.insert(SEAL_KEY, &seal.write());
        self.engine.apply(batch)?;
        self.tail.write(seal.generation)?;
        self.seal = seal;
        Ok(())
    }

    /// Writes and removes as much as a large commit has. After an error this must be closed.
    pub(crate) fn probe(&mut self) -> Result<(), EngineError> {
        let (mut fill, mut clear) = (sled::Batch::default(), sled::Batch::default());
        for index in 0..PROBE_CHUNKS {
            let key = [PROBE_KEY, &index.to_be_bytes()].concat();
            fill.insert(&key[..], &[0x55; CHUNK_BYTES_MAX][..]);
            clear.remove(key);
        }
        self.engine.apply(fill)?;
        self.write(clear, self.seal)
    }

    pub(crate) fn close(self) -> Result<(), EngineError> {
        let synced = self.tail.sync();
        self.engine.close()?;
        Ok(synced?)
    }
}

/// Builds an empty database beside its place, so that a kill leaves all or nothing of it.
fn create(layout: &Layout, cache_bytes: u64) -> Result<(), OpenError> {
    let fresh = layout.fresh()?;
    build(&fresh, cache_bytes, Seal { generation: 1, ..Seal::default() }, |_| Ok(()))
        .map_err(|error| OpenError::engine(layout.root(), error))?;
    layout.install()
}

/// Builds a database in `dir` and syncs all of it. `fill` writes what it is to hold, as the seal
/// says.
pub(crate) fn build(
    dir: &Path,
    cache_bytes: u64,
    seal: Seal,
    fill: impl FnOnce(&Engine) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let engine = Engine::open(dir, cache_bytes)?;
    fill(&engine)?;
    let mut batch = sled::Batch::default();
    batch.insert(SEAL_KEY, &seal.write());
    engine.apply(batch)?;
    engine.sync_all()?;
    engine.close()
}

fn compare_tail(layout: &Layout, seal: Seal) -> Result<Tail, OpenError> {
    let opened = Tail::open(&layout.tail());
    let (tail, generation) = opened.map_err(|error| OpenError::io(&layout.tail(), error))?;
    match generation {
        Some(generation) if seal.generation >= generation => Ok(tail),
        Some(generation) => {
            let lost = generation - seal.generation;
            Err(OpenError::corrupt(layout.root(), format!("its last {lost} groups are missing")))
        }
        None => Err(OpenError::corrupt(layout.root(), "its tail is unreadable")),
    }
}

/// Counts and sums the heads of all records. Values are compared with theirs whenever read.
fn verify(engine: &Engine, seal: Seal, root: &Path) -> Result<(), OpenError> {
    let (mut records, mut digest, mut damaged) = (0_u64, 0_u64, 0_u64);
    let counted = engine.each(HEADS, HEADS_END, |_, stored| {
        match Head::read(stored) {
            Some((head, _)) => digest = digest.wrapping_add(head.digest()),
            None => damaged += 1,
        }
        records += 1;
        Ok(true)
    });
    counted.map_err(|error| OpenError::engine(root, error))?;
    if records != seal.records {
        let detail = format!("it has {records} records, its seal says {}", seal.records);
        return Err(OpenError::corrupt(root, detail));
    }
    if digest != seal.digest || damaged > 0 {
        return Err(OpenError::corrupt(root, "its records are not those of its seal"));
    }
    Ok(())
}
