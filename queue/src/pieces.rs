//! Parts of a commit.

use throughline_store::{Batch, Check, Write};

use crate::keys;

/// Checks and writes that belong into one commit, alone or beside others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "pieces do nothing before they are committed"]
pub struct Pieces {
    /// What must hold.
    pub checks: Vec<Check>,
    /// What is written then.
    pub writes: Vec<Write>,
}

impl Pieces {
    /// Adds others, to be committed together. A row that says that a queue is not empty is
    /// written once, as the later of both has it.
    pub fn merge(&mut self, other: Self) {
        self.checks.extend(other.checks);
        for write in other.writes {
            // Messages have keys of their own.
            let is_shared = write.key().starts_with(keys::NONEMPTY);
            let mut earlier = self.writes.iter_mut();
            match is_shared.then(|| earlier.find(|earlier| earlier.key() == write.key())).flatten()
            {
                Some(earlier) => *earlier = write,
                None => self.writes.push(write),
            }
        }
    }

    /// Adds them to a batch.
    pub fn add_to(self, batch: &mut Batch) {
        self.checks.into_iter().for_each(|check| batch.push_check(check));
        self.writes.into_iter().for_each(|write| batch.push_write(write));
    }

    /// A batch of them alone.
    pub fn into_batch(self) -> Batch {
        let mut batch = Batch::new();
        self.add_to(&mut batch);
        batch
    }
}
