//! What the handle and the tasks of the store's thread share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use throughline_store::{CommitError, Outage, Watches};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::limits::{CALLS_BYTES_MAX, CALLS_MAX, RECONNECT_EVERY};
use crate::queue::Queue;
use crate::reads::Reads;
use crate::stats::Counters;
use crate::{Health, Options};

#[derive(Debug)]
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    /// Told when a commit may begin.
    pub(crate) commits: Notify,
    reads: Mutex<Reads>,
    /// Told when a read waits.
    pub(crate) reads_wait: Notify,
    /// What calls may take, by their number and by their bytes.
    pub(crate) calls_room: Arc<Semaphore>,
    pub(crate) bytes_room: Arc<Semaphore>,
    pub(crate) watches: Watches,
    pub(crate) counters: Counters,
    pub(crate) health: watch::Sender<Health>,
    /// Which server is the primary, as the monitor sees it; empty before it does.
    pub(crate) server: watch::Sender<String>,
    /// What the last connection that could not be opened met.
    trouble: Mutex<Option<String>>,
    is_closed: AtomicBool,
    /// Told once: no further call comes.
    pub(crate) closing: watch::Sender<bool>,
    pub(crate) options: Arc<Options>,
}

impl Shared {
    pub(crate) fn new(options: Arc<Options>) -> Self {
        Self {
            queue: Mutex::default(),
            commits: Notify::new(),
            reads: Mutex::default(),
            reads_wait: Notify::new(),
            calls_room: Arc::new(Semaphore::new(CALLS_MAX)),
            bytes_room: Arc::new(Semaphore::new(CALLS_BYTES_MAX)),
            watches: Watches::new(),
            counters: Counters::default(),
            health: watch::Sender::new(Health::Unseen),
            server: watch::Sender::default(),
            trouble: Mutex::default(),
            is_closed: AtomicBool::new(false),
            closing: watch::Sender::new(false),
            options,
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reads(&self) -> MutexGuard<'_, Reads> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Refuses calls from now on. Those under way are answered; those that wait are sent away.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.calls_room.close();
        self.bytes_room.close();
        self.watches.close();
        self.closing.send_replace(true);
    }

    /// Notes whether a connection could be opened, and if not, why.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble() = trouble;
    }

    /// Why calls are not begun or answered, as far as it is known.
    pub(crate) fn reason(&self, late: &str) -> String {
        let health = self.health.borrow().clone();
        match (health, self.trouble().clone()) {
            (health @ (Health::AwaitsStandby { .. } | Health::Away { .. }), _) => {
                format!("{late}: {health}")
            }
            (Health::Unseen | Health::Working, Some(trouble)) => format!("{late}: {trouble}"),
            (Health::Unseen | Health::Working, None) => late.to_owned(),
        }
    }

    pub(crate) fn outage(&self, late: &str) -> Outage {
        Outage { reason: self.reason(late), retry_after: RECONNECT_EVERY }
    }

    /// Answers calls that waited too long.
    pub(crate) fn expire(&self, now: Instant) {
        let commits = self.queue().expired(now);
        let reads = self.reads().expired(now);
        if commits.is_empty() && reads.is_empty() {
            return;
        }
        let outage = self.outage("the call was not begun in time");
        for commit in commits {
            commit.answer.send(Err(CommitError::Down(outage.clone())));
        }
        for read in reads {
            read.fail(&outage);
        }
    }
}
