//! Reads that wait, and the connections that answer them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use throughline_store::limits::KEY_BYTES_MAX;
use throughline_store::{GetError, Outage, Page, Scan, ScanError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::connection::{Connection, Purpose, is_fatal};
use crate::error::text;
use crate::limits::{GETS_MAX, SCANS_MAX};
use crate::member::Member;
use crate::plan::{checksum, corruption};
use crate::shared::Shared;
use crate::writer::MOVED;

/// A read that waits, with the way back for its answer.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) asked: Asked,
    pub(crate) deadline: Instant,
    /// Its share of what the store keeps, given back with the answer.
    pub(crate) _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) enum Asked {
    Get(Bytes, oneshot::Sender<Result<Option<Bytes>, GetError>>),
    Scan(Scan, oneshot::Sender<Result<Page, ScanError>>),
}

impl Read {
    /// Answers that the store is down. Who waits for an answer no longer does not need it.
    pub(crate) fn fail(self, outage: &Outage) {
        match self.asked {
            Asked::Get(_, answer) => drop(answer.send(Err(GetError::Down(outage.clone())))),
            Asked::Scan(_, answer) => drop(answer.send(Err(ScanError::Down(outage.clone())))),
        }
    }

    /// Answers a read that was not begun.
    pub(crate) fn answer_closed(self) {
        match self.asked {
            Asked::Get(_, answer) => drop(answer.send(Err(GetError::Closed))),
            Asked::Scan(_, answer) => drop(answer.send(Err(ScanError::Closed))),
        }
    }

    fn answer_value(self, value: Option<Result<Bytes, Bytes>>) {
        // Scans are asked among themselves.
        let Asked::Get(_, answer) = self.asked else { return };
        let value = value.transpose();
        drop(answer.send(value.map_err(|key| GetError::Corrupt(corruption(&key)))));
    }

    fn answer_page(self, page: Result<Page, Bytes>) {
        let Asked::Scan(_, answer) = self.asked else { return };
        drop(answer.send(page.map_err(|key| ScanError::Corrupt(corruption(&key)))));
    }

    fn is_scan(&self) -> bool {
        matches!(self.asked, Asked::Scan(..))
    }
}

/// Reads that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    waiting: VecDeque<Read>,
}

impl Reads {
    pub(crate) fn push(&mut self, read: Read) {
        self.waiting.push_back(read);
    }

    /// Values to read together, or pages.
    fn take(&mut self) -> Vec<Read> {
        let mut taken: Vec<Read> = self.waiting.pop_front().into_iter().collect();
        let is_scan = taken.first().is_some_and(Read::is_scan);
        let most = if is_scan { SCANS_MAX } else { GETS_MAX };
        while taken.len() < most {
            match self.waiting.pop_front_if(|read| read.is_scan() == is_scan) {
                Some(read) => taken.push(read),
                None => break,
            }
        }
        taken
    }

    /// Puts back what was not answered, to be the next.
    fn put_back(&mut self, reads: Vec<Read>) {
        for read in reads.into_iter().rev() {
            self.waiting.push_front(read);
        }
    }

    pub(crate) fn expired(&mut self, now: Instant) -> Vec<Read> {
        let mut expired = Vec::new();
        while let Some(read) = self.waiting.pop_front_if(|read| read.deadline <= now) {
            expired.push(read);
        }
        expired
    }

    pub(crate) fn drain(&mut self) -> Vec<Read> {
        self.waiting.drain(..).collect()
    }
}

/// Answers reads until the store closes.
pub(crate) async fn run(shared: Arc<Shared>, mut member: Member) {
    let purpose = Purpose::Read(shared.options.waits.read);
    while member.connect(purpose).await {
        let reads = shared.reads().take();
        let (Some(first), Some(connection)) = (reads.first(), member.connection()) else {
            if !member.wait_for(&shared.reads_wait).await {
                break;
            }
            continue;
        };
        // Another may go on with what is left.
        shared.reads_wait.notify_one();
        let deadline = first.deadline;
        let asked = timeout_at(deadline, ask(connection, member.moved(), &reads)).await;
        let is_late = asked.is_err();
        let late = || "a read was not answered in time".to_owned();
        match asked.unwrap_or_else(|_| Err(late())) {
            Ok(found) => found.answer_all(reads),
            Err(reason) => {
                log::debug!("a read is asked again: {reason}");
                let outage = shared.outage(&reason);
                member.disconnect(reason);
                let (late, others): (Vec<_>, Vec<_>) =
                    reads.into_iter().partition(|read| is_late && read.deadline <= deadline);
                late.into_iter().for_each(|read| read.fail(&outage));
                shared.reads().put_back(others);
            }
        }
    }
}

