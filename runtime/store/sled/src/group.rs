//! One group commit: several batches, checked one after the other, written as one.

use std::collections::HashMap;

use bytes::Bytes;
use throughline_store::{Batch, Check, Refusal};

use crate::engine::EngineError;
use crate::opened::{Opened, ReadError};
use crate::record::{self, Head};
use crate::seal::Seal;

/// The batches accepted so far.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    opened: &'a mut Opened,
    /// What they leave of each key that they write.
    writes: HashMap<Bytes, Change>,
}

#[derive(Debug)]
struct Change {
    /// What is on disk.
    old: Option<Head>,
    /// `None` is a delete.
    new: Option<Bytes>,
}

/// Why a batch is not part of a group. It has changed nothing.
#[derive(Debug)]
pub(crate) enum NotAdmitted {
    Refused(Refusal),
    Unreadable(Bytes, ReadError),
}

impl<'a> Group<'a> {
    pub(crate) fn new(opened: &'a mut Opened) -> Self {
        Self { opened, writes: HashMap::new() }
    }

    /// Checks a batch against what is on disk and what the batches before it leave, and takes it.
    pub(crate) fn admit(&mut self, batch: &Batch) -> Result<(), NotAdmitted> {
        // A key that is checked is mostly written, too: it is read once.
        let mut checked = HashMap::new();
        for (index, check) in batch.checks().iter().enumerate() {
            if !self.holds(check, &mut checked)? {
                let key = check.key().clone();
                return Err(NotAdmitted::Refused(Refusal { check: index, key }));
            }
        }
        // Every read comes before the first change, so that a batch is taken whole.
        let mut heads = Vec::new();
        for write in batch.writes() {
            if let Some(head) = checked.get(write.key()) {
                heads.push(*head);
            } else if !self.writes.contains_key(write.key()) {
                let read = self.opened.head(write.key());
                heads.push(read.map_err(|e| NotAdmitted::Unreadable(write.key().clone(), e))?);
            }
        }
        let mut heads = heads.into_iter();
        for write in batch.writes() {
            let new = write.value().cloned();
            match self.writes.get_mut(write.key()) {
                Some(change) => change.new = new,
                None => {
                    let old = heads.next().flatten();
                    self.writes.insert(write.key().clone(), Change { old, new });
                }
            }
        }
        Ok(())
    }

    /// What they change.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Bytes> {
        self.writes.keys().cloned()
    }

    /// Writes all of them; on the disk when it returns. After an error the files must be closed.
    pub(crate) fn write(self) -> Result<(), EngineError> {
        let mut batch = sled::Batch::default();
        let mut seal = self.opened.seal;
        let mut is_empty = true;
        for (key, change) in &self.writes {
            is_empty &= change.old.is_none() && change.new.is_none();
            add(&mut batch, &mut seal, key, change);
        }
        // Checks alone, or deletes of absent keys: what they looked at is on the disk.
        if is_empty { Ok(()) } else { self.opened.write(batch, seal) }
    }

    /// Whether a check holds. What it read of a key on the disk goes into `checked`.
    fn holds(
        &self,
        check: &Check,
        checked: &mut HashMap<Bytes, Option<Head>>,
    ) -> Result<bool, NotAdmitted> {
        let key = check.key();
        if let Some(change) = self.writes.get(key) {
            return Ok(check.holds(change.new.as_deref()));
        }
        let read = self.opened.value_and_head(key);
        let (now, head) = read.map_err(|error| NotAdmitted::Unreadable(key.clone(), error))?;
        checked.insert(key.clone(), head);
        Ok(check.holds(now.as_deref()))
    }
}

fn add(batch: &mut sled::Batch, seal: &mut Seal, key: &[u8], change: &Change) {
    if let Some(old) = change.old {
        seal.records -= 1;
        seal.digest = seal.digest.wrapping_sub(old.digest());
    }
    let mut kept_chunks = 0;
    match &change.new {
        Some(value) => {
            let (head, entries) = record::entries(key, value);
            seal.records += 1;
            seal.digest = seal.digest.wrapping_add(head.digest());
            kept_chunks = head.further_chunks();
            entries.into_iter().for_each(|entry| batch.insert(entry.key, entry.stored));
        }
        None if change.old.is_some() => batch.remove(record::head_key(key)),
        None => {}
    }
    let old_chunks = change.old.map_or(0, Head::further_chunks);
    for index in kept_chunks..old_chunks {
        batch.remove(record::chunk_key(key, index));
    }
}
