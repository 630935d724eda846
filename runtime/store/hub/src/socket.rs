//! The guard of a socket's path: one hub at a time, and a dead hub's socket is taken over.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::{Address, ServeError};

/// Only the hub's user may connect.
const SOCKET_MODE: u32 = 0o600;

/// Keeps a socket's path for this process. The lock lies on a file beside the socket, which stays
/// there: the system gives it up when the process ends, however it ends, so that the next hub
/// knows the socket that is left for a dead one's. Removing the file would let two hubs lock two
/// files of the same name.
#[derive(Debug)]
pub(crate) struct SocketGuard {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl SocketGuard {
    /// Takes the path and listens there.
    pub(crate) fn listen(path: &Path) -> Result<(Self, UnixListener), ServeError> {
        let address = || Address::Unix(path.to_owned());
        let failed = |source| ServeError::Listen { address: address(), source };
        let in_use = || ServeError::InUse { address: address() };
        let lock = open_lock(path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use()),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed(source)),
            Ok(found) if !found.file_type().is_socket() => {
                return Err(ServeError::NotASocket { path: path.to_owned() });
            }
            // A listener without the lock is no hub, but it is alive all the same.
            Ok(_) if UnixStream::connect(path).is_ok() => return Err(in_use()),
            Ok(_) => fs::remove_file(path).map_err(failed)?,
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let guard = Self { path: path.to_owned(), _lock: lock };
        fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
        Ok((guard, listener))
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    File::options().create(true).truncate(false).write(true).open(name)
}

impl Drop for SocketGuard {
    fn drop(&mut self) {
        // Still under the lock, so this is our socket. If it cannot be removed, the next hub does.
        let _ = fs::remove_file(&self.path);
    }
}
