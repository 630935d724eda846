//! A range to read, and a page of it.

use bytes::Bytes;

use crate::KeyError;
use crate::limits::{KEY_BYTES_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};

/// A range of keys, and how much of it one page may have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a scan does nothing before a store is asked"]
pub struct Scan {
    from: Bytes,
    to: Option<Bytes>,
    entries_max: usize,
    bytes_max: usize,
}

impl Scan {
    /// From `from`, included, up to `to`, excluded; `None` means up to the last key.
    pub fn range(from: impl Into<Bytes>, to: Option<Bytes>) -> Self {
        let (entries_max, bytes_max) = (PAGE_ENTRIES_MAX, PAGE_BYTES_MAX);
        Self { from: from.into(), to, entries_max, bytes_max }
    }

    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        let to = after_prefix(&prefix);
        Self::range(prefix, to)
    }

    /// All keys.
    pub fn all() -> Self {
        Self::range(Bytes::new(), None)
    }

    /// At most so many entries in a page: 1 to [`PAGE_ENTRIES_MAX`], the default; a value outside
    /// is brought inside.
    pub fn entries_max(mut self, entries: usize) -> Self {
        self.entries_max = entries.clamp(1, PAGE_ENTRIES_MAX);
        self
    }

    /// At most so many bytes of keys and values in a page, but always one entry: at most
    /// [`PAGE_BYTES_MAX`], the default.
    pub fn bytes_max(mut self, bytes: usize) -> Self {
        self.bytes_max = bytes.min(PAGE_BYTES_MAX);
        self
    }

    /// The same scan, going on where a page ended: `from` is that page's `next`.
    pub fn resume(mut self, from: Bytes) -> Self {
        self.from = from;
        self
    }

    /// The first key of the range.
    pub fn from(&self) -> &Bytes {
        &self.from
    }

    /// The key behind the range, `None` if it goes up to the last one.
    pub fn to(&self) -> Option<&Bytes> {
        self.to.as_ref()
    }

    /// The part of the range that a page is collected into. For those who write a store.
    pub fn page(&self) -> Page {
        Page {
            entries: Vec::new(),
            next: None,
            bytes: 0,
            entries_max: self.entries_max,
            bytes_max: self.bytes_max,
        }
    }

    /// Whether no key can be in the range.
    pub fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }

    /// Whether a store takes this scan: both ends are at most as long as a key, and one byte, so
    /// that the key behind the longest can be named.
    ///
    /// # Errors
    /// An end is too long: the caller's fault, and no retry helps.
    pub fn validate(&self) -> Result<(), KeyError> {
        let longest = self.from.len().max(self.to.as_ref().map_or(0, Bytes::len));
        if longest > KEY_BYTES_MAX + 1 {
            return Err(KeyError::TooLarge { bytes: longest });
        }
        Ok(())
    }
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// A part of a range, in ascending order.
#[derive(Debug, Clone)]
pub struct Page {
    entries: Vec<Entry>,
    next: Option<Bytes>,
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

impl Page {
    /// The entries, in ascending order of their keys.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries, taken out.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Where the next page begins, for [`Scan::resume`]; `None` if the range has nothing more.
    pub fn next(&self) -> Option<&Bytes> {
        self.next.as_ref()
    }

    /// Adds the next entry of the range, or notes its key as the next page's first and answers
    /// `false` if this page is full. For those who write a store: they feed entries in ascending
    /// order until the range or the page ends.
    pub fn push(&mut self, key: Bytes, value: Bytes) -> bool {
        let bytes = key.len() + value.len();
        if !self.has_room(bytes) {
            self.next = Some(key);
            return false;
        }
        self.bytes += bytes;
        self.entries.push(Entry { key, value });
        true
    }

    /// Whether an entry of so many bytes, key and value, would be taken. For stores that know an
    /// entry's size before they read all of it.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.entries.is_empty()
            || (self.entries.len() < self.entries_max && self.bytes + bytes <= self.bytes_max)
    }

    /// Most entries that it takes. For stores that ask another for a page.
    pub fn entries_max(&self) -> usize {
        self.entries_max
    }

    /// Most bytes of keys and values that it takes, its first entry aside. For stores that ask
    /// another for a page.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Ends a page before `key`, which is the next page's first. For those who write a store.
    pub fn end_before(&mut self, key: Bytes) {
        self.next = Some(key);
    }
}

/// The first key behind all that begin with `prefix`; `None` if there is no such key.
fn after_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_prefix_scan_covers_exactly_the_keys_that_begin_with_it(
            prefix in prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255]), 0..4),
            key in prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255]), 1..6),
        ) {
            let scan = Scan::prefix(prefix.clone());
            let inside = key[..] >= scan.from()[..]
                && scan.to().is_none_or(|to| key[..] < to[..]);
            prop_assert_eq!(inside, key.starts_with(&prefix));
        }
    }

    #[test]
    fn a_page_takes_its_first_entry_whatever_its_size() {
        let mut page = Scan::all().bytes_max(0).page();
        assert!(page.push("a".into(), "large".into()));
        assert!(!page.push("b".into(), "".into()));
        assert_eq!(page.next().map(|key| &key[..]), Some(&b"b"[..]));
    }
}
