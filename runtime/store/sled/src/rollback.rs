//! The rollback journal of an open: the end of sled's log, as it was before sled recovered it.
//!
//! sled's recovery writes a snapshot, and then overwrites what the snapshot makes superfluous in
//! the same log, without syncing the snapshot's name first. A loss of power in between can keep
//! what was overwritten and lose the snapshot: then sled misses a segment among the last ones,
//! takes the log for torn there, and drops what is after it. So what recovery may need again is
//! written beside the log first, and an open that was interrupted is undone by the next one, as a
//! database undoes a transaction by its journal (<https://www.sqlite.org/atomiccommit.html>).
//!
//! What is needed again: the segments from the one on that the highest stable number in any
//! segment's head is in. sled demands these without a gap (`check_contiguity_in_unstable_tail` of
//! sled 0.34); older ones may be missing, since all that was in them stands in later ones, too.
//!
//! ```text
//! magic, then for each segment: offset (8), length (8), bytes; then a CRC-32 of all (4)
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::layout::sync_dir;

const MAGIC: &[u8; 24] = b"throughline rollback 1\r\n";
/// sled's unit of space, which this store does not change.
const SEGMENT_BYTES: usize = 512 * 1024;
/// CRC-32, number of the segment, stable number; the last two are stored inverted.
const HEAD_BYTES: usize = 20;
const INVERTED: i64 = i64::MAX;
const CRC_BYTES: u64 = 4;
const MAGIC_BYTES: u64 = MAGIC.len() as u64;

/// The place of the journal in sled's directory, which ignores files that it does not know.
#[derive(Debug)]
pub(crate) struct Rollback {
    dir: PathBuf,
}

impl Rollback {
    /// Undoes an open that was interrupted, or else keeps what this one may overwrite. On the disk
    /// when it returns.
    pub(crate) fn begin(dir: &Path) -> io::Result<Self> {
        let rollback = Self { dir: dir.to_owned() };
        if rollback.path().exists() {
            rollback.undo()?;
        } else if rollback.log().exists() {
            rollback.keep()?;
        }
        Ok(rollback)
    }

    /// Ends an open whose files are on the disk, so that it is not undone any more.
    pub(crate) fn end(self) -> io::Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_dir(&self.dir),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join("rollback")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("db")
    }

    fn keep(&self) -> io::Result<()> {
        let log = File::open(self.log())?;
        let segments = last_segments(&log)?;
        if segments.is_empty() {
            return Ok(());
        }
        let new = self.dir.join("rollback.new");
        if let Err(error) = write(&new, &log, segments) {
            // A full disk: what is there of it only takes space.
            let _ = fs::remove_file(new);
            return Err(error);
        }
        fs::rename(new, self.path())?;
        sync_dir(&self.dir)
    }

    fn undo(&self) -> io::Result<()> {
        log::info!("an open of {} was interrupted; it is undone", self.dir.display());
        // The name may be there and not on the disk, and this may be interrupted, too.
        sync_dir(&self.dir)?;
        let file = File::open(self.path())?;
        let bytes = file.metadata()?.len().checked_sub(MAGIC_BYTES + CRC_BYTES);
        let bytes = bytes.ok_or_else(|| self.damaged())?;
        self.check(&file, bytes)?;
        let log = OpenOptions::new().write(true).open(self.log())?;
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(MAGIC_BYTES))?;
        let mut entries = file.take(bytes);
        let mut segment = Vec::new();
        while entries.limit() > 0 {
            let (offset, length) = (read_u64(&mut entries)?, read_u64(&mut entries)?);
            segment.clear();
            (&mut entries).take(length).read_to_end(&mut segment)?;
            log.write_all_at(&segment, offset)?;
        }
        log.sync_all()
    }

    /// Reads all of it before anything is overwritten.
    fn check(&self, file: &File, bytes: u64) -> io::Result<()> {
        let mut summed = Summed::new(io::sink());
        let mut file = BufReader::new(file);
        io::copy(&mut (&mut file).take(MAGIC_BYTES + bytes), &mut summed)?;
        let mut crc = [0; CRC_BYTES as usize];
        file.read_exact(&mut crc)?;
        let is_whole = summed.crc.finalize() == u32::from_be_bytes(crc);
        if is_whole { Ok(()) } else { Err(self.damaged()) }
    }

    fn damaged(&self) -> io::Error {
        let text = format!("{} is not what was written there", self.path().display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

/// Writes these segments of the log, synced.
fn write(path: &Path, log: &File, segments: Vec<u64>) -> io::Result<()> {
    let mut file = Summed::new(BufWriter::new(File::create(path)?));
    file.write_all(MAGIC)?;
    let mut segment = vec![0; SEGMENT_BYTES];
    for offset in segments {
        let length = read_at(log, &mut segment, offset)?;
        file.write_all(&offset.to_be_bytes())?;
        file.write_all(&(length as u64).to_be_bytes())?;
        file.write_all(&segment[..length])?;
    }
    let crc = file.crc.clone().finalize();
    file.write_all(&crc.to_be_bytes())?;
    file.inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Where the segments are that recovery must find without a gap.
fn last_segments(log: &File) -> io::Result<Vec<u64>> {
    let (mut segments, mut stable) = (Vec::new(), 0);
    let mut offset = 0;
    let bytes = log.metadata()?.len();
    while offset < bytes {
        let mut head = [0; HEAD_BYTES];
        if read_at(log, &mut head, offset)? == HEAD_BYTES
            && let Some((number, in_head)) = read_head(&head)
        {
            stable = stable.max(in_head);
            segments.push((number, offset));
        }
        offset += SEGMENT_BYTES as u64;
    }
    let first = stable - stable % SEGMENT_BYTES as i64;
    let last = segments.into_iter().filter(|(number, _)| *number >= first);
    Ok(last.map(|(_, offset)| offset).collect())
}

/// The number of a segment, and what was stable when it was begun; `None` for what is no segment.
fn read_head(head: &[u8; HEAD_BYTES]) -> Option<(i64, i64)> {
    let (crc, content) = head.split_first_chunk::<4>()?;
    let (numbers, []) = content.as_chunks::<8>() else { return None };
    let [number, stable] = numbers else { return None };
    let is_whole = crc32fast::hash(content) == u32::from_le_bytes(*crc) ^ u32::MAX;
    let read = |bytes: &[u8; 8]| i64::from_le_bytes(*bytes) ^ INVERTED;
    is_whole.then(|| (read(number), read(stable)))
}

fn read_u64(file: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).map(|()| u64::from_be_bytes(bytes))
}

/// Fills the bytes; fewer at the end of the file.
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Sums what passes through.
struct Summed<W> {
    inner: W,
    crc: crc32fast::Hasher,
}

impl<W> Summed<W> {
    fn new(inner: W) -> Self {
        Self { inner, crc: crc32fast::Hasher::new() }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
