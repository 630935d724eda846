//! One group as one transaction.

use bytes::Bytes;
use futures_util::future::{join, join3, join4};
use throughline_store::Batch;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row as SqlRow, Statement};

use crate::connection::{Connection, is_fatal};
use crate::error::text;
use crate::plan::{Found, Lock, Locks, NotAdmitted, Plan, Row, checksum, evaluate};

const BEGIN: &str = "begin isolation level read committed";

/// What became of each batch of a group.
pub(crate) type Verdicts = Vec<Result<(), NotAdmitted>>;

/// A group that was committed, or that had nothing to commit.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) verdicts: Verdicts,
    /// Records changed.
    pub(crate) records: usize,
}

/// Why a group was not committed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was rolled back, since another transaction came in between: the next try may succeed.
    Again(String),
    /// It was rolled back: its connection broke before the end, or leads to no primary any more.
    Broken(String),
    /// It was rolled back, for a reason that the same batches would meet again.
    Refused(String),
    /// It was rolled back, for damage that one of its batches met.
    Damaged(String),
    /// The answer to its end is lost. If it has landed, this is what became of it, as far as known.
    Lost { done: Option<Done>, reason: String },
}

/// Checks and writes the batches, in a transaction that is known under this number once it has
/// landed.
pub(crate) async fn run(
    connection: &Connection,
    batches: &[Batch],
    id: i64,
    locks_all: bool,
) -> Result<Done, Failure> {
    let locks = Locks::of(batches, locks_all);
    let found = match locks.is_empty() {
        true => Found::new(),
        false => match lock(connection, &locks).await {
            Ok(found) => found,
            Err(error) => {
                roll_back(connection).await;
                return Err(failure(&error));
            }
        },
    };
    let (verdicts, plan) = evaluate(batches, &found);
    if plan.is_empty() {
        if !locks.is_empty() {
            // Sent together. What refuses a commit must be true of the primary.
            let ((), settled) = join(roll_back(connection), connection.settle()).await;
            settled.map_err(|error| Failure::Broken(error.to_string()))?;
        }
        return Ok(Done { verdicts, records: 0 });
    }
    let done = Done { verdicts, records: plan.records };
    write(connection, &plan, id, locks.is_empty(), done).await
}

/// Locks the keys, and reads what is there.
async fn lock(connection: &Connection, locks: &Locks) -> Result<Found, Error> {
    let statements = &connection.statements;
    // Sent together: the answer to all comes in one round trip.
    let (begun, exclusive, shared) = join3(
        connection.client.batch_execute(BEGIN),
        rows(connection, &statements.lock_exclusive, &locks.exclusive),
        rows(connection, &statements.lock_shared, &locks.shared),
    )
    .await;
    begun?;
    let mut found = Found::with_capacity(locks.exclusive.len() + locks.shared.len());
    for (locks, rows) in [(&locks.exclusive, exclusive?), (&locks.shared, shared?)] {
        found.extend(locks.iter().map(|lock| (lock.key.clone(), Row::Absent)));
        for row in rows {
            // Counted by the server, from 1 on.
            let index = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
            if let Some(lock) = locks.get(index.wrapping_sub(1)) {
                found.insert(lock.key.clone(), read(lock, &row)?);
            }
        }
    }
    Ok(found)
}

async fn rows(
    connection: &Connection,
    statement: &Statement,
    locks: &[Lock],
) -> Result<Vec<SqlRow>, Error> {
    if locks.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<&[u8]> = locks.iter().map(|lock| &lock.key[..]).collect();
    let wanted: Vec<bool> = locks.iter().map(|lock| lock.wanted).collect();
    connection.client.query(statement, &[&keys, &wanted]).await
}

fn read(lock: &Lock, row: &SqlRow) -> Result<Row, Error> {
    let Some(value) = row.try_get::<_, Option<&[u8]>>(1)? else { return Ok(Row::Present) };
    let is_whole = row.try_get::<_, i32>(2)? == checksum(&lock.key, value);
    Ok(if is_whole { Row::Value(Bytes::copy_from_slice(value)) } else { Row::Damaged })
}

/// Writes and commits, in one round trip.
async fn write(
    connection: &Connection,
    plan: &Plan,
    id: i64,
    begins: bool,
    done: Done,
) -> Result<Done, Failure> {
    let Connection { client, statements, .. } = connection;
    connection.take_warning();
    let begin = async { if begins { client.batch_execute(BEGIN).await } else { Ok(()) } };
    let land = async {
        client.execute(&statements.landed, &[&id]).await?;
        Ok(())
    };
    // An error of one fails those behind it, and makes the commit a rollback.
    let ((begun, landed, inserted), upserted, deleted, committed) = join4(
        join3(begin, land, put(connection, &statements.insert, &plan.inserts)),
        put(connection, &statements.upsert, &plan.upserts),
        delete(connection, &plan.deletes),
        client.batch_execute("commit"),
    )
    .await;
    for error in [begun, landed, inserted, upserted, deleted, committed] {
        let Err(error) = error else { continue };
        if is_fatal(&error) {
            return Err(Failure::Lost { done: Some(done), reason: text(&error) });
        }
        return Err(failure(&error));
    }
    if connection.take_warning() {
        let reason = "the server no longer waits for its standbys".to_owned();
        return Err(Failure::Lost { done: Some(done), reason });
    }
    Ok(done)
}

async fn put(
    connection: &Connection,
    statement: &Statement,
    records: &[(Bytes, Bytes)],
) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let keys: Vec<&[u8]> = records.iter().map(|(key, _)| &key[..]).collect();
    let values: Vec<&[u8]> = records.iter().map(|(_, value)| &value[..]).collect();
    let sums: Vec<i32> = records.iter().map(|(key, value)| checksum(key, value)).collect();
    connection.client.execute(statement, &[&keys, &values, &sums]).await?;
    Ok(())
}

async fn delete(connection: &Connection, keys: &[Bytes]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    connection.client.execute(&connection.statements.delete, &[&keys]).await?;
    Ok(())
}

/// Lets go of the locks. If that fails, the connection is broken, and the server does it.
async fn roll_back(connection: &Connection) {
    drop(connection.client.batch_execute("rollback").await);
}

/// What an error means that came before the end, or as the answer to it.
fn failure(error: &Error) -> Failure {
    let reason = text(error);
    if is_fatal(error) {
        return Failure::Broken(reason);
    }
    let code = error.code().unwrap_or(&SqlState::INTERNAL_ERROR);
    let is_of = |codes: &[SqlState]| codes.contains(code);
    if is_of(&[SqlState::READ_ONLY_SQL_TRANSACTION]) {
        return Failure::Broken("the server is no primary any more".to_owned());
    }
    if is_of(&[SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED]) {
        return Failure::Damaged(reason);
    }
    let again = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        // Another has written a key that was found absent.
        SqlState::UNIQUE_VIOLATION,
    ];
    if is_of(&again) { Failure::Again(reason) } else { Failure::Refused(reason) }
}
