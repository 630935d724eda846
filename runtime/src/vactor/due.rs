//! Reminders of parked VActors: looked up a little ahead, so that each comes at its time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use throughline_cluster::RecordId;

use super::serve;
use crate::{cluster::rows, node::Shared};

/// Rows of the due index that are looked at with one beat, at most.
const ROWS_MAX: usize = 1024;

/// What was parked here with a reminder that is due already is woken no sooner: it may park itself
/// again each time.
const PARKED_MIN: Duration = Duration::from_millis(50);

/// How far ahead is looked, beyond a beat: a scan takes its time, too.
const AHEAD: Duration = Duration::from_millis(300);

/// What is due soon is begun elsewhere within so long, or found there by the looks of others.
const HAND_OVER_TIME: Duration = Duration::from_secs(5);

/// Looks for what is due before the next look.
#[derive(Debug, Default)]
pub(crate) struct DueSoon {
    running: Arc<AtomicBool>,
}

impl DueSoon {
    /// Called after each beat. What is due already, a sweep finds.
    pub(crate) fn look(&self, node: &Arc<Shared>) {
        if self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let (node, running) = (Arc::clone(node), Arc::clone(&self.running));
        node.cluster.handle().clone().spawn(async move {
            look(&node).await;
            running.store(false, Ordering::Release);
        });
    }
}

/// A VActor was parked here, and is to be looked at at this time: if that is before the next look
/// could find it, this node wakes it. Of two that wake it one finds that it is awake.
pub(in crate::vactor) fn parked(node: &Arc<Shared>, id: &RecordId, due: Option<u64>) {
    let (Some(now), Some(due)) = (node.cluster.trusted_ms(), due) else { return };
    if due <= until(node, now) {
        let wait = Duration::from_millis(due.saturating_sub(now)).max(PARKED_MIN);
        // A node that drains may be gone by then.
        let stays = node.cluster.view().me.is_alive();
        wake_in(node, id.clone(), if stays { wait } else { Duration::ZERO });
    }
}

/// This node drains, and may be gone before what it would wake is due: that is begun at others
/// now, a look ahead too early. Their own looks see it as theirs only after their next beat. It
/// goes beside the drain, and the node waits for it before it stops.
pub(crate) fn hand_over(node: &Arc<Shared>) {
    let (node, errand) = (Arc::clone(node), node.cluster.errand());
    node.cluster.handle().clone().spawn(async move {
        // A store that does not answer must not hold up the stop.
        let _ = tokio::time::timeout(HAND_OVER_TIME, begin_elsewhere(&node)).await;
        drop(errand);
    });
}

async fn begin_elsewhere(node: &Arc<Shared>) {
    let Some(now) = node.cluster.trusted_ms() else { return };
    let until = until(node, now);
    // Whoever looks after it: what was parked here just now, nobody else may have seen.
    let due = rows::vactors_due(&node.cluster.store, now, until, ROWS_MAX).await;
    for (_, id) in due.unwrap_or_default() {
        // What is in memory here leaves with its reminders, as all that the drain sends away.
        if !node.vactors.has(&id) {
            serve::wake(node, &id).await;
        }
    }
}

/// How far a look at `now` sees.
fn until(node: &Shared, now: u64) -> u64 {
    let ahead = node.config.cluster.beat + AHEAD;
    now.saturating_add(u64::try_from(ahead.as_millis()).unwrap_or(0))
}

fn wake_in(node: &Arc<Shared>, id: RecordId, wait: Duration) {
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        tokio::time::sleep(wait).await;
        serve::wake(&node, &id).await;
    });
}

async fn look(node: &Arc<Shared>) {
    let cluster = &node.cluster;
    let view = cluster.view();
    let Some(now) = cluster.trusted_ms().filter(|_| view.me.is_alive()) else { return };
    let until = until(node, now);
    let Ok(due) = rows::vactors_due(&cluster.store, now, until, ROWS_MAX).await else { return };
    for (at, id) in due {
        if !view.is_mine_of_kind(&id) {
            continue;
        }
        wake_in(node, id, Duration::from_millis(at.saturating_sub(now)));
    }
}
