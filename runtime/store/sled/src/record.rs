//! A record on disk: a head with length and checksum, and the value in chunks.
//!
//! All keys of sled begin with a byte that says what they are:
//!
//! ```text
//! 00 "seal"                              the seal (see `seal`)
//! 01 key                                 length u32, checksum u32, the first bytes of the value
//! 02 key length u16, key, index u16      a further chunk of the value
//! ```
//!
//! Integers are big-endian. The checksum is CRC-32 over the key's length (u16), key and value.

use bytes::{BufMut, Bytes, BytesMut};

use crate::limits::CHUNK_BYTES_MAX;

const HEAD: u8 = 1;
const CHUNK: u8 = 2;
/// Length and checksum.
const HEAD_BYTES: usize = 8;
/// What the head's own chunk holds of the value.
const FIRST_BYTES: usize = CHUNK_BYTES_MAX - HEAD_BYTES;

/// All heads are from here up to [`HEADS_END`].
pub(crate) const HEADS: &[u8] = &[HEAD];
pub(crate) const HEADS_END: &[u8] = &[HEAD + 1];
/// All further chunks are from here up to [`CHUNKS_END`].
pub(crate) const CHUNKS: &[u8] = &[CHUNK];
pub(crate) const CHUNKS_END: &[u8] = &[CHUNK + 1];

/// Length and checksum of a value, as its head has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) length: u32,
    pub(crate) checksum: u32,
}

impl Head {
    pub(crate) fn of(key: &[u8], value: &[u8]) -> Self {
        // Both are below limits that fit: `KEY_BYTES_MAX`, `VALUE_BYTES_MAX`.
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&key_length(key));
        hasher.update(key);
        hasher.update(value);
        Self { length, checksum: hasher.finalize() }
    }

    /// The head and the first bytes of the value; `None` if this is no head.
    pub(crate) fn read(stored: &[u8]) -> Option<(Self, &[u8])> {
        let (length, rest) = stored.split_first_chunk()?;
        let (checksum, first) = rest.split_first_chunk()?;
        let length = u32::from_be_bytes(*length);
        let head = Self { length, checksum: u32::from_be_bytes(*checksum) };
        let expected = (length as usize).min(FIRST_BYTES);
        (first.len() == expected).then_some((head, first))
    }

    /// How many chunks there are besides the head's.
    pub(crate) fn further_chunks(self) -> u16 {
        let further = (self.length as usize).saturating_sub(FIRST_BYTES);
        // At most 256 by `VALUE_BYTES_MAX`; a damaged length is found by the checksum.
        u16::try_from(further.div_ceil(CHUNK_BYTES_MAX)).unwrap_or(u16::MAX)
    }

    /// What the record adds to the digest of all records: a sum, so that order does not matter.
    pub(crate) fn digest(self) -> u64 {
        let mut z = (u64::from(self.length) << 32) | u64::from(self.checksum);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

pub(crate) fn head_key(key: &[u8]) -> Vec<u8> {
    [&[HEAD], key].concat()
}

pub(crate) fn chunk_key(key: &[u8], index: u16) -> Vec<u8> {
    [&[CHUNK], &key_length(key)[..], key, &index.to_be_bytes()].concat()
}

/// The record's key in a key of a head.
pub(crate) fn key_of_head(stored: &[u8]) -> &[u8] {
    stored.get(1..).unwrap_or_default()
}

fn key_length(key: &[u8]) -> [u8; 2] {
    u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// One of sled's entries.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) stored: Vec<u8>,
}

/// Every entry of a record, in the order of its bytes.
pub(crate) fn entries(key: &[u8], value: &[u8]) -> (Head, Vec<Entry>) {
    let head = Head::of(key, value);
    let (first, further) = value.split_at(value.len().min(FIRST_BYTES));
    let stored = [&head.length.to_be_bytes()[..], &head.checksum.to_be_bytes(), first].concat();
    let mut entries = vec![Entry { key: head_key(key), stored }];
    for (index, chunk) in (0..).zip(further.chunks(CHUNK_BYTES_MAX)) {
        entries.push(Entry { key: chunk_key(key, index), stored: chunk.to_vec() });
    }
    (head, entries)
}

/// Puts a value together. `chunk` reads a further chunk.
///
/// # Errors
/// What is wrong with it, or the error of `chunk`.
pub(crate) fn assemble<E: From<Damage>>(
    key: &[u8],
    stored: &[u8],
    mut chunk: impl FnMut(u16) -> Result<Option<sled::IVec>, E>,
) -> Result<Bytes, E> {
    let Some((head, first)) = Head::read(stored) else { return Err(Damage("its head").into()) };
    let mut value = BytesMut::from(first);
    for index in 0..head.further_chunks() {
        let Some(chunk) = chunk(index)? else { return Err(Damage("a missing chunk").into()) };
        value.put_slice(&chunk);
    }
    if Head::of(key, &value) != head {
        return Err(Damage("its checksum").into());
    }
    Ok(value.freeze())
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage(pub(crate) &'static str);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn read(key: &[u8], stored: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Bytes, Damage> {
        let head = stored.get(&head_key(key)).ok_or(Damage("absent"))?;
        assemble(key, head, |index| {
            Ok(stored.get(&chunk_key(key, index)).map(|chunk| chunk.as_slice().into()))
        })
    }

    proptest! {
        #[test]
        fn a_value_comes_back_from_its_chunks_and_no_chunk_is_large(
            key in prop::collection::vec(any::<u8>(), 1..40),
            value in prop::collection::vec(any::<u8>(), 0..20_000),
        ) {
            let (head, entries) = entries(&key, &value);
            prop_assert_eq!(entries.len(), 1 + usize::from(head.further_chunks()));
            prop_assert!(entries.iter().all(|entry| entry.stored.len() <= CHUNK_BYTES_MAX));
            let stored = entries.into_iter().map(|entry| (entry.key, entry.stored)).collect();
            prop_assert_eq!(read(&key, &stored), Ok(value.into()));
        }

        #[test]
        fn a_flipped_bit_a_lost_chunk_or_a_cut_is_found(
            key in prop::collection::vec(any::<u8>(), 1..40),
            value in prop::collection::vec(any::<u8>(), 0..13_000),
            at in any::<prop::sample::Index>(),
            byte in any::<prop::sample::Index>(),
            kind in 0..3,
        ) {
            let (_, mut entries) = entries(&key, &value);
            let at = at.index(entries.len());
            match kind {
                0 => {
                    let byte = byte.index(entries[at].stored.len());
                    entries[at].stored[byte] ^= 1;
                }
                1 => { entries[at].stored.pop(); }
                _ => { entries.remove(at); }
            }
            let stored = entries.into_iter().map(|entry| (entry.key, entry.stored)).collect();
            prop_assert!(read(&key, &stored).is_err());
        }

        #[test]
        fn chunks_of_different_keys_never_share_a_key(
            left in prop::collection::vec(0_u8..3, 1..6),
            right in prop::collection::vec(0_u8..3, 1..6),
            indexes in (0_u16..600, 0_u16..600),
        ) {
            prop_assume!(left != right);
            prop_assert_ne!(chunk_key(&left, indexes.0), chunk_key(&right, indexes.1));
        }
    }
}
