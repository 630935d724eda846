//! The files of a store, and the steps that create and replace them.
//!
//! ```text
//! lock       held while the store is open; the number of the process
//! FORMAT     "throughline-store-sled 1"
//! sled/      sled's own directory
//! tail       the number of the last group; tail.new, FORMAT.new: being created
//! sled.new/  being created or compacted: never read, may be removed
//! sled.old/  before a compaction that has not ended
//! sled.kept/ as it was before an open that has not ended
//! sled.read/ as an open that found damage has left it: never read, may be removed
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::error::OpenError;
use crate::limits::KEEP_SPARE_BYTES;
use crate::seal::FORMAT;

#[cfg(test)]
mod tests;

const FORMAT_NAME: &str = "throughline-store-sled ";
/// More cannot be in the file of a format or a lock.
const SMALL_FILE_BYTES_MAX: u64 = 256;

/// The store's directory, locked until this is dropped.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    /// Its lock ends with the descriptor, so also with the process.
    _lock: File,
    /// Lets a unit test have less space than there is.
    #[cfg(test)]
    pub(crate) free_in_test: Option<u64>,
}

impl Layout {
    /// Locks the directory, which is created if it is not there, and checks its format.
    pub(crate) fn create(root: &Path) -> Result<Self, OpenError> {
        create_dir(root).map_err(|error| OpenError::io(root, error))?;
        let found = read_format(root)?;
        let layout = Self::locked(root)?;
        match found {
            Some(()) => layout.recover().map(|()| layout),
            None => {
                sync_parents(root).map_err(|error| OpenError::io(root, error))?;
                layout.write_format().map(|()| layout)
            }
        }
    }

    /// Locks the directory of a store that is there, and checks its format.
    pub(crate) fn existing(root: &Path) -> Result<Self, OpenError> {
        if read_format(root)?.is_none() {
            let (path, found) = (root.to_owned(), "nothing".to_owned());
            return Err(OpenError::NotAStore { path, found });
        }
        let layout = Self::locked(root)?;
        layout.recover().map(|()| layout)
    }

