//! The handle.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use throughline_store::limits::check_key;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, Page, Scan, ScanError, Scope, Store,
    StoreFuture, Watch, WatchError,
};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::connection::Connector;
use crate::driver::Driver;
use crate::queue::{Answer, Commit};
use crate::reads::{Asked, Read};
use crate::shared::Shared;
use crate::{Health, OpenError, Options, Stats};

/// A store in a database of PostgreSQL, shared by every process that opens it with the name of the
/// same cluster.
///
/// It keeps the law of [`Store`] as far as the server does: see `docs/storage.md` for what each
/// setting of the server means. Its connections are on a thread of its own, and are opened again
/// whenever they break or the primary moves; calls may be awaited on any executor.
///
/// Every call has a deadline of its own. A call that was not begun in time answers `Down`; a commit
/// that was begun and whose outcome cannot be found out in time answers `Unknown`, with the reason.
///
/// Dropping it without [`close`](Store::close) leaves what is under way as a kill of this process
/// would.
pub struct PostgresStore {
    shared: Arc<Shared>,
    ended: watch::Receiver<()>,
    /// Dropped with the store, which ends its thread.
    _handle: oneshot::Sender<()>,
}

impl PostgresStore {
    /// Opens the database, and creates or upgrades its tables. While there is no primary, it waits
    /// for one ([`Options::open_wait`]). Connections are opened behind it; a call waits for one.
    ///
    /// # Errors
    /// [`OpenError`], which says the way out. Nothing was changed, but what a migration did that
    /// was ended whole.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let options = Arc::new(options);
        let connector = Connector::new(options.clone())?;
        let shared = Arc::new(Shared::new(options));
        let (ending, ended) = watch::channel(());
        let (handle, dropped) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        let driver = Driver { shared: shared.clone(), connector, handle: dropped, ended: ending };
        let start = |source| OpenError::Start { source };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
        let run = move || runtime.block_on(driver.run(open));
        std::thread::Builder::new().name("postgres".to_owned()).spawn(run).map_err(start)?;
        let stopped = || start(std::io::Error::other("it has ended"));
        opened.await.map_err(|_| stopped())??;
        Ok(Self { shared, ended, _handle: handle })
    }

    /// How the server is, looked at twice a second. [`Health::Unseen`] right after opening.
    pub fn health(&self) -> Health {
        self.shared.health.borrow().clone()
    }

    /// Waits until the health is no longer this one.
    pub async fn health_changed(&self, from: &Health) -> Health {
        let mut health = self.shared.health.subscribe();
        // The sender lives as long as this store.
        let changed = health.wait_for(|health| health != from).await;
        changed.map_or_else(|_| from.clone(), |health| health.clone())
    }

    /// What it has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }
}

/// Passes a read on, and waits for its answer. `None`: the store is closed.
async fn read<T>(
    shared: Arc<Shared>,
    asked: impl FnOnce(oneshot::Sender<T>) -> Asked,
) -> Option<T> {
    if shared.is_closed() {
        return None;
    }
    let deadline = Instant::now() + shared.options.waits.read;
    let room = shared.calls_room.clone().acquire_owned().await.ok()?;
    let (sender, answer) = oneshot::channel();
    shared.reads().push(Read { asked: asked(sender), deadline, _room: room });
    shared.reads_wait.notify_one();
    answer.await.ok()
}

/// Passes a batch on, and waits for its outcome.
async fn commit(shared: Arc<Shared>, batch: Batch) -> Result<(), CommitError> {
    batch.validate().map_err(CommitError::Invalid)?;
    if shared.is_closed() {
        return Err(CommitError::Closed);
    }
    let begin_by = Instant::now() + shared.options.waits.call;
    let call = shared.calls_room.clone().acquire_owned().await;
    // The batch was validated: it fits into the room and into a u32.
    let bytes = u32::try_from(batch.bytes()).unwrap_or(u32::MAX);
    let bytes = shared.bytes_room.clone().acquire_many_owned(bytes).await;
    let (Ok(call), Ok(bytes)) = (call, bytes) else { return Err(CommitError::Closed) };
    let (sender, outcome) = oneshot::channel();
    let answer = Answer::new(sender, [call, bytes]);
    shared.queue().push(Commit { batch, answer, begin_by });
    shared.commits.notify_one();
    // The thread answers every commit; if it went without, it may have been writing.
    let gone = || "the store's thread has ended".to_owned();
    outcome.await.unwrap_or_else(|_| Err(CommitError::Unknown { reason: gone() }))
}

impl Store for PostgresStore {
    fn about(&self) -> About {
        let trouble = match self.health() {
            Health::Unseen | Health::Working => None,
            health => Some(health.to_string()),
        };
        About { scope: Scope::Cluster, trouble }
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            check_key(&key).map_err(GetError::Key)?;
            let outage = || GetError::Down(shared.outage("the read was not answered in time"));
            match read(shared.clone(), |answer| Asked::Get(key, answer)).await {
                Some(outcome) => outcome,
                None if shared.is_closed() => Err(GetError::Closed),
                None => Err(outage()),
            }
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            scan.validate().map_err(ScanError::Range)?;
            let outage = || ScanError::Down(shared.outage("the read was not answered in time"));
            match read(shared.clone(), |answer| Asked::Scan(scan, answer)).await {
                Some(outcome) => outcome,
                None if shared.is_closed() => Err(ScanError::Closed),
                None => Err(outage()),
            }
        })
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        Box::pin(commit(self.shared.clone(), batch))
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.shared.watches.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        let (shared, mut ended) = (self.shared.clone(), self.ended.clone());
        Box::pin(async move {
            shared.close();
            // The thread has answered what was under way when this fails.
            while ended.changed().await.is_ok() {}
            Ok(())
        })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}
