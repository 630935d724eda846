//! Every bound of this store, with its reason.

use std::time::Duration;

use throughline_store::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// Pieces of a value: sled keeps small ones in its log, and puts pages above about 128 KiB into
/// files that it never syncs.
pub const CHUNK_BYTES_MAX: usize = 4096;
/// Calls that wait for the store's thread; further callers wait outside.
pub const QUEUE_CALLS_MAX: usize = 4096;
/// Bytes of batches that wait for the store's thread; further callers wait outside.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Commits that share a sync: more would not make it cheaper, but the first of them wait longer.
pub const GROUP_COMMITS_MAX: usize = 1024;
/// Bytes of the commits that share a sync, beyond which no further one is taken: a segment of
/// sled's log. A group of many segments that is lost half-written can leave a log that sled does
/// not read.
pub const GROUP_BYTES_MAX: usize = 512 * 1024;
/// sled's cache, by default: a node's live records, not its history.
pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// After a write error, how long until the store is opened anew, and so how long a call waits at
/// most for its `Down`.
pub const REOPEN_EVERY: Duration = Duration::from_millis(250);
/// A database is copied before it is opened, so that one found damaged is left as it was: a third
/// of a second for each GiB that is in memory. The copy must leave free as much as it takes, or
/// this, whichever is less: others write to the disk, too.
pub const KEEP_SPARE_BYTES: u64 = 64 * 1024 * 1024;
/// Chunks that a store writes and removes before it works again after a write error: 1 MiB, as the
/// largest value. sled takes space 512 KiB at a time, so a little may fit where nothing else does.
pub const PROBE_CHUNKS: u16 = 256;
/// How often a lock that sled itself still holds is tried again; its threads let go of it a moment
/// after a close. [`LOCK_TRY_EVERY`] apart.
pub const LOCK_TRIES_MAX: u32 = 500;
/// Time between two of these tries.
pub const LOCK_TRY_EVERY: Duration = Duration::from_millis(10);
/// The tail is synced every so many groups. Without it a loss of power could only hide that the
/// database lost its end, not lose anything itself.
pub const TAIL_SYNC_GROUPS: u64 = 1024;

const _: () = assert!(
    // sled puts a page above this into a file that it never syncs. A page of its index has up to
    // 256 keys, or 320 before a merge is split again, with some 16 bytes for each.
    320 * (KEY_BYTES_MAX + 32) < 128 * 1024 - 64,
    "a page of sled's index must stay in its log"
);
const _: () = assert!(
    // A leaf has up to 16 entries, or 20 before a merge is split again.
    20 * (CHUNK_BYTES_MAX + KEY_BYTES_MAX + 32) < 128 * 1024 - 64,
    "a leaf of sled must stay in its log"
);
const _: () =
    assert!(QUEUE_BYTES_MAX >= 2 * GROUP_BYTES_MAX, "one group gathers as one is written");
const _: () = assert!(VALUE_BYTES_MAX / CHUNK_BYTES_MAX < u16::MAX as usize, "chunks have a u16");
