//! An owner of a record, as a node is: it checks the record's header in every commit, bumps its
//! version, and settles an unknown outcome by a commit that does the same (rule 9 of the law).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use throughline_store::{Batch, CommitError, GetError, Scan, ScanError, Store};

/// What all writers have seen together.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) answered: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) unknown_landed: AtomicU64,
    pub(crate) down: AtomicU64,
}

/// The record's header: its version, which every commit bumps, and the turns it has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    version: u64,
    turns: u64,
}

impl Header {
    fn bytes(self) -> Bytes {
        let parts = [self.version.to_be_bytes(), self.turns.to_be_bytes()];
        Bytes::copy_from_slice(&parts.concat())
    }

    fn read(bytes: &[u8]) -> Self {
        let number = |part: &[u8]| u64::from_be_bytes(part.try_into().unwrap());
        Self { version: number(&bytes[..8]), turns: number(&bytes[8..]) }
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    store: Arc<dyn Store>,
    name: u64,
    header: Header,
    seen: Arc<Seen>,
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn Store>, name: u64, seen: Arc<Seen>) -> Self {
        Self { store, name, header: Header { version: 0, turns: 0 }, seen }
    }

    fn key(&self) -> Bytes {
        format!("record/{:03}", self.name).into()
    }

    /// What a turn leaves behind: one row, which no other turn writes.
    fn row(&self, turn: u64) -> Bytes {
        format!("row/{:03}/{turn:08}", self.name).into()
    }

    /// Checks the header as it is known, and bumps it.
    fn batch(&self, next: Header) -> Batch {
        let checked = match self.header.version {
            0 => Batch::new().check_absent(self.key()),
            _ => Batch::new().check_equals(self.key(), self.header.bytes()),
        };
        checked.put(self.key(), next.bytes())
    }

    /// Takes one turn, and settles it if its outcome is unknown.
    pub(crate) async fn turn(&mut self) {
        let Header { version, turns } = self.header;
        let next = Header { version: version + 1, turns: turns + 1 };
        let row = self.row(next.turns);
        let batch = self.batch(next).check_absent(row.clone()).put(row, next.bytes());
        match self.store.commit(batch).await {
            Ok(()) => {
                self.header = next;
                self.seen.answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(CommitError::Down(_)) => {
                self.seen.down.fetch_add(1, Ordering::SeqCst);
            }
            Err(CommitError::Unknown { .. }) => {
                self.seen.unknown.fetch_add(1, Ordering::SeqCst);
                self.settle(next).await;
            }
            Err(error) => panic!("writer {} at {:?}: {error}", self.name, self.header),
        }
    }

    /// Commits a bump on top of what is there until one is answered: then the unknown turn has
    /// landed before it, or never will.
    async fn settle(&mut self, unknown: Header) {
        let before = self.header;
        loop {
            let found = self.read().await;
            let known = [before.turns, unknown.turns];
            assert!(
                known.contains(&found.turns),
                "{found:?} is neither {before:?} nor {unknown:?}"
            );
            assert!(found.version >= before.version, "{found:?} is older than {before:?}");
            self.header = found;
            let bumped = Header { version: found.version + 1, ..found };
            match self.store.commit(self.batch(bumped)).await {
                Ok(()) => {
                    let landed = found.turns == unknown.turns;
                    self.seen.unknown_landed.fetch_add(landed.into(), Ordering::SeqCst);
                    self.header = bumped;
                    return;
                }
                // Refused: the unknown turn, or an unknown bump, has landed meanwhile.
                Err(CommitError::Refused(_) | CommitError::Unknown { .. }) => {}
                Err(CommitError::Down(_)) => {
                    self.seen.down.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => panic!("writer {} settles: {error}", self.name),
            }
        }
    }

    async fn read(&self) -> Header {
        loop {
            match self.store.get(self.key()).await {
                Ok(Some(bytes)) => return Header::read(&bytes),
                Ok(None) => return Header { version: 0, turns: 0 },
                Err(GetError::Down(_)) => self.seen.down.fetch_add(1, Ordering::SeqCst),
                Err(error) => panic!("writer {} reads: {error}", self.name),
            };
        }
    }

    /// Whether the store has exactly what this writer knows: each turn once, none lost.
    pub(crate) async fn verify(&self) {
        assert_eq!(self.read().await, self.header, "writer {}", self.name);
        let mut scan = Scan::prefix(format!("row/{:03}/", self.name));
        let mut turns = 0;
        loop {
            let page = match self.store.scan(scan.clone()).await {
                Ok(page) => page,
                Err(ScanError::Down(_)) => continue,
                Err(error) => panic!("writer {} scans: {error}", self.name),
            };
            for entry in page.entries() {
                turns += 1;
                assert_eq!(entry.key, self.row(turns), "writer {}: a turn is missing", self.name);
                assert_eq!(Header::read(&entry.value).turns, turns);
            }
            let Some(next) = page.next() else { break };
            scan = scan.resume(next.clone());
        }
        assert_eq!(turns, self.header.turns, "writer {}: turns that were answered", self.name);
    }
}
