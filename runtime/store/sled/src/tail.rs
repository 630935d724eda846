//! The tail: the number of the last group, kept outside the database.
//!
//! A database whose end was cut off opens without an error, and is only older. The tail is written
//! after each group and before its answers, so a database that is behind it has lost something that
//! was answered. Two slots take turns, so that a torn write leaves the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::layout::sync_dir;
use crate::limits::TAIL_SYNC_GROUPS;

/// One sector each, so that writing one cannot damage the other.
const SLOT_BYTES: u64 = 512;
/// Generation and checksum.
const BYTES: usize = 12;

#[derive(Debug)]
pub(crate) struct Tail {
    file: File,
}

impl Tail {
    /// Creates the file in a directory that has none, synced, so that it outlasts the first group.
    /// It has its name only when it is whole: one that does not read well is damage.
    pub(crate) fn create(path: &Path, generation: u64) -> io::Result<Self> {
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let mut tail = Self { file: options.open(&new)? };
        tail.put(generation)?;
        tail.file.sync_all()?;
        fs::rename(new, path)?;
        sync_dir(path.parent().unwrap_or_else(|| Path::new(".")))?;
        Ok(tail)
    }

    /// The file and its generation; `None` for the latter if neither slot reads well.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<u64>)> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let slots = [read_slot(&mut file, 0)?, read_slot(&mut file, 1)?];
        Ok((Self { file }, slots.into_iter().flatten().max()))
    }

    /// Notes a group that is on the disk.
    pub(crate) fn write(&mut self, generation: u64) -> io::Result<()> {
        self.put(generation)?;
        if generation.is_multiple_of(TAIL_SYNC_GROUPS) { self.sync() } else { Ok(()) }
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn put(&mut self, generation: u64) -> io::Result<()> {
        let generation_bytes = generation.to_be_bytes();
        let checksum = crc32fast::hash(&generation_bytes).to_be_bytes();
        let mut slot = [0; BYTES];
        slot[..8].copy_from_slice(&generation_bytes);
        slot[8..].copy_from_slice(&checksum);
        self.file.seek(SeekFrom::Start(generation % 2 * SLOT_BYTES))?;
        self.file.write_all(&slot)
    }
}

fn read_slot(file: &mut File, slot: u64) -> io::Result<Option<u64>> {
    let mut bytes = Vec::with_capacity(BYTES);
    file.seek(SeekFrom::Start(slot * SLOT_BYTES))?;
    file.take(BYTES as u64).read_to_end(&mut bytes)?;
    let Some((generation, checksum)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let is_whole = crc32fast::hash(generation).to_be_bytes() == *checksum;
    Ok(is_whole.then(|| u64::from_be_bytes(*generation)))
}
