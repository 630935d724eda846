//! The data directory of a local cluster.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::role::Role;

/// Unix sockets have short paths: 104 bytes with their end on some systems.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// Random bytes of the cluster's secret; it is written in hexadecimal digits.
const SECRET_BYTES: usize = 32;

/// The files of a local cluster. The directory is locked as long as this lives.
#[derive(Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    _lock: File,
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LayoutError {
    /// Two clusters would share one store.
    #[error("another cluster runs in {}: stop it, or choose another directory with --data",
        .0.display())]
    InUse(PathBuf),
    /// The hub could not listen.
    #[error("the path {} is too long for a socket: choose a shorter one with --data",
        .0.display())]
    TooLong(PathBuf),
    /// Rights, a full disk, a file in the place of the directory.
    #[error("cannot make {}: {source}; another directory is set with --data", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Layout {
    /// Makes the directory and the cluster's secret unless they are there, and locks it. The logs
    /// of the last time are removed.
    pub(super) fn make(dir: &Path) -> Result<Self, LayoutError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LayoutError::Io { path, source }
        };
        fs::create_dir_all(dir).map_err(failed(dir))?;
        let path = dir.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LayoutError::InUse(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(&path)(source)),
        }
        let layout = Self { dir: dir.to_owned(), _lock: lock };
        let socket = layout.socket();
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(LayoutError::TooLong(socket));
        }
        let secret = layout.secret();
        make_secret(&secret).map_err(failed(&secret))?;
        for entry in fs::read_dir(dir).map_err(failed(dir))?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".log") || name.ends_with(".log.1") {
                fs::remove_file(entry.path()).map_err(failed(&entry.path()))?;
            }
        }
        Ok(layout)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of the hub's store.
    pub(super) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// Where the hub listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("hub.sock")
    }

    pub(super) fn secret(&self) -> PathBuf {
        self.dir.join("secret")
    }

    pub(super) fn log(&self, role: Role) -> PathBuf {
        self.dir.join(format!("{role}.log"))
    }
}

/// Makes a secret that only this user may read, whole or not at all.
fn make_secret(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(digits.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_cluster_and_keeps_its_secret() {
        let dir = std::env::temp_dir().join(format!("throughline-layout-{}", std::process::id()));
        let layout = Layout::make(&dir).unwrap();
        let secret = fs::read(layout.secret()).unwrap();
        assert_eq!(secret.len(), 2 * SECRET_BYTES);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(layout.secret()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(layout.log(Role::Node(1)), "old").unwrap();
        let second = Layout::make(&dir).unwrap_err().to_string();
        assert!(second.contains("--data"), "{second}");
        drop(layout);
        let layout = Layout::make(&dir).unwrap();
        assert_eq!(fs::read(layout.secret()).unwrap(), secret);
        assert!(!layout.log(Role::Node(1)).exists());
        fs::remove_dir_all(&dir).unwrap();
    }
}
