//! What an operator does with a database: reads every record, and looks at the server.
//!
//! Both may be done while nodes use it. Neither creates tables or changes a record.

use std::sync::Arc;

use throughline_store::limits::{KEY_BYTES_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use tokio_postgres::Row;

use crate::connection::{Connection, Connector, Purpose};
use crate::limits::READ_DEADLINE;
use crate::plan::checksum;
use crate::{Health, OpenError, Options, monitor, schema};

/// So many damaged records are named; the others are counted.
const NAMED_MAX: usize = 100;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Records read well.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Records that do not have their checksum.
    pub damaged: u64,
    /// The first hundred of them: the key, escaped, and what is wrong.
    pub named: Vec<(String, &'static str)>,
}

/// The server, as it is at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// Its version, as it says it.
    pub version: String,
    /// The version of the tables.
    pub schema: i32,
    /// Whether it says that commits get on.
    pub health: Health,
    /// `fsync`, which is on, or the store would not open.
    pub fsync: String,
    /// `full_page_writes`, likewise.
    pub full_page_writes: String,
    /// `data_checksums`: whether the server notices pages that a disk has changed.
    pub data_checksums: String,
    /// `synchronous_standby_names`: the standbys that a commit waits for. Empty: none, and what is
    /// acknowledged does not survive the loss of the server's disk.
    pub synchronous_standby_names: String,
    /// Standbys that are connected.
    pub standbys: i64,
    /// What the records take.
    pub sizes: Sizes,
}

/// What the records take on the server's disk, with the versions that are not cleaned up yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// Bytes of the partitions of the table, with their large values.
    pub table_bytes: i64,
    /// Bytes of their indexes.
    pub index_bytes: i64,
    /// Both.
    pub total_bytes: i64,
    /// Rows that the server takes to be alive, an estimate.
    pub live_rows: i64,
    /// Rows that were deleted or overwritten and are not cleaned up, an estimate.
    pub dead_rows: i64,
    /// Bytes of what is noted about transactions, with its indexes.
    pub outcome_bytes: i64,
}

const SETTINGS: &str = "
    select current_setting('server_version'), current_setting('fsync'),
        current_setting('full_page_writes'), current_setting('data_checksums'),
        current_setting('synchronous_standby_names'),
        (select count(*) from pg_stat_replication)";

const SIZES: &str = "
    select coalesce(sum(pg_table_size(c.oid)), 0)::bigint,
        coalesce(sum(pg_indexes_size(c.oid)), 0)::bigint,
        coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint,
        coalesce(sum(pg_stat_get_live_tuples(c.oid)), 0)::bigint,
        coalesce(sum(pg_stat_get_dead_tuples(c.oid)), 0)::bigint,
        pg_total_relation_size('throughline.outcome')
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'throughline.record'::regclass";

/// Reads every record, compares it with its checksum, and calls `each` with those that have
/// theirs, in the order of keys: pages, so it is not one moment while nodes use the database.
///
/// # Errors
/// The database has no store, does not open, or does not answer.
pub async fn check(
    options: Options,
    mut each: impl FnMut(&[u8], &[u8]),
) -> Result<Report, OpenError> {
    let connector = connector(options).await?;
    let connection = connector.open(Purpose::Read(READ_DEADLINE)).await?;
    let mut report = Report::default();
    let mut from = Vec::new();
    // Ends, since each page begins behind the one before.
    loop {
        let rows = page(&connection, &from).await?;
        let mut next = None;
        for row in rows {
            let key: &[u8] = row.try_get(0)?;
            let Some(value) = row.try_get::<_, Option<&[u8]>>(1)? else {
                next = Some(key.to_vec());
                break;
            };
            if row.try_get::<_, i32>(2)? == checksum(key, value) {
                report.records += 1;
                report.bytes += (key.len() + value.len()) as u64;
                each(key, value);
            } else {
                report.damaged += 1;
                if report.named.len() < NAMED_MAX {
                    report.named.push((key.escape_ascii().to_string(), "the checksum"));
                }
            }
        }
        match next {
            Some(key) => from = key,
            None => return Ok(report),
        }
    }
}

async fn page(connection: &Connection, from: &[u8]) -> Result<Vec<Row>, OpenError> {
    // Behind every key.
    let to = &[u8::MAX; KEY_BYTES_MAX + 1][..];
    let entries = i64::try_from(PAGE_ENTRIES_MAX).unwrap_or(i64::MAX);
    let bytes = i64::try_from(PAGE_BYTES_MAX).unwrap_or(i64::MAX);
    let statement = &connection.statements.scan;
    Ok(connection.client.query(statement, &[&from, &to, &entries, &bytes]).await?)
}

/// Looks at the server and its settings, and measures the tables.
///
/// # Errors
/// The database has no store, does not open, or does not answer.
pub async fn look(options: Options) -> Result<Server, OpenError> {
    let cluster = options.cluster.clone();
    let connector = connector(options).await?;
    let mut watched = None;
    let health = monitor::look(&connector, &mut watched).await?;
    let connection = match watched {
        Some(connection) => connection,
        None => connector.open(Purpose::Watch).await?,
    };
    let schema = schema::verify(&connection.client, &cluster).await?;
    let row = connection.client.query_one(SETTINGS, &[]).await?;
    let sizes = connection.client.query_one(SIZES, &[]).await?;
    Ok(Server {
        version: row.try_get(0)?,
        schema,
        health,
        fsync: row.try_get(1)?,
        full_page_writes: row.try_get(2)?,
        data_checksums: row.try_get(3)?,
        synchronous_standby_names: row.try_get(4)?,
        standbys: row.try_get(5)?,
        sizes: Sizes {
            table_bytes: sizes.try_get(0)?,
            index_bytes: sizes.try_get(1)?,
            total_bytes: sizes.try_get(2)?,
            live_rows: sizes.try_get(3)?,
            dead_rows: sizes.try_get(4)?,
            outcome_bytes: sizes.try_get(5)?,
        },
    })
}

/// What opens connections to a database that has a store.
async fn connector(mut options: Options) -> Result<Connector, OpenError> {
    options.existing();
    let connector = Connector::new(Arc::new(options))?;
    connector.migrate().await?;
    Ok(connector)
}
