//! Reads on the caller's own thread: of what no group is writing.
//!
//! A read that went to the store's thread would wait for the sync of the group before it. What is
//! not being written is on the disk, and may be read at any moment. What is being written may be
//! taken back by a crash until its sync has returned, and its chunks may be of two values: such a
//! read goes to the thread, behind the group.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::engine::{Engine, Reader};
use crate::opened::ReadError;
use crate::record;

/// What callers may read themselves.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    state: RwLock<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    reader: Reader,
    /// The keys of the group under way.
    writing: HashSet<Bytes>,
}

impl Sight {
    /// The files are open, and nothing is being written.
    pub(crate) fn open(&self, engine: &Engine) {
        let reader = engine.reader();
        *self.write() = reader.map(|reader| Open { reader, writing: HashSet::new() });
    }

    /// The files are about to be closed: nobody holds them when this returns.
    pub(crate) fn close(&self) {
        *self.write() = None;
    }

    /// These keys are about to be written. Reads under way have ended when this returns.
    pub(crate) fn begin(&self, keys: impl Iterator<Item = Bytes>) {
        if let Some(open) = &mut *self.write() {
            open.writing.extend(keys);
        }
    }

    /// What was begun is on the disk.
    pub(crate) fn end(&self) {
        if let Some(open) = &mut *self.write() {
            open.writing.clear();
        }
    }

    /// The value of a key; `None` if the store's thread is to be asked: it is being written, the
    /// store is not open, or what was read is to be judged by the thread.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        let state = self.read();
        let open = state.as_ref().filter(|open| !open.writing.contains(key))?;
        let Some(stored) = open.reader.get(&record::head_key(key)).ok()? else {
            return Some(None);
        };
        let chunk = |index| Ok::<_, ReadError>(open.reader.get(&record::chunk_key(key, index))?);
        record::assemble(key, &stored, chunk).ok().map(Some)
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Open>> {
        // sled's panics are caught inside, and nothing else under the lock panics.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Open>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_is_read_by_the_thread_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::open(dir.path(), 1 << 20).expect("an empty engine");
        let sight = Sight::default();
        assert_eq!(sight.get(b"a"), None, "not open");
        sight.open(&engine);
        assert_eq!(sight.get(b"a"), Some(None));
        sight.begin([Bytes::from_static(b"a")].into_iter());
        assert_eq!(sight.get(b"a"), None, "its group is under way");
        assert_eq!(sight.get(b"b"), Some(None));
        sight.end();
        assert_eq!(sight.get(b"a"), Some(None));
        sight.close();
        assert_eq!(sight.get(b"a"), None);
    }
}
