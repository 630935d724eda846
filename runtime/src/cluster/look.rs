//! The regular look at queues: what has something new, who reads those that actors ask after, and
//! what has expired.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{Class, RecordId};
use throughline_link::Instant;
use throughline_queue::{Inbox, NameKind, Nonempty, SweepCursor, sweep};

use super::{group::tidy_groups, meet, poke::poke_here};
use crate::{
    node::Shared,
    queues::{Inboxes, record_of, trim_dead_letters},
    vactor,
};

/// Between two looks: a poke that was lost delays a message by so long, and the loss of who is
/// watched is found so late.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pages of rows of non-empty queues in one look: 4,096 rows. Where there are more, a look goes on
/// where the last one ended.
const PAGES_MAX: usize = 4;
const ROWS_MAX: usize = 1024;

/// VActors that are looked up in one look, since something was sent to them and they are not here.
const WAKES_MAX: usize = 256;

/// Rows that one step of the sweep looks at. It costs a scan, which players' commits wait for.
const SWEEP_ROWS_MAX: usize = 1024;

/// Rows of members of groups that one step looks at: each may be a read.
const MEMBERS_MAX: usize = 256;

/// What decides whose turn it is to sweep.
const SWEEP: &[u8] = b"expired messages";

/// Looks at queues, once at a time.
#[derive(Debug, Default)]
pub(super) struct QueueLook {
    running: Arc<AtomicBool>,
    last: Option<Instant>,
    cursors: Arc<Mutex<Cursors>>,
}

#[derive(Debug, Default)]
struct Cursors {
    look: Option<Bytes>,
    sweep: SweepCursor,
    members: Option<Bytes>,
}

impl QueueLook {
    /// Called after each beat that was followed by a look at the others.
    pub(super) fn look(&mut self, node: &Arc<Shared>) {
        let now = node.clock.now();
        if self.last.is_some_and(|last| now < last + LOOK_EVERY) {
            return;
        }
        if self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        self.last = Some(now);
        let (node, running) = (Arc::clone(node), Arc::clone(&self.running));
        let cursors = Arc::clone(&self.cursors);
        node.cluster.handle().clone().spawn(async move {
            nonempty(&node, &cursors).await;
            meet::look(&node).await;
            expired(&node, &cursors).await;
            members_that_ended(&node, &cursors).await;
            trim_dead_letters(&node).await;
            running.store(false, Ordering::Release);
        });
    }
}

fn lock(cursors: &Mutex<Cursors>) -> std::sync::MutexGuard<'_, Cursors> {
    cursors.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pokes the readers on this node of queues that are not empty.
async fn nonempty(node: &Arc<Shared>, cursors: &Mutex<Cursors>) {
    let mut wakes = Vec::new();
    for _ in 0..PAGES_MAX {
        let from = lock(cursors).look.take();
        let page = match Inbox::nonempty(&*node.cluster.store, from, ROWS_MAX).await {
            Ok(page) => page,
            Err(error) => return log::warn!("cluster: cannot look at the queues: {error}"),
        };
        for row in &page.rows {
            found(node, row, &mut wakes);
        }
        lock(cursors).look.clone_from(&page.next);
        if page.next.is_none() {
            break;
        }
    }
    for id in wakes {
        vactor::wake(node, &id).await;
    }
}

/// A queue may have messages.
fn found(node: &Arc<Shared>, row: &Nonempty, wakes: &mut Vec<RecordId>) {
    let is_nobodys = matches!(row.name().kind(), NameKind::Named | NameKind::Operators);
    if is_nobodys || poke_here(node, row.name(), Inboxes::HAS_ROW) {
        return;
    }
    // A VActor that is nowhere begins for what was sent to it: each node wakes its share.
    let id = record_of(row.name()).filter(|id| id.class() == Class::VActor);
    if let Some(id) = id.filter(|id| node.cluster.view().is_mine_of_kind(id))
        && wakes.len() < WAKES_MAX
    {
        wakes.push(id);
    }
}

/// Removes what has expired, a step at a time. One node of the cluster does so at a time: they
/// would all walk through the same messages.
async fn expired(node: &Arc<Shared>, cursors: &Mutex<Cursors>) {
    let view = node.cluster.view();
    let Some(now_ms) =
        node.cluster.trusted_ms().filter(|_| view.me.is_alive() && view.is_mine(SWEEP))
    else {
        return;
    };
    let cursor = lock(cursors).sweep.clone();
    match sweep(&*node.cluster.store, &cursor, now_ms, SWEEP_ROWS_MAX).await {
        Ok(swept) => {
            node.queues.counts.add_swept(&swept);
            lock(cursors).sweep = swept.cursor;
        }
        Err(error) => log::debug!("cluster: a sweep of queues did not get on: {error}"),
    }
}

/// Removes members of groups that were lost, or whose end said nothing to their groups. One node of
/// the cluster does so at a time.
async fn members_that_ended(node: &Arc<Shared>, cursors: &Mutex<Cursors>) {
    let view = node.cluster.view();
    if !view.me.is_alive() || !view.is_mine(SWEEP) {
        return;
    }
    let from = lock(cursors).members.clone();
    match tidy_groups(node, from, MEMBERS_MAX).await {
        Ok(next) => lock(cursors).members = next,
        Err(error) => log::debug!("cluster: a look at groups did not get on: {error}"),
    }
}
