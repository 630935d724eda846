//! Staging durable messages in a turn.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::RecordId;
use throughline_queue::{
    AdmitError, PayloadError, QueueName, ReadError, defaults::PAYLOAD_BYTES_MAX,
};
use throughline_store::Scan;

use super::{
    Address, Durable, GroupName, SendReliableError, queue_of, record_of, seal, staged::DURABLE_MAX,
};
use crate::{
    cluster,
    node::Shared,
    session::{Effects, HandlerError},
};

/// Stages a message to one address. It leaves with the commit of the turn.
pub(crate) async fn stage_reliable(
    node: &Shared,
    effects: &RefCell<Effects>,
    from: Option<&RecordId>,
    to: &Address,
    body: &[u8],
    ttl: Duration,
) -> Result<(), SendReliableError> {
    let to = queue_of(to)?;
    let payload = seal(from, body);
    let mut admitted = admit(node, &[&to], payload.len()).await?;
    admitted.pop().unwrap_or(Ok(()))?;
    let expires_ms = expires(node, ttl);
    let meets = from.is_some_and(|from| record_of(&to).as_ref() != Some(from));
    let asks = meets && effects.borrow().peers.asks_who(&to);
    let found = if asks { cluster::life_of(node, &to).await } else { None };
    let mut effects = effects.borrow_mut();
    effects.durable.push(Durable::Enqueue { to: to.clone(), payload, expires_ms })?;
    if meets {
        effects.peers.send(&to, found);
    }
    Ok(())
}

/// Stages that an actor watches somebody from now on, or does no more.
pub(crate) fn stage_watch(
    effects: &RefCell<Effects>,
    to: &Address,
    watched: bool,
) -> Result<(), HandlerError> {
    let staged = effects.borrow_mut().peers.watch(queue_of(to)?, watched);
    staged.map_err(|most| HandlerError::new(format!("watches more than {most} others")))
}

/// Stages a message to each member of a group; to how many. A member whose queue is full is passed
/// over.
pub(crate) async fn stage_reliable_to_group(
    node: &Arc<Shared>,
    effects: &RefCell<Effects>,
    from: Option<&RecordId>,
    group: &GroupName,
    body: &[u8],
    ttl: Duration,
) -> Result<usize, SendReliableError> {
    let payload = seal(from, body);
    let expires_ms = expires(node, ttl);
    let members = members(node, group).await?;
    let names = members.iter().map(|id| QueueName::record(id.as_bytes()));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let admitted = admit(node, &names.iter().collect::<Vec<_>>(), payload.len()).await?;
    let takers = admitted.iter().filter(|admitted| admitted.is_ok()).count();
    // Before the first one: of a message that is not sent to all, nothing is.
    effects.borrow().durable.has_room(takers, payload.len())?;
    let mut sent = 0;
    for (to, admitted) in names.into_iter().zip(admitted) {
        match admitted {
            Ok(()) => {}
            Err(SendReliableError::Full(_)) => continue,
            Err(error) => return Err(error),
        }
        let payload = payload.clone();
        effects.borrow_mut().durable.push(Durable::Enqueue { to, payload, expires_ms })?;
        sent += 1;
    }
    Ok(sent)
}

/// Who is in a group, on all nodes and parked.
pub(crate) async fn members(
    node: &Arc<Shared>,
    group: &GroupName,
) -> Result<Vec<RecordId>, SendReliableError> {
    let rows = Bytes::from(group.rows());
    let skip = rows.len();
    let scan = Scan::prefix(rows).entries_max(DURABLE_MAX);
    let page = node.cluster.store.scan(scan).await.map_err(ReadError::from)?;
    if page.next().is_some() {
        let (messages, bytes) = (DURABLE_MAX, super::staged::DURABLE_BYTES_MAX);
        return Err(SendReliableError::TooMuch { messages, bytes });
    }
    let ids = page.entries().iter().filter_map(|row| RecordId::from_bytes(&row.key[skip..]));
    Ok(ids.collect())
}

/// Whether so many bytes may go to each of these queues.
async fn admit(
    node: &Shared,
    to: &[&QueueName],
    bytes: usize,
) -> Result<Vec<Result<(), SendReliableError>>, SendReliableError> {
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(PayloadError { bytes }.into());
    }
    let (store, now_ms) = (&*node.cluster.store, node.cluster.wall_ms());
    let wanted: Vec<_> = to.iter().map(|name| (*name, bytes)).collect();
    let admitted = node.queues.estimates.admit_all(store, &wanted, now_ms).await;
    let answer = |admitted: Result<(), AdmitError>| {
        admitted.map_err(|error| match error {
            AdmitError::Full(full) => {
                node.queues.counts.full.fetch_add(1, Relaxed);
                SendReliableError::Full(full)
            }
            AdmitError::Read(error) => SendReliableError::Store(error),
            other => SendReliableError::NoProducer(other.to_string()),
        })
    };
    Ok(admitted.into_iter().map(answer).collect())
}

/// When a message expires that lasts so long, in milliseconds since 1970 UTC.
pub(super) fn expires(node: &Shared, ttl: Duration) -> u64 {
    let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    node.cluster.wall_ms().saturating_add(ttl_ms)
}
