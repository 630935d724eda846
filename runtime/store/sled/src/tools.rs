//! What an operator does with a store that nobody has open: check, dump, compact, backup.
//!
//! Each takes the store's lock, so a store in use is refused, and none changes a record.

use std::io::{self, Write};
use std::path::Path;

use crate::OpenError;
use crate::engine::{Engine, EngineError};
use crate::layout::{Layout, dir_bytes};
use crate::limits::{CACHE_BYTES, GROUP_BYTES_MAX};
use crate::opened::{Opened, ReadError, build};
use crate::record::{self, CHUNKS, CHUNKS_END, HEADS, HEADS_END};
use crate::tail::Tail;

/// So many damaged records are named; the others are counted.
const NAMED_MAX: usize = 100;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Records read well.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Bytes of the directory.
    pub disk_bytes: u64,
    /// Groups written since the store was created.
    pub generation: u64,
    /// Records that are damaged.
    pub damaged: u64,
    /// The first hundred of them: the key, escaped, and what is wrong.
    pub named: Vec<(String, &'static str)>,
    /// Chunks that belong to no record.
    pub stray_chunks: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.damaged == 0 && self.stray_chunks == 0
    }
}

/// Why a tool did not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// The store, or the directory to write to, does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The output did not take what was written: its fault. The store is as it was.
    #[error("the output failed: {0}")]
    Output(io::Error),
}

/// Reads every record and compares it with its checksum, and all of them with the seal.
///
/// # Errors
/// The store does not open; [`OpenError::Corrupt`] if it is not what its seal says.
pub fn check(path: impl AsRef<Path>) -> Result<Report, OpenError> {
    let layout = Layout::existing(path.as_ref())?;
    let opened = Opened::open(&layout, CACHE_BYTES)?;
    let mut report = Report { generation: opened.seal.generation, ..Report::default() };
    let failed = |error| OpenError::engine(layout.root(), error);
    let mut chunks = 0;
    let read = read_all(&opened.engine, &mut report, |_, value| {
        chunks += u64::from(record::Head::of(&[], value).further_chunks());
        Ok(())
    });
    read.map_err(failed)?;
    let mut found = 0_u64;
    let counted = opened.engine.each(CHUNKS, CHUNKS_END, |_, _| {
        found += 1;
        Ok(true)
    });
    counted.map_err(failed)?;
    // The chunks of a damaged record belong to it, however many they are.
    report.stray_chunks = if report.damaged == 0 { found.abs_diff(chunks) } else { 0 };
    opened.close().map_err(failed)?;
    report.disk_bytes = dir_bytes(layout.root()).map_err(|e| OpenError::io(layout.root(), e))?;
    Ok(report)
}

/// Bytes of the directory, also of a store that is open.
///
/// # Errors
/// The system refused something.
pub fn disk_bytes(path: impl AsRef<Path>) -> Result<u64, OpenError> {
    let path = path.as_ref();
    dir_bytes(path).map_err(|error| OpenError::io(path, error))
}

/// Writes every record that can be read as a line: the key with escapes, a tab, the value in
/// hexadecimal. A damaged one becomes a line that begins with `#`. Works on a store that does not
/// open, as far as sled still reads it. Needs space for a copy of the store, which is what it
/// reads: sled would change a damaged log.
///
/// # Errors
/// The database does not open at all, there is no space, or the output fails. The store is as it
/// was.
pub fn dump(path: impl AsRef<Path>, output: &mut dyn Write) -> Result<Report, ToolError> {
    let layout = Layout::existing(path.as_ref())?;
    let dumped = dump_copy(&layout, output);
    layout.forget_kept();
    dumped
}

pub(crate) fn dump_copy(layout: &Layout, output: &mut dyn Write) -> Result<Report, ToolError> {
    // What sled does to a damaged log does not matter there.
    layout.keep().map_err(|error| OpenError::io(layout.root(), error))?;
    let failed = |error| OpenError::engine(layout.root(), error);
    let engine = Engine::open(&layout.kept(), CACHE_BYTES).map_err(failed)?;
    let mut report = Report::default();
    let mut output_error = None;
    let read = read_all(&engine, &mut report, |key, value| {
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(output, "{}\t{hex}", key.escape_ascii()).map_err(|error| {
            output_error = Some(error);
            EngineError::Damaged("the output failed".to_owned())
        })
    });
    if let Some(error) = output_error {
        return Err(ToolError::Output(error));
    }
    read.map_err(failed)?;
    for (key, what) in &report.named {
        writeln!(output, "# {key}: {what} is wrong").map_err(ToolError::Output)?;
    }
    engine.close().map_err(failed)?;
    Ok(report)
}

