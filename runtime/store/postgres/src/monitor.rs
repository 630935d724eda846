//! Looks at the server's health, and sweeps what is no longer needed.

use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout};

use crate::connection::{Connection, Connector, Purpose};
use crate::limits::{
    HEALTH_DEADLINE, HEALTH_EVERY, OPEN_DEADLINE, OUTCOMES_KEPT, STANDBY_PATIENCE, SWEEP_EVERY,
};
use crate::shared::Shared;
use crate::{Health, OpenError};

const LOOK: &str = "
    select
        (select count(*) from pg_stat_activity
            where usename = current_user and wait_event = 'SyncRep'
            and state_change < clock_timestamp() - make_interval(secs => $1)),
        current_setting('synchronous_standby_names'),
        (select count(*) from pg_stat_replication)";

/// What it deletes need be on no standby: a server never ends the wait for one.
fn sweep_old() -> String {
    let kept = OUTCOMES_KEPT.as_secs();
    format!(
        "begin; set local synchronous_commit = local;
         delete from throughline.outcome where at < now() - make_interval(secs => {kept}); commit"
    )
}

/// Looks at the server until the store ends.
pub(crate) async fn run(shared: Arc<Shared>, connector: Connector) {
    let mut connection: Option<Connection> = None;
    let mut swept = Instant::now();
    loop {
        let health = match look(&connector, &mut connection).await {
            Ok(health) => health,
            Err(error) => {
                connection = None;
                Health::Away { reason: error.to_string() }
            }
        };
        if let (Health::AwaitsStandby { .. }, Some(old)) = (&health, &connection)
            && let Some(newer) = connector.open_newer(old).await
        {
            log::warn!("{} takes writes, but {} is the primary", old.server, newer.server);
            connection = Some(newer);
        }
        if let Some(connection) = &connection {
            note_server(&shared, &connection.server);
        }
        let change = |old: &mut Health| {
            let has_changed = *old != health;
            if has_changed && health.is_working() && *old != Health::Unseen {
                log::info!("{health}");
            } else if has_changed && !health.is_working() {
                log::warn!("{health}");
            }
            *old = health;
            has_changed
        };
        shared.health.send_if_modified(change);
        if let Some(open) = connection.as_ref().filter(|_| swept.elapsed() >= SWEEP_EVERY) {
            swept = Instant::now();
            let deleted = timeout(OPEN_DEADLINE, open.client.batch_execute(&sweep_old())).await;
            if !matches!(deleted, Ok(Ok(()))) {
                log::debug!("old outcomes are not swept: {deleted:?}");
                connection = None;
            }
        }
        sleep(HEALTH_EVERY).await;
    }
}

/// How the server is, over a connection that is opened if there is none.
pub(crate) async fn look(
    connector: &Connector,
    connection: &mut Option<Connection>,
) -> Result<Health, OpenError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(connector.open(Purpose::Watch).await?),
    };
    let patience = STANDBY_PATIENCE.as_secs_f64();
    let row = timeout(HEALTH_DEADLINE, connection.client.query_one(LOOK, &[&patience])).await;
    let late = || {
        let seconds = HEALTH_DEADLINE.as_secs();
        OpenError::Failed { reason: format!("no answer for {seconds} s") }
    };
    let row = row.map_err(|_| late())??;
    let (waiting, names, connected) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(match waiting {
        0 => Health::Working,
        _ => Health::AwaitsStandby { names, connected, waiting },
    })
}

fn note_server(shared: &Shared, server: &str) {
    shared.server.send_if_modified(|old| {
        let has_moved = old != server;
        if has_moved {
            server.clone_into(old);
        }
        has_moved
    });
}