/// What these reads find; or why they are to be asked again: the connection broke, or does not lead
/// to the primary any more.
async fn ask(
    connection: &Connection,
    moved: impl Future<Output = ()>,
    reads: &[Read],
) -> Result<Found, String> {
    // Sent together: the answer to both comes in one round trip.
    let work = join(find(connection, reads), connection.settle());
    let (found, settled) = tokio::select! {
        outcomes = work => outcomes,
        () = moved => return Err(MOVED.to_owned()),
    };
    if let Some(error) = found.error().filter(|error| is_fatal(error) && connection.is_closed()) {
        return Err(text(error));
    }
    settled.map_err(|error| error.to_string())?;
    Ok(found)
}

/// The values by the place of their reads, those of damaged entries as their keys.
type Values = HashMap<usize, Result<Bytes, Bytes>>;

/// What queries found.
enum Found {
    Values(Result<Values, Error>),
    /// Each a page, or the key of a damaged entry.
    Pages(Vec<Result<Result<Page, Bytes>, Error>>),
}

impl Found {
    fn error(&self) -> Option<&Error> {
        match self {
            Self::Values(values) => values.as_ref().err(),
            Self::Pages(pages) => pages.iter().find_map(|page| page.as_ref().err()),
        }
    }

    /// Answers the reads that were asked.
    fn answer_all(self, reads: Vec<Read>) {
        match self {
            Self::Values(Err(error)) => reads.into_iter().for_each(|read| fail(read, &error)),
            Self::Values(Ok(mut values)) => {
                for (index, read) in reads.into_iter().enumerate() {
                    read.answer_value(values.remove(&index));
                }
            }
            Self::Pages(pages) => {
                for (read, page) in reads.into_iter().zip(pages) {
                    match page {
                        Ok(page) => read.answer_page(page),
                        Err(error) => fail(read, &error),
                    }
                }
            }
        }
    }
}

async fn find(connection: &Connection, reads: &[Read]) -> Found {
    if !reads.first().is_some_and(Read::is_scan) {
        return Found::Values(gets(connection, reads).await);
    }
    let pages = reads.iter().filter_map(|read| match &read.asked {
        Asked::Scan(scan, _) => Some(page(connection, scan)),
        Asked::Get(..) => None,
    });
    Found::Pages(join_all(pages).await)
}

async fn gets(connection: &Connection, reads: &[Read]) -> Result<Values, Error> {
    let key = |read: &Read| match &read.asked {
        Asked::Get(key, _) => key.clone(),
        Asked::Scan(..) => Bytes::new(),
    };
    let keys: Vec<Bytes> = reads.iter().map(key).collect();
    let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let rows = connection.client.query(&connection.statements.get, &[&asked]).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let (number, value): (i64, &[u8]) = (row.try_get(0)?, row.try_get(1)?);
        // Counted by the server, from 1 on.
        let index = usize::try_from(number - 1).unwrap_or_default();
        let Some(key) = keys.get(index) else { continue };
        let is_whole = row.try_get::<_, i32>(2)? == checksum(key, value);
        let value = Bytes::copy_from_slice(value);
        found.insert(index, if is_whole { Ok(value) } else { Err(key.clone()) });
    }
    Ok(found)
}

/// A page, or the key of a damaged entry.
async fn page(connection: &Connection, scan: &Scan) -> Result<Result<Page, Bytes>, Error> {
    let mut page = scan.page();
    if scan.is_empty() {
        return Ok(Ok(page));
    }
    // Behind every key.
    let last = Bytes::from_static(&[u8::MAX; KEY_BYTES_MAX + 1]);
    let (from, to) = (&scan.from()[..], &scan.to().unwrap_or(&last)[..]);
    let entries = i64::try_from(page.entries_max()).unwrap_or(i64::MAX);
    let bytes = i64::try_from(page.bytes_max()).unwrap_or(i64::MAX);
    let statement = &connection.statements.scan;
    let rows = connection.client.query(statement, &[&from, &to, &entries, &bytes]).await?;
    for row in rows {
        let key = Bytes::copy_from_slice(row.try_get(0)?);
        let Some(value) = row.try_get::<_, Option<&[u8]>>(1)? else {
            page.end_before(key);
            break;
        };
        if row.try_get::<_, i32>(2)? != checksum(&key, value) {
            return Ok(Err(key));
        }
        if !page.push(key, Bytes::copy_from_slice(value)) {
            break;
        }
    }
    Ok(Ok(page))
}

/// Answers a read that the server refused.
fn fail(read: Read, error: &Error) {
    let is_damage = error
        .code()
        .is_some_and(|code| [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code));
    let reason = text(error);
    if !is_damage {
        return read.fail(&Outage { reason, retry_after: crate::limits::RECONNECT_EVERY });
    }
    let corruption = throughline_store::Corruption { detail: reason };
    match read.asked {
        Asked::Get(_, answer) => drop(answer.send(Err(GetError::Corrupt(corruption)))),
        Asked::Scan(_, answer) => drop(answer.send(Err(ScanError::Corrupt(corruption)))),
    }
}