    fn locked(root: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            root: root.to_owned(),
            _lock: lock(root)?,
            #[cfg(test)]
            free_in_test: None,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn tail(&self) -> PathBuf {
        self.root.join("tail")
    }

    pub(crate) fn sled(&self) -> PathBuf {
        self.root.join("sled")
    }

    /// The copy that an open has made.
    pub(crate) fn kept(&self) -> PathBuf {
        self.root.join("sled.kept")
    }

    /// An empty place to build a database in.
    pub(crate) fn fresh(&self) -> Result<PathBuf, OpenError> {
        let path = self.root.join("sled.new");
        remove_dir(&path).map_err(|error| OpenError::io(&path, error))?;
        Ok(path)
    }

    /// Puts the fresh database into its place. A kill between the two renames leaves the old one,
    /// which [`recover`](Self::recover) puts back.
    pub(crate) fn install(&self) -> Result<(), OpenError> {
        let (new, now, old) = (self.root.join("sled.new"), self.sled(), self.root.join("sled.old"));
        let steps = || {
            remove_dir(&old)?;
            if now.exists() {
                fs::rename(&now, &old)?;
                sync_dir(&self.root)?;
            }
            fs::rename(&new, &now)?;
            sync_dir(&self.root)?;
            remove_dir(&old)
        };
        steps().map_err(|error| OpenError::io(&self.root, error))
    }

    /// Copies the database, however large, so that an open that finds damage can leave it as it
    /// was.
    ///
    /// # Errors
    /// There is no space, or the system refused something: there is no copy.
    pub(crate) fn keep(&self) -> io::Result<()> {
        let (now, kept) = (self.sled(), self.kept());
        self.forget_kept();
        let copied = self.check_space(dir_bytes(&now)?).and_then(|()| copy_dir(&now, &kept));
        if copied.is_err() {
            self.forget_kept();
        }
        copied
    }

    /// Whether a copy of so many bytes leaves some space: who else writes to this disk must not
    /// find it full.
    fn check_space(&self, bytes: u64) -> io::Result<()> {
        let wanted = bytes + bytes.min(KEEP_SPARE_BYTES);
        if wanted <= self.free_bytes() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn free_bytes(&self) -> u64 {
        #[cfg(test)]
        if let Some(bytes) = self.free_in_test {
            return bytes;
        }
        // Where the system does not say, the copy finds out.
        let free = rustix::fs::statvfs(&self.root);
        free.map_or(u64::MAX, |free| free.f_bavail.saturating_mul(free.f_frsize))
    }

    /// Removes the copy. A copy that stays costs space, and is removed by the next open.
    pub(crate) fn forget_kept(&self) {
        if let Err(error) = remove_dir(&self.kept()) {
            log::warn!("a copy stays in {}: {error}", self.root.display());
        }
    }

    /// Puts the copy into the place of the database. The copy is on the disk before the database
    /// leaves its place; between the two renames [`recover`](Self::recover) ends it.
    pub(crate) fn put_back(&self) -> Result<(), OpenError> {
        let (now, kept, read) = (self.sled(), self.kept(), self.root.join("sled.read"));
        let steps = || {
            sync_tree(&kept)?;
            remove_dir(&read)?;
            fs::rename(&now, &read)?;
            sync_dir(&self.root)?;
            fs::rename(&kept, &now)?;
            sync_dir(&self.root)?;
            remove_dir(&read)
        };
        steps().map_err(|error| OpenError::io(&self.root, error))
    }

    /// Ends what a kill has interrupted: a compaction, or the putting back of a copy. The names
    /// that are there may not be on the disk, so they are synced before anything relies on them.
    fn recover(&self) -> Result<(), OpenError> {
        sync_dir(&self.root).map_err(|error| OpenError::io(&self.root, error))?;
        // While there is an old one, a copy is from before, and may be in part.
        for name in ["sled.old", "sled.kept"] {
            let from = self.root.join(name);
            if !self.sled().exists() && from.exists() {
                let back = fs::rename(&from, self.sled()).and_then(|()| sync_dir(&self.root));
                back.map_err(|error| OpenError::io(&from, error))?;
            }
        }
        for name in ["sled.old", "sled.read"] {
            if let Err(error) = remove_dir(&self.root.join(name)) {
                log::warn!("{name} stays in {}: {error}", self.root.display());
            }
        }
        Ok(())
    }

    fn write_format(&self) -> Result<(), OpenError> {
        let (new, now) = (self.root.join("FORMAT.new"), self.root.join("FORMAT"));
        let steps = || {
            let mut file = File::create(&new)?;
            writeln!(file, "{FORMAT_NAME}{FORMAT}")?;
            file.sync_all()?;
            fs::rename(&new, &now)?;
            sync_dir(&self.root)
        };
        steps().map_err(|error| OpenError::io(&now, error))
    }
}

/// Whether there is a store that this build reads; `None` in a directory that may become one.
/// Looked at before anything is written.
fn read_format(root: &Path) -> Result<Option<()>, OpenError> {
    let path = root.join("FORMAT");
    match File::open(&path) {
        Ok(file) => {
            let mut text = String::new();
            let read = file.take(SMALL_FILE_BYTES_MAX).read_to_string(&mut text);
            read.map_err(|error| OpenError::io(&path, error))?;
            let number = text.strip_prefix(FORMAT_NAME).map(str::trim_end);
            let number = number.and_then(|number| number.parse::<u32>().ok());
            let damaged = || OpenError::corrupt(root, "its FORMAT says no format");
            let found = number.ok_or_else(damaged)?;
            if found > FORMAT {
                let path = root.to_owned();
                return Err(OpenError::NewerFormat { path, found, known: FORMAT });
            }
            Ok(Some(()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A kill before the format was there leaves no more than these.
            let others = first_other(root, &["lock", "FORMAT.new"]);
            match others.map_err(|error| OpenError::io(root, error))? {
                Some(found) => Err(OpenError::NotAStore { path: root.to_owned(), found }),
                None => Ok(None),
            }
        }
        Err(error) => Err(OpenError::io(&path, error)),
    }
}

fn first_other(root: &Path, known: &[&str]) -> io::Result<Option<String>> {
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !known.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join("lock");
    let failed = |error| OpenError::io(&path, error);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message.
            let _ = (&mut file).take(SMALL_FILE_BYTES_MAX).read_to_string(&mut holder);
            let holder = holder.trim_end();
            let holder = if holder.is_empty() { "unknown" } else { holder }.to_owned();
            return Err(OpenError::Locked { path: root.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // For the message of who comes second; a full disk must not keep a store from opening.
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", process::id()));
    if let Err(error) = noted {
        log::debug!("the process number was not noted in {}: {error}", path.display());
    }
    Ok(file)
}

fn create_dir(root: &Path) -> io::Result<()> {
    if root.is_dir() { Ok(()) } else { fs::create_dir_all(root) }
}

/// Makes the names that lead to a directory durable: all of them, since a process that was killed
/// may have created any. Where there is no right to do that, or no way, this process and those
/// before it have created nothing, or the file system promises nothing.
fn sync_parents(root: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    for parent in fs::canonicalize(root)?.ancestors().skip(1) {
        let Err(error) = sync_dir(parent) else { continue };
        match error.kind() {
            PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported => {
                log::debug!("{} was not synced: {error}", parent.display());
            }
            _ => return Err(error),
        }
    }
    Ok(())
}

/// Bytes of all files below.
pub(crate) fn dir_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { dir_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_dir(dir)
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