/// Writes the records into a new database and puts it in the place of the old one. Needs space for
/// both. Ended at any moment, the store is the old one or the new one. Returns the bytes of the
/// directory before and after.
///
/// # Errors
/// The store does not open, a record is damaged, or there is no space. The store is as it was.
pub fn compact(path: impl AsRef<Path>) -> Result<(u64, u64), OpenError> {
    let layout = Layout::existing(path.as_ref())?;
    let size = || dir_bytes(layout.root()).map_err(|e| OpenError::io(layout.root(), e));
    let opened = Opened::open(&layout, CACHE_BYTES)?;
    let before = size()?;
    copy(&layout, &opened, &layout)?;
    opened.close().map_err(|error| OpenError::engine(layout.root(), error))?;
    layout.install()?;
    Ok((before, size()?))
}

/// Copies the store into a new or empty directory. The copy opens as a store; it is complete when
/// this returns, and does not open before.
///
/// # Errors
/// The store does not open or a record is damaged, or the directory to write to is not empty or
/// has no space.
pub fn backup(path: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), OpenError> {
    let layout = Layout::existing(path.as_ref())?;
    let opened = Opened::open(&layout, CACHE_BYTES)?;
    let target = Layout::create(to.as_ref())?;
    if target.sled().exists() || target.tail().exists() {
        let (path, found) = (to.as_ref().to_owned(), "a store".to_owned());
        return Err(OpenError::NotAStore { path, found });
    }
    // The tail comes first: until the database is there, too, the copy does not open.
    let tail = Tail::create(&target.tail(), opened.seal.generation);
    tail.map_err(|error| OpenError::io(target.root(), error))?;
    copy(&layout, &opened, &target)?;
    target.install()?;
    opened.close().map_err(|error| OpenError::engine(layout.root(), error))
}

/// Builds a database with the same records, each compared with its checksum, and the same seal.
fn copy(layout: &Layout, opened: &Opened, target: &Layout) -> Result<(), OpenError> {
    let fresh = target.fresh()?;
    let mut report = Report::default();
    let built = build(&fresh, CACHE_BYTES, opened.seal, |engine| {
        let (mut batch, mut bytes) = (sled::Batch::default(), 0);
        read_all(&opened.engine, &mut report, |key, value| {
            bytes += key.len() + value.len();
            for entry in record::entries(key, value).1 {
                batch.insert(entry.key, entry.stored);
            }
            if bytes < GROUP_BYTES_MAX {
                return Ok(());
            }
            bytes = 0;
            engine.apply(std::mem::take(&mut batch))
        })?;
        engine.apply(batch)
    });
    built.map_err(|error| OpenError::engine(target.root(), error))?;
    match report.named.first() {
        Some((key, what)) => {
            let detail = format!("{what} of the record \"{key}\" is wrong");
            Err(OpenError::corrupt(layout.root(), detail))
        }
        None => Ok(()),
    }
}

/// Calls `each` with every record that reads well, and counts the others.
fn read_all(
    engine: &Engine,
    report: &mut Report,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    engine.each(HEADS, HEADS_END, |head_key, stored| {
        let key = record::key_of_head(head_key);
        let chunk = |index| Ok(engine.get(&record::chunk_key(key, index))?);
        match record::assemble(key, stored, chunk) {
            Ok(value) => {
                report.records += 1;
                report.bytes += (key.len() + value.len()) as u64;
                each(key, &value)?;
            }
            Err(ReadError::Engine(error)) => return Err(error),
            Err(ReadError::Damage(damage)) => {
                report.damaged += 1;
                if report.named.len() < NAMED_MAX {
                    report.named.push((key.escape_ascii().to_string(), damage.0));
                }
            }
        }
        Ok(true)
    })
}
