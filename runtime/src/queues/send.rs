//! Staging durable messages in a turn.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::RecordId;
use throughline_queue::{PayloadError, QueueName, ReadError, defaults::PAYLOAD_BYTES_MAX};
use throughline_store::Scan;

use super::{Address, Durable, GroupName, SendReliableError, queue_of, seal, staged::DURABLE_MAX};
use crate::{cluster, node::Shared, session::Effects};

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
    admit(node, &to, payload.len()).await?;
    let expires_ms = expires(node, ttl);
    effects.borrow_mut().durable.push(Durable::Enqueue { to, payload, expires_ms })
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
    let mut sent = 0;
    for member in members {
        let to = QueueName::record(member.as_bytes())?;
        match admit(node, &to, payload.len()).await {
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
    let members: Vec<_> = ids.collect();
    if node.queues.groups.is_due(group, node.clock.now()) {
        cluster::tidy_group(node, group.clone(), members.clone());
    }
    Ok(members)
}

/// Whether so many bytes may go to a queue.
pub(super) async fn admit(
    node: &Shared,
    to: &QueueName,
    bytes: usize,
) -> Result<(), SendReliableError> {
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(PayloadError { bytes }.into());
    }
    let (store, now_ms) = (&*node.cluster.store, node.cluster.wall_ms());
    let admitted = node.queues.estimates.admit_counting(store, to, bytes, now_ms).await?;
    if let Err(full) = admitted {
        node.queues.counts.full.fetch_add(1, Relaxed);
        return Err(full.into());
    }
    Ok(())
}

/// When a message expires that lasts so long, in milliseconds since 1970 UTC.
pub(super) fn expires(node: &Shared, ttl: Duration) -> u64 {
    let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    node.cluster.wall_ms().saturating_add(ttl_ms)
}
