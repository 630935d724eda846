//! The tables: created and upgraded by numbered migrations, under a lock.

use std::time::Duration;

use tokio_postgres::Client;

use crate::limits::{MIGRATION_STATEMENT, OPEN_STATEMENT};
use crate::{OpenError, Options};

/// The migrations, each numbered by its place, from 1 on. One that was shipped never changes.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql")];

/// The newest version that this build knows.
pub(crate) const VERSION: i32 = MIGRATIONS.len() as i32;

/// The advisory lock under which a database is migrated: "throughl" as a number.
const LOCK: i64 = 0x7468_726f_7567_686c;

const CREATE: &str = "
    create schema if not exists throughline;
    create table throughline.meta (
        one boolean primary key default true check (one),
        cluster text not null,
        version integer not null
    )";

/// Brings the tables to the newest version, or creates them for this cluster, unless the options
/// say that they must be there.
pub(crate) async fn migrate(client: &Client, options: &Options) -> Result<(), OpenError> {
    client.batch_execute("begin isolation level read committed").await?;
    set_timeout(client, MIGRATION_STATEMENT).await?;
    let migrated = migrate_locked(client, options).await;
    if migrated.is_ok() {
        // Ends the wait for a standby that is lost; the server warns then.
        set_timeout(client, OPEN_STATEMENT).await?;
    }
    client.batch_execute(if migrated.is_ok() { "commit" } else { "rollback" }).await?;
    migrated
}

async fn set_timeout(client: &Client, time: Duration) -> Result<(), OpenError> {
    let millis = time.as_millis();
    let set = format!("set local statement_timeout = {millis}; set local lock_timeout = {millis}");
    Ok(client.batch_execute(&set).await?)
}

async fn migrate_locked(client: &Client, options: &Options) -> Result<(), OpenError> {
    client.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let there = client.query_one("select to_regclass('throughline.meta') is not null", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        if options.is_existing {
            return Err(OpenError::NoStore { hosts: options.hosts() });
        }
        client.batch_execute(CREATE).await?;
        let insert = "insert into throughline.meta (cluster, version) values ($1, 0)";
        client.execute(insert, &[&options.cluster]).await?;
    }
    let version = verify(client, &options.cluster).await?;
    for (number, migration) in (1..).zip(MIGRATIONS) {
        if number > version {
            client.batch_execute(migration).await?;
            client.execute("update throughline.meta set version = $1", &[&number]).await?;
        }
    }
    Ok(())
}

/// Whether the database is this cluster's, and this program knows its version.
pub(crate) async fn verify(client: &Client, cluster: &str) -> Result<i32, OpenError> {
    let row = client.query_opt("select cluster, version from throughline.meta", &[]).await?;
    let Some(row) = row else {
        return Err(OpenError::Failed { reason: "throughline.meta has no row".to_owned() });
    };
    let (found, version): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
    if found != cluster {
        return Err(OpenError::OtherCluster { found, wanted: cluster.to_owned() });
    }
    if version > VERSION {
        return Err(OpenError::NewerSchema { found: version, known: VERSION });
    }
    Ok(version)
}
