//! Messages to groups, and the rows of members that are no more.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use bytes::Bytes;
use throughline_cluster::{Class, RecordId};
use throughline_link::SessionId;
use throughline_store::{Batch, Check, Write};

use super::{message, message::Tell, rows};
use crate::{
    node::Shared,
    queues::{GroupName, member_row},
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

/// Deletes the rows of members that have ended. What has ended never comes back under its id.
pub(crate) fn tidy_group(node: &Arc<Shared>, group: GroupName, members: Vec<RecordId>) {
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        let mut batch = Batch::new();
        for id in members.iter().filter(|id| id.class() == Class::Session) {
            if node.directory.knows(id) {
                continue;
            }
            let Ok(header) = rows::header(&node.cluster.store, id).await else { return };
            if header.is_none_or(|header| header.state.is_ended()) {
                let key = member_row(&group, id);
                batch.push_check(Check::Equals { key: key.clone(), value: MEMBER });
                batch.push_write(Write::Delete { key });
            }
        }
        if batch.writes().is_empty() {
            return;
        }
        // A member that was removed by others meanwhile: the next look removes the rest.
        let _ = node.cluster.store.commit(batch).await;
    });
}

/// What stands in a member's row: its form.
const MEMBER: Bytes = Bytes::from_static(&[1]);
