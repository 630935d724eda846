//! "Look into your queue", said to whoever reads a queue. It may be lost: the regular look of each
//! node finds what a queue has, only later.

use std::collections::BTreeMap;
use std::sync::{Arc, atomic::Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{Class, Member};
use throughline_queue::QueueName;

use super::{meet, meet::Reader, message, message::Answer, message::Call};
use crate::{
    node::Shared,
    queues::{Inboxes, Poke, record_of},
    vactor,
};

/// A poke is sent so often, while its receiver moves or its node does not answer.
const TRIES_MAX: u32 = 5;

/// Between two of them; it doubles. Together they are over when the regular look comes.
const AGAIN: Duration = Duration::from_millis(20);

/// Of so many queues it is looked up who reads them. Of more, every node is told: that is one call
/// for each node, where looking up is a read for each queue.
const LOOKED_UP_MAX: usize = 8;

/// Pokes the readers of these queues, here and on other nodes.
pub(crate) fn poke(node: &Arc<Shared>, pokes: Vec<Poke>) {
    let mut away = Vec::new();
    for poke in pokes {
        match poke_here(node, &poke.queue, 0) {
            true => meet::met_here(node, poke),
            false => away.push(poke),
        }
    }
    let is_vactors =
        |poke: &Poke| record_of(&poke.queue).is_some_and(|id| id.class() == Class::VActor);
    // A VActor that is nowhere begins for it, here if there is no other node.
    if !node.cluster.has_others(None) && !away.iter().any(is_vactors) {
        return meet::leave(node, away, false);
    }
    if away.is_empty() {
        return;
    }
    let Ok(permit) = Arc::clone(&node.queues.pokes).try_acquire_owned() else {
        node.queues.counts.pokes_lost.fetch_add(away.len() as u64, Relaxed);
        return meet::leave(node, away, false);
    };
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        // A node that stops waits for it, as for what its sessions sent.
        let _held = (permit, node.cluster.errand());
        if away.len() > LOOKED_UP_MAX && !away.iter().any(is_vactors) {
            poke_all(&node, &away).await;
            meet::leave(&node, away, false);
        } else {
            poke_owners(&node, away).await;
        }
    });
}

/// Pokes the reader of a queue, if it is on this node. `bits` are those of [`Inboxes`].
pub(super) fn poke_here(node: &Shared, queue: &QueueName, bits: u8) -> bool {
    if let Some(key) = queue.session_key() {
        let holder = node.directory.find_key(key);
        return holder.is_some_and(|id| node.directory.poke(id, bits | Inboxes::KEY));
    }
    let Some(id) = record_of(queue) else { return false };
    match id.session_id() {
        Some(session) => node.directory.poke(session, bits | Inboxes::RECORD),
        None => node.vactors.poke(&id, bits | Inboxes::RECORD),
    }
}

/// Another node pokes readers that it takes to be here. Whether all of them are.
pub(super) fn poked(node: &Shared, queues: &[Bytes]) -> bool {
    let here = |queue: &Bytes| {
        QueueName::from_bytes(queue).is_some_and(|queue| poke_here(node, &queue, 0))
    };
    // All are poked, also behind one that is not here.
    queues.iter().filter(|queue| !here(queue)).count() == 0
}

fn call(pokes: &[Poke]) -> Call {
    let bytes = |poke: &Poke| Bytes::copy_from_slice(poke.queue.as_bytes());
    Call::Poke { queues: pokes.iter().map(bytes).collect() }
}

/// Tells every other node. One that is on its way between two is told when it has come, by itself.
async fn poke_all(node: &Arc<Shared>, pokes: &[Poke]) {
    let (view, me) = (node.cluster.view(), node.cluster.member());
    let call = call(pokes);
    for other in view.nodes.iter().filter(|entry| !entry.is_gone() && entry.member != me) {
        let mut pause = AGAIN;
        for tried in 1..=TRIES_MAX {
            if message::call(node, other.member, &call).await.is_ok() {
                node.queues.counts.poked.fetch_add(1, Relaxed);
                break;
            }
            if tried == TRIES_MAX {
                node.queues.counts.pokes_lost.fetch_add(1, Relaxed);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// Tells the nodes that own the readers, again while they are not there; and their senders whom
/// they have met.
async fn poke_owners(node: &Arc<Shared>, mut pokes: Vec<Poke>) {
    let mut pause = AGAIN;
    for _ in 0..TRIES_MAX {
        let mut owners: BTreeMap<Member, Vec<Poke>> = BTreeMap::new();
        for mut poke in std::mem::take(&mut pokes) {
            let Ok(reader) = Reader::of(node, &poke.queue).await else {
                pokes.push(poke);
                continue;
            };
            if let Some(meeting) = &mut poke.meeting {
                // Where the store does not say, the next message is a meeting again.
                let _ = reader.meet(node, &poke.queue, meeting).await;
            }
            match reader.owner() {
                Some(member) if member == node.cluster.member() => {
                    if !poke_here(node, &poke.queue, 0) {
                        pokes.push(poke);
                    }
                }
                Some(member) => owners.entry(member).or_default().push(poke),
                None => wake(node, poke).await,
            }
        }
        for (member, of_it) in owners {
            match message::call(node, member, &call(&of_it)).await {
                Ok(Answer::Done) => {
                    node.queues.counts.poked.fetch_add(1, Relaxed);
                }
                // Moved on, or not answered: a poke may come twice.
                _ => pokes.extend(of_it),
            }
        }
        if pokes.is_empty() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    node.queues.counts.pokes_lost.fetch_add(pokes.len() as u64, Relaxed);
    meet::leave(node, pokes, true);
}

/// A reader that nobody has looks by itself when it comes out of the store: a VActor is brought.
async fn wake(node: &Arc<Shared>, poke: Poke) {
    if let Some(id) = record_of(&poke.queue).filter(|id| id.class() == Class::VActor) {
        vactor::wake(node, &id).await;
    }
    if poke.meeting.as_ref().is_some_and(|meeting| meeting.was.is_none()) {
        meet::leave(node, vec![poke], true);
    }
}
