//! Reminders of parked VActors: looked up a little ahead, so that each comes at its time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use super::serve;
use crate::{cluster::rows, node::Shared};

/// Rows of the due index that are looked at with one beat, at most.
const ROWS_MAX: usize = 1024;

/// How far ahead is looked, beyond a beat: a scan takes its time, too.
const AHEAD: Duration = Duration::from_millis(300);

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

async fn look(node: &Arc<Shared>) {
    let cluster = &node.cluster;
    let view = cluster.view();
    let Some(now) = cluster.trusted_ms().filter(|_| view.me.is_alive()) else { return };
    let ahead = node.config.cluster.beat + AHEAD;
    let until = now.saturating_add(u64::try_from(ahead.as_millis()).unwrap_or(0));
    let Ok(due) = rows::due_between(&cluster.store, now, until, ROWS_MAX).await else { return };
    for (at, id) in due {
        if id.session_id().is_some() || !view.is_mine_of_kind(&id) {
            continue;
        }
        let node = Arc::clone(node);
        let wait = Duration::from_millis(at.saturating_sub(now));
        node.cluster.handle().clone().spawn(async move {
            tokio::time::sleep(wait).await;
            serve::wake(&node, &id).await;
        });
    }
}
