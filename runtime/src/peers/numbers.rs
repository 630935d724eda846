//! Tables by number, for numbers that this cluster's nodes choose.
//!
//! The hashing of the standard library withstands keys that an enemy chooses, and costs more than
//! all else that is done with a call. Nodes have proved who they are.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by number.
pub(crate) type Numbered<K, T> = HashMap<K, T, BuildHasherDefault<Multiply>>;

/// Multiplies (Knuth's multiplicative hashing, by the golden ratio), and folds the high bits, which
/// are the good ones, onto the low ones.
#[derive(Debug, Default)]
pub(crate) struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let hash = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = hash ^ (hash >> 32);
    }
}
