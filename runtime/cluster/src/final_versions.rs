//! The versions of states that are final: newer ones are not written before an operator says so.
//!
//! While nodes of two builds live, each writes what all of them read. When the last node of the old
//! build is gone, a rollback would bring one back; so the old version is written on, until the
//! operator says that the update stays.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    defaults::VERSIONS_MAX,
    entry::NodeInfo,
    form::{FORM, FormError, Reader, put_sized},
};

/// The newest version that may be written, of each kind that a node has served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FinalVersions(BTreeMap<String, u32>);

impl FinalVersions {
    /// The newest version of a kind that may be written; `None`: no node has served it yet.
    #[must_use]
    pub fn of(&self, kind: &str) -> Option<u32> {
        self.0.get(kind).copied()
    }

    /// Each kind and its version.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(kind, version)| (kind.as_str(), *version))
    }

    /// With the kinds of these nodes that are not among them: what a kind begins with is final.
    /// `None`: all of them are, or there is no room for more.
    #[must_use]
    pub fn with_kinds_of<'a>(&self, alive: impl Iterator<Item = &'a NodeInfo>) -> Option<Self> {
        let mut with = self.clone();
        for (kind, newest) in read_by_all(alive) {
            if with.0.len() < VERSIONS_MAX {
                with.0.entry(kind.to_owned()).or_insert(newest);
            }
        }
        (with != *self).then_some(with)
    }

    /// As an operator makes them: of each kind that these nodes serve, the newest version that all
    /// of them read, if it is newer. Kinds that none of them serves stay as they are.
    #[must_use]
    pub fn made_final<'a>(&self, alive: impl Iterator<Item = &'a NodeInfo>) -> Self {
        let mut made = self.clone();
        for (kind, newest) in read_by_all(alive) {
            if let Some(version) = made.0.get_mut(kind) {
                *version = newest.max(*version);
            }
        }
        made
    }

    /// The bytes of the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = vec![FORM];
        // At most `VERSIONS_MAX`, far below.
        let count = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for (kind, version) in &self.0 {
            put_sized(&mut out, kind.as_bytes());
            out.extend_from_slice(&version.to_be_bytes());
        }
        out.into()
    }

    /// Reads the bytes of the store.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FormError> {
        let mut reader = Reader::new("row of final versions", bytes)?;
        let mut versions = BTreeMap::new();
        for _ in 0..reader.u16("count")? {
            let kind = reader.text("kind")?.to_owned();
            versions.insert(kind, reader.u32("version")?);
        }
        reader.end()?;
        Ok(Self(versions))
    }
}

/// Of each kind the newest version that all nodes read which serve it.
fn read_by_all<'a>(alive: impl Iterator<Item = &'a NodeInfo>) -> BTreeMap<&'a str, u32> {
    let mut read = BTreeMap::<&str, u32>::new();
    for readable in alive.flat_map(NodeInfo::all_readable) {
        let newest = read.entry(&readable.kind).or_insert(readable.newest);
        *newest = (*newest).min(readable.newest);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Readable;

    fn node(kinds: &[(&str, u32)]) -> NodeInfo {
        let readable = kinds.iter().map(|(kind, newest)| Readable {
            kind: (*kind).to_owned(),
            oldest: 1,
            newest: *newest,
        });
        NodeInfo::new("10.0.0.1:7", readable.collect()).unwrap()
    }

    #[test]
    fn what_a_kind_begins_with_is_final_and_newer_ones_only_once_it_is_said() {
        let none = FinalVersions::default();
        let (old, new) = (node(&[("hero", 1)]), node(&[("hero", 2), ("pet", 7)]));
        let first = none.with_kinds_of([&old, &new].into_iter()).unwrap();
        assert_eq!((first.of("hero"), first.of("pet"), first.of("cat")), (Some(1), Some(7), None));
        assert_eq!(first.with_kinds_of([&new].into_iter()), None, "nothing is newer by itself");
        assert_eq!(first.made_final([&old, &new].into_iter()), first, "one cannot read it");
        let made = first.made_final([&new].into_iter());
        assert_eq!((made.of("hero"), made.of("pet")), (Some(2), Some(7)));
        assert_eq!(made.made_final([&old].into_iter()), made, "it never goes back");
    }

    #[test]
    fn the_row_is_read_as_it_was_written_and_no_other_way() {
        let versions = FinalVersions::default();
        let versions = versions.with_kinds_of([&node(&[("hero", 3), ("pet", 1)])].into_iter());
        let versions = versions.unwrap();
        let bytes = versions.encode();
        assert_eq!(FinalVersions::decode(&bytes), Ok(versions));
        for end in 0..bytes.len() {
            assert!(FinalVersions::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
        assert!(FinalVersions::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
