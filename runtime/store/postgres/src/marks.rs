//! Keys in use: written by one, or looked at by several.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use throughline_store::Batch;

/// How a batch uses a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Checks it. Several may do so at once; how many do.
    Shared(usize),
    /// Writes it.
    Exclusive,
}

/// The keys in use, each once.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    uses: HashMap<Bytes, Use>,
}

impl Marks {
    pub(crate) fn len(&self) -> usize {
        self.uses.len()
    }

    /// Whether a batch must not run beside those that use these keys.
    pub(crate) fn conflict(&self, batch: &Batch) -> bool {
        if self.uses.is_empty() {
            return false;
        }
        let is_used = |key| self.uses.contains_key(key);
        let is_written = |key| matches!(self.uses.get(key), Some(Use::Exclusive));
        batch.writes().iter().any(|write| is_used(write.key()))
            || batch.checks().iter().any(|check| is_written(check.key()))
    }

    /// Adds the keys of a batch that is not yet among them, or whose uses are those of one group.
    pub(crate) fn add(&mut self, batch: &Batch) {
        for write in batch.writes() {
            self.uses.insert(write.key().clone(), Use::Exclusive);
        }
        for check in batch.checks() {
            self.uses.entry(check.key().clone()).or_insert(Use::Shared(1));
        }
    }

    /// Adds the keys of a group, which conflicts with none of these.
    pub(crate) fn add_all(&mut self, group: &Self) {
        for (key, is_used) in &group.uses {
            match self.uses.entry(key.clone()) {
                Entry::Vacant(entry) => drop(entry.insert(*is_used)),
                Entry::Occupied(mut entry) => match entry.get_mut() {
                    Use::Shared(count) => *count += 1,
                    Use::Exclusive => {}
                },
            }
        }
    }

    /// Takes the keys of a group out again.
    pub(crate) fn remove_all(&mut self, group: &Self) {
        for key in group.uses.keys() {
            match self.uses.get_mut(key) {
                Some(Use::Shared(count)) if *count > 1 => *count -= 1,
                _ => drop(self.uses.remove(key)),
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.uses.clear();
    }
}
