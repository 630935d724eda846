//! Messages to groups, and the rows of members that are no more.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use throughline_cluster::Class;
use throughline_link::SessionId;
use throughline_store::{Batch, Check, Scan, ScanError, Write};

use super::{message, message::Tell, rows};
use crate::{
    node::Shared,
    queues::{GroupName, all_member_rows, member_of},
    session::ServerMessage,
};

/// Sends a message to the members of a group, on all nodes: one word to each node. Best effort.
pub(crate) fn send_to_group(node: &Shared, group: &GroupName, from: SessionId, payload: Bytes) {
    let tell = Tell::Group { group: group.as_str().to_owned(), from, payload: payload.clone() };
    message::tell_all(node, &tell);
    deliver_to_group(node, group, from, &payload);
}

/// Another node has a message for the members here.
pub(super) fn told(node: &Shared, group: &str, from: SessionId, payload: &Bytes) {
    if let Ok(group) = GroupName::new(group) {
        deliver_to_group(node, &group, from, payload);
    }
}

fn deliver_to_group(node: &Shared, group: &GroupName, from: SessionId, payload: &Bytes) {
    for member in node.queues.groups.members(group) {
        if node.deliver(member, ServerMessage::new(from, payload.clone())).is_err() {
            node.queues.counts.group_lost.fetch_add(1, Relaxed);
        }
    }
}

/// Deletes rows of members that have ended, a step at a time: where the next one begins. What has
/// ended never comes back under its id.
///
/// # Errors
/// The store did not answer; the next step begins where this one did.
pub(super) async fn tidy_groups(
    node: &Shared,
    from: Option<Bytes>,
    rows_max: usize,
) -> Result<Option<Bytes>, ScanError> {
    let store = &node.cluster.store;
    let mut scan = Scan::prefix(all_member_rows()).entries_max(rows_max);
    if let Some(from) = from {
        scan = scan.resume(from);
    }
    let page = store.scan(scan).await?;
    let mut batch = Batch::new();
    for row in page.entries() {
        let Some(id) = member_of(&row.key).filter(|id| id.class() == Class::Session) else {
            continue;
        };
        if node.directory.knows(&id) {
            continue;
        }
        let Ok(header) = rows::header(store, &id).await else { break };
        if header.is_none_or(|header| header.state.is_ended()) {
            batch.push_check(Check::Equals { key: row.key.clone(), value: row.value.clone() });
            batch.push_write(Write::Delete { key: row.key.clone() });
        }
    }
    let removed = batch.writes().len();
    // A member that was removed by others meanwhile: the next round removes the rest.
    if removed > 0 && store.commit(batch).await.is_ok() {
        node.cluster.counts.swept.add_members(removed);
    }
    Ok(page.next().cloned())
}
