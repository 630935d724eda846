//! What a transaction locks, and what becomes of its batches once it knows what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use throughline_store::{Batch, Check, Corruption, Refusal};

/// A key to lock, and whether its value is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) key: Bytes,
    pub(crate) wanted: bool,
}

/// The keys that a transaction locks before it writes, in ascending order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Locks {
    pub(crate) exclusive: Vec<Lock>,
    /// Only checked.
    pub(crate) shared: Vec<Lock>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Used {
    is_checked: bool,
    is_written: bool,
    is_deleted: bool,
}

impl Locks {
    /// Checked and deleted keys. A key that is put without a check is locked by its write.
    ///
    /// With `all`, every key, and each for this transaction alone: two transactions of that kind
    /// lock in one order, so they never deadlock.
    pub(crate) fn of(batches: &[Batch], all: bool) -> Self {
        let mut used: BTreeMap<&Bytes, Used> = BTreeMap::new();
        for batch in batches {
            for check in batch.checks() {
                used.entry(check.key()).or_default().is_checked = true;
            }
            for write in batch.writes() {
                let used = used.entry(write.key()).or_default();
                used.is_written = true;
                used.is_deleted |= write.value().is_none();
            }
        }
        let mut locks = Self::default();
        for (key, used) in used {
            let lock = Lock { key: key.clone(), wanted: used.is_checked };
            if all || (used.is_written && (used.is_checked || used.is_deleted)) {
                locks.exclusive.push(lock);
            } else if used.is_checked {
                locks.shared.push(lock);
            }
        }
        locks
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exclusive.is_empty() && self.shared.is_empty()
    }
}

/// What is there of a key that was locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    Absent,
    /// Its value was not wanted.
    Present,
    Value(Bytes),
    /// Its bytes are not those that were committed.
    Damaged,
}

/// What is there, of every key that was locked.
pub(crate) type Found = HashMap<Bytes, Row>;

/// Why a batch is not part of its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    Refused(Refusal),
    Corrupt(Corruption),
}

/// What a transaction writes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Known to be absent: writing them fails the transaction if another wrote them meanwhile.
    /// Those that stay absent are among them, since nothing else locks an absent key.
    pub(crate) inserts: Vec<(Bytes, Bytes)>,
    pub(crate) upserts: Vec<(Bytes, Bytes)>,
    /// After the others.
    pub(crate) deletes: Vec<Bytes>,
    /// Records that the admitted batches change.
    pub(crate) records: usize,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.inserts.is_empty() && self.upserts.is_empty() && self.deletes.is_empty()
    }
}

/// Checks one batch after the other, each against what those before it leave.
pub(crate) fn evaluate(batches: &[Batch], found: &Found) -> (Vec<Result<(), NotAdmitted>>, Plan) {
    let mut group = Group { found, writes: BTreeMap::new(), absent: BTreeSet::new(), records: 0 };
    let verdicts = batches.iter().map(|batch| group.admit(batch)).collect();
    (verdicts, group.plan())
}

struct Group<'a> {
    found: &'a Found,
    /// What the admitted batches leave of each key that they write.
    writes: BTreeMap<&'a Bytes, Option<&'a Bytes>>,
    /// Keys that must be absent, though perhaps none of these batches writes them.
    absent: BTreeSet<&'a Bytes>,
    records: usize,
}

impl<'a> Group<'a> {
    fn admit(&mut self, batch: &'a Batch) -> Result<(), NotAdmitted> {
        for (index, check) in batch.checks().iter().enumerate() {
            if !self.holds(check)? {
                let key = check.key().clone();
                return Err(NotAdmitted::Refused(Refusal { check: index, key }));
            }
        }
        for check in batch.checks() {
            if self.found.get(check.key()) == Some(&Row::Absent) {
                self.absent.insert(check.key());
            }
        }
        for write in batch.writes() {
            self.writes.insert(write.key(), write.value());
        }
        self.records += batch.writes().len();
        Ok(())
    }

    fn holds(&self, check: &Check) -> Result<bool, NotAdmitted> {
        let key = check.key();
        if let Some(value) = self.writes.get(key) {
            return Ok(check.holds(value.map(|value| &value[..])));
        }
        match self.found.get(key) {
            Some(Row::Value(value)) => Ok(check.holds(Some(value))),
            Some(Row::Absent) => Ok(check.holds(None)),
            // Every checked key is locked with its value wanted.
            Some(Row::Damaged | Row::Present) | None => Err(NotAdmitted::Corrupt(corruption(key))),
        }
    }

    fn plan(self) -> Plan {
        let mut plan = Plan { records: self.records, ..Plan::default() };
        let mut stay_absent = self.absent;
        for (&key, value) in &self.writes {
            let is_absent = self.found.get(key) == Some(&Row::Absent);
            match value {
                Some(value) if is_absent => {
                    plan.inserts.push((key.clone(), Bytes::clone(value)));
                    stay_absent.remove(key);
                }
                Some(value) => plan.upserts.push((key.clone(), Bytes::clone(value))),
                None if is_absent => drop(stay_absent.insert(key)),
                None => plan.deletes.push(key.clone()),
            }
        }
        for key in stay_absent {
            plan.deletes.push(key.clone());
            plan.inserts.push((key.clone(), Bytes::new()));
        }
        plan.inserts.sort_unstable();
        plan
    }
}

/// What is damaged, and the way out.
pub(crate) fn corruption(key: &Bytes) -> Corruption {
    let key = key.escape_ascii();
    let detail = format!(
        "the record of \"{key}\" in throughline.record does not have its checksum: \
         put back the last backup, or delete the record"
    );
    Corruption { detail }
}

/// The checksum of a record.
pub(crate) fn checksum(key: &[u8], value: &[u8]) -> i32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
    crc.update(key);
    crc.update(value);
    i32::from_be_bytes(crc.finalize().to_be_bytes())
}

#[cfg(test)]
mod tests;
