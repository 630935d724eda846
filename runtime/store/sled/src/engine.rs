//! The only user of sled: each call is guarded, and a write returns when it is on the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use crate::layout::sync_dir;
use crate::limits::{LOCK_TRIES_MAX, LOCK_TRY_EVERY};
use crate::rollback::Rollback;

/// What sled does wrong: an error of the system, or content that it cannot read.
#[derive(Debug)]
pub(crate) enum EngineError {
    Io(io::Error),
    Damaged(String),
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Damaged(detail) => f.write_str(detail),
        }
    }
}

impl From<sled::Error> for EngineError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::Io(error),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<io::Error> for EngineError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// sled's directory, open. The caller holds the store's lock.
#[derive(Debug)]
pub(crate) struct Engine {
    /// `None` only while it is dropped.
    db: Option<sled::Db>,
    /// sled's log through a descriptor of our own: sled's flush is not a sync.
    log: File,
    dir: PathBuf,
    #[cfg(test)]
    pub(crate) faults: std::sync::Arc<TestFaults>,
}

/// Lets a unit test make the sync, or what is read for a call, fail.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct TestFaults {
    pub(crate) syncs_fail: std::sync::atomic::AtomicBool,
    pub(crate) reads_fail: std::sync::atomic::AtomicBool,
    pub(crate) syncs: std::sync::atomic::AtomicU64,
}

impl Engine {
    /// Opens or creates. sled holds its own lock for a moment after it was closed, so that is
    /// waited for.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, EngineError> {
        remove_unfinished(dir)?;
        let rollback = Rollback::begin(dir).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => EngineError::Damaged(error.to_string()),
            _ => EngineError::Io(error),
        })?;
        let mut tries = 0;
        let db = loop {
            let config = sled::Config::new().path(dir).cache_capacity(cache_bytes);
            // The background flusher would write half a group; groups flush by themselves.
            let opened = guard(|| Ok(config.flush_every_ms(None).open()?));
            match opened {
                Err(EngineError::Io(error)) if is_own_lock(&error) && tries < LOCK_TRIES_MAX => {
                    tries += 1;
                    thread::sleep(LOCK_TRY_EVERY);
                }
                opened => break opened?,
            }
        };
        let log = OpenOptions::new().read(true).write(true).open(dir.join("db"))?;
        // A process that was killed may have written what it could not sync any more. It is shown
        // from now on, so it must be on the disk.
        log.sync_data()?;
        // So must the name of the snapshot be that sled relies on from now on.
        sync_dir(dir)?;
        rollback.end()?;
        Ok(Self {
            db: Some(db),
            log,
            dir: dir.to_owned(),
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        })
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, EngineError> {
        guard(|| Ok(self.db()?.get(key)?))
    }

    /// Calls `each` with the entries from `from` up to `to`, in order, until it answers `false`.
    pub(crate) fn each(
        &self,
        from: &[u8],
        to: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<bool, EngineError>,
    ) -> Result<(), EngineError> {
        guard(|| {
            if from >= to {
                return Ok(());
            }
            #[cfg(test)]
            if self.faults.reads_fail.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(io::Error::other("a fault made by the test").into());
            }
            for entry in self.db()?.range(from..to) {
                let (key, value) = entry?;
                if !each(&key, &value)? {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Writes the batch, whole; on the disk when it returns. After an error the engine must be
    /// closed: its state is unknown.
    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<(), EngineError> {
        guard(|| {
            let db = self.db()?;
            db.apply_batch(batch)?;
            db.flush()?;
            self.sync_log()?;
            Ok(self.sync_blobs()?)
        })
    }

    /// A handle that only reads. It holds the files: drop it before they are closed.
    pub(crate) fn reader(&self) -> Option<Reader> {
        self.db.clone().map(Reader)
    }

    fn db(&self) -> Result<&sled::Db, EngineError> {
        self.db.as_ref().ok_or_else(|| EngineError::Damaged("closed".to_owned()))
    }

    fn sync_log(&self) -> io::Result<()> {
        #[cfg(test)]
        {
            use std::sync::atomic::Ordering;
            self.faults.syncs.fetch_add(1, Ordering::SeqCst);
            if self.faults.syncs_fail.load(Ordering::SeqCst) {
                return Err(io::Error::other("a fault made by the test"));
            }
        }
        self.log.sync_data()
    }

    /// Values are cut so that sled makes no blob files. If it makes one all the same, it is synced
    /// before anything in it counts as written.
    fn sync_blobs(&self) -> io::Result<()> {
        let dir = self.dir.join("blobs");
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut found = false;
        for entry in entries {
            File::open(entry?.path())?.sync_all()?;
            found = true;
        }
        if found { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    /// Lets go of the files, and forgets what the system has cached of them, so that the next open
    /// reads what the disk has. For an engine that failed: a page that a failed sync left in the
    /// cache looks written and is not.
    pub(crate) fn close_failed(self) {
        let log = self.log.try_clone();
        drop(self);
        #[cfg(target_os = "linux")]
        if let Ok(log) = log {
            // Best effort: if it is refused, the verification at open still compares all.
            let _ = rustix::fs::fadvise(&log, 0, None, rustix::fs::Advice::DontNeed);
        }
        #[cfg(not(target_os = "linux"))]
        drop(log);
    }

    /// Syncs every file and directory of the engine: after its creation, whose parts sled does not
    /// sync by itself.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            File::open(entry?.path())?.sync_all()?;
        }
        File::open(&self.dir)?.sync_all()
    }

    /// Closes, and says whether sled did so cleanly.
    pub(crate) fn close(mut self) -> Result<(), EngineError> {
        let db = self.db.take();
        guard(|| {
            drop(db);
            Ok(())
        })
    }
}

/// Reads from any thread.
#[derive(Debug)]
pub(crate) struct Reader(sled::Db);

impl Reader {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, EngineError> {
        guard(|| Ok(self.0.get(key)?))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // sled panics if the sync in its drop fails. Nothing that was answered depends on it.
        let db = self.db.take();
        if guard(|| {
            drop(db);
            Ok(())
        })
        .is_err()
        {
            log::warn!("sled did not close cleanly at {}", self.dir.display());
        }
    }
}

/// Removes a snapshot that sled has not finished. sled takes it for a whole one, and refuses all
/// if it is not; without it sled reads more of its log.
fn remove_unfinished(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// sled panics on some kinds of damage; a panic is an error here, so that it can be reported with
/// the path. Everything it could leave half done is closed after an error.
fn guard<T>(call: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
        Err(EngineError::Damaged(format!("sled panicked: {text}")))
    })
}

fn is_own_lock(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}
