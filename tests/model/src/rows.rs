//! Rows of a store.

use crate::small::{R, V};

/// Rows, sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rows(pub Vec<(R, V)>);

impl Rows {
    /// What stands in a row.
    #[must_use]
    pub fn get(&self, row: R) -> Option<V> {
        self.0.binary_search_by(|(r, _)| r.cmp(&row)).ok().map(|at| self.0[at].1)
    }

    /// Writes a row, or deletes it.
    pub fn put(&mut self, row: R, value: Option<V>) {
        match (self.0.binary_search_by(|(r, _)| r.cmp(&row)), value) {
            (Ok(at), Some(value)) => self.0[at].1 = value,
            (Ok(at), None) => {
                self.0.remove(at);
            }
            (Err(at), Some(value)) => self.0.insert(at, (row, value)),
            (Err(_), None) => {}
        }
    }
}
