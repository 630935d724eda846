//! Every bound of a store, with its reason. A store takes exactly what these allow.

use bytes::Bytes;

use crate::KeyError;

/// Longest key: two names of the game and a number fit. Engines keep hundreds of keys in one page
/// of their index, and not all of them bear long ones.
pub const KEY_BYTES_MAX: usize = 256;
/// Largest value: four snapshots of the default limit of 256 KiB. More would hold up every commit
/// that shares its group.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;
/// Keys and values of one batch, checks and writes together: what a store may have to copy several
/// times while it answers.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Checks of one batch: a dequeue checks every message that it takes.
pub const BATCH_CHECKS_MAX: usize = 4096;
/// Writes of one batch: a dequeue deletes every message that it checked.
pub const BATCH_WRITES_MAX: usize = 4096;
/// Entries of one page: a scan must not hold up commits for longer than a commit does.
pub const PAGE_ENTRIES_MAX: usize = 4096;
/// Keys and values of one page, unless its first entry alone is larger.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Watches of one store: a node needs a few; each costs every commit a comparison per key.
pub const WATCHES_MAX: usize = 256;

const _: () = assert!(BATCH_BYTES_MAX >= KEY_BYTES_MAX + VALUE_BYTES_MAX, "a record must fit");
const _: () = assert!(
    BATCH_BYTES_MAX >= 2 * (KEY_BYTES_MAX + VALUE_BYTES_MAX),
    "a record must fit twice: as it is in a check, and as it becomes in a write"
);
const _: () = assert!(PAGE_BYTES_MAX >= KEY_BYTES_MAX + VALUE_BYTES_MAX, "a record must fit");

/// Whether a store takes this key.
///
/// # Errors
/// The key is empty or too long: the caller's fault, and no retry helps.
pub fn check_key(key: &Bytes) -> Result<(), KeyError> {
    match key.len() {
        0 => Err(KeyError::Empty),
        bytes if bytes > KEY_BYTES_MAX => Err(KeyError::TooLarge { bytes }),
        _ => Ok(()),
    }
}
