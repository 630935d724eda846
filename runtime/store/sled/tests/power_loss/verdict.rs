//! What was answered before the power went, and whether a store still has it.

use std::path::Path;

use throughline_store::{Scan, Store};
use throughline_store_sled::{OpenError, SledStore};

use crate::plan::{self, WRITERS};

/// For each writer: its last commit that was answered or read, and its last that was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    answered: [u64; WRITERS as usize],
    begun: [u64; WRITERS as usize],
}

impl Said {
    /// A line of the writing process.
    pub(crate) fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let list = match words.next() {
            Some("begins") => &mut self.begun,
            // What a read has shown is durable, too.
            Some("answered" | "read") => &mut self.answered,
            _ => return,
        };
        let mut number = || words.next()?.parse::<u64>().ok();
        let (Some(writer), Some(n)) = (number(), number()) else { panic!("said {line:?}") };
        list[usize::try_from(writer).expect("a writer")] = n;
    }
}

/// What came of opening a store after the power was lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It opened, and all is as it must be.
    Whole,
    /// It opened without something that was answered.
    Lost(String),
    /// It opened with something that is not a commit, or only a part of one.
    Wrong(String),
    /// It did not open: the name of the error, and its text.
    Refused(&'static str, String),
}

/// Opens what is there, and compares.
pub(crate) async fn judge(path: &Path, said: &Said) -> Verdict {
    let store = match SledStore::open(path) {
        Ok(store) => store,
        Err(error) => return Verdict::Refused(name(&error), error.to_string()),
    };
    for writer in 0..WRITERS {
        if let Err(verdict) = judge_writer(&store, writer, said).await {
            return verdict;
        }
    }
    match store.close().await {
        Ok(()) => Verdict::Whole,
        Err(error) => Verdict::Wrong(error.to_string()),
    }
}

fn name(error: &OpenError) -> &'static str {
    match error {
        OpenError::Locked { .. } => "Locked",
        OpenError::NewerFormat { .. } => "NewerFormat",
        OpenError::NotAStore { .. } => "NotAStore",
        OpenError::Corrupt { .. } => "Corrupt",
        OpenError::DiskFull { .. } => "DiskFull",
        OpenError::Io { .. } => "Io",
        _ => "of a kind that this test does not know",
    }
}

async fn judge_writer(store: &SledStore, writer: u64, said: &Said) -> Result<(), Verdict> {
    let index = usize::try_from(writer).expect("a writer");
    let (answered, begun) = (said.answered[index], said.begun[index]);
    let unreadable = |error: &dyn std::fmt::Display| Verdict::Wrong(error.to_string());
    let counter = store.get(plan::counter(writer)).await.map_err(|error| unreadable(&error))?;
    let n = counter.map_or(0, |counter| plan::to_number(&counter));
    if n < answered {
        return Err(Verdict::Lost(format!("writer {writer}: {answered} answered, {n} there")));
    }
    if n > begun {
        return Err(Verdict::Wrong(format!("writer {writer}: {begun} begun, {n} there")));
    }
    let mut expected = plan::records(n).into_iter();
    let mut scan = Some(Scan::prefix(plan::prefix(writer)));
    while let Some(next) = scan.take() {
        let page = store.scan(next.clone()).await.map_err(|error| unreadable(&error))?;
        for entry in page.entries() {
            let record = expected.next();
            let is_right = record.is_some_and(|(slot, n)| {
                let value = plan::value(writer, slot, n);
                entry.key == plan::key(writer, slot) && entry.value == value
            });
            if !is_right {
                let key = entry.key.escape_ascii();
                let text = format!("writer {writer} at {n}: {key} in the place of {record:?}");
                return Err(Verdict::Wrong(text));
            }
        }
        scan = page.next().map(|from| next.resume(from.clone()));
    }
    match expected.next() {
        Some(record) => Err(Verdict::Wrong(format!("writer {writer} at {n}: no {record:?}"))),
        None => Ok(()),
    }
}
