//! The thread of a store, and the tasks on it.

use std::sync::Arc;

use throughline_store::CommitError;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::connection::Connector;
use crate::limits::{EXPIRE_EVERY, READERS, RECONNECT_EVERY};
use crate::member::Member;
use crate::shared::Shared;
use crate::{OpenError, monitor, reads, writer};

/// What runs on the store's thread.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connector: Connector,
    /// Dropped with the last handle.
    pub(crate) handle: oneshot::Receiver<()>,
    /// Dropped with this, which tells that the store has ended.
    pub(crate) ended: watch::Sender<()>,
}

impl Driver {
    /// Brings the tables up to date, once there is a primary.
    async fn migrate(&self) -> Result<(), OpenError> {
        let wait = self.shared.options.waits.open;
        let (until, mut is_told) = (Instant::now() + wait, false);
        loop {
            let met = match self.connector.migrate().await {
                Err(error) if error.may_pass() && Instant::now() < until => error,
                migrated => return migrated,
            };
            if !std::mem::replace(&mut is_told, true) {
                log::warn!("{met}; a primary is waited for, {} s at most", wait.as_secs());
            }
            sleep(RECONNECT_EVERY).await;
        }
    }

    /// Opens the database, says how that went, and serves calls until the store is closed or its
    /// last handle dropped.
    pub(crate) async fn run(self, opened: oneshot::Sender<Result<(), OpenError>>) {
        let migrated = self.migrate().await;
        let is_open = migrated.is_ok();
        if opened.send(migrated).is_err() || !is_open {
            return;
        }
        let Self { shared, connector, handle, ended } = self;
        let mut members = JoinSet::new();
        let member = || Member::new(shared.clone(), connector.clone());
        for _ in 0..shared.options.writers {
            members.spawn(writer::run(shared.clone(), member()));
        }
        for _ in 0..READERS {
            members.spawn(reads::run(shared.clone(), member()));
        }
        let mut others = JoinSet::new();
        others.spawn(monitor::run(shared.clone(), connector.clone()));
        others.spawn(expire(shared.clone()));
        let mut closing = shared.closing.subscribe();
        tokio::select! {
            _ = closing.wait_for(|is_closing| *is_closing) => {}
            // What is under way is left as it is, as by a kill of this process.
            _ = handle => return,
        }
        for commit in shared.queue().drain() {
            commit.answer.send(Err(CommitError::Closed));
        }
        for read in shared.reads().drain() {
            read.answer_closed();
        }
        // Each answers what it has begun by its deadline.
        let longest = shared.options.waits.commit.max(shared.options.waits.read);
        let all_end = async { while members.join_next().await.is_some() {} };
        if timeout(longest + EXPIRE_EVERY, all_end).await.is_err() {
            log::warn!("the store was closed while a transaction was under way");
        }
        drop(ended);
    }
}

/// Answers calls that waited too long.
async fn expire(shared: Arc<Shared>) {
    let mut ticks = interval(EXPIRE_EVERY);
    loop {
        ticks.tick().await;
        shared.expire(Instant::now());
    }
}
