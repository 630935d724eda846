//! The handle.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use throughline_store::limits::check_key;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, Page, Scan, ScanError, Scope, Store,
    StoreFuture, Watch, WatchError,
};
use tokio::sync::{oneshot, watch};

use crate::layout::Layout;
use crate::opened::Opened;
use crate::queue::{Call, Queue};
use crate::worker::{Ended, Shared, Worker};
use crate::{OpenError, SledOptions, Stats};

/// A store in a directory of this machine, for one process.
///
/// Dropping it without [`close`](Store::close) ends it after the group that is being written, and
/// blocks until the directory is free; calls that wait then have an unknown outcome or `Closed`.
#[derive(Debug)]
pub struct SledStore {
    path: PathBuf,
    queue: Queue,
    shared: Arc<Shared>,
    closing: Arc<AtomicBool>,
    ended: watch::Receiver<Ended>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SledStore {
    /// Opens or creates a store with default options. Blocks, see [`SledOptions::open`].
    ///
    /// # Errors
    /// [`OpenError`], which says the way out.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        SledOptions::new(path).open()
    }

    pub(crate) fn open_with(options: &SledOptions) -> Result<Self, OpenError> {
        let layout = match options.is_existing {
            true => Layout::existing(&options.path)?,
            false => Layout::create(&options.path)?,
        };
        let opened = Opened::open(&layout, options.cache_bytes)?;
        Self::start(layout, opened, options.cache_bytes)
    }

    pub(crate) fn start(
        layout: Layout,
        opened: Opened,
        cache_bytes: u64,
    ) -> Result<Self, OpenError> {
        let path = layout.root().to_owned();
        let (queue, calls) = Queue::new();
        let shared = Arc::<Shared>::default();
        let (worker, ended) = Worker::new(layout, opened, cache_bytes, calls, shared.clone());
        let thread = thread::Builder::new().name("store".to_owned());
        let thread = thread.spawn(|| worker.run()).map_err(|error| OpenError::io(&path, error))?;
        let (closing, thread) = (Arc::default(), Mutex::new(Some(thread)));
        Ok(Self { path, queue, shared, closing, ended, thread })
    }

    /// The store's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// The queue, unless the store is closed.
    fn queue(&self) -> Option<Queue> {
        (!self.closing.load(Ordering::Acquire)).then(|| self.queue.clone())
    }
}

impl Store for SledStore {
    fn about(&self) -> About {
        Scope::Process.into()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let (queue, shared) = (self.queue(), self.shared.clone());
        Box::pin(async move {
            let queue = queue.ok_or(GetError::Closed)?;
            check_key(&key).map_err(GetError::Key)?;
            if let Some(value) = shared.sight.get(&key) {
                return Ok(value);
            }
            let (answer, answered) = oneshot::channel();
            queue.push(Call::Get(key, answer)).await.map_err(|_| GetError::Closed)?;
            answered.await.unwrap_or(Err(GetError::Closed))
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        let queue = self.queue();
        Box::pin(async move {
            let queue = queue.ok_or(ScanError::Closed)?;
            scan.validate().map_err(ScanError::Range)?;
            let (answer, answered) = oneshot::channel();
            queue.push(Call::Scan(scan, answer)).await.map_err(|_| ScanError::Closed)?;
            answered.await.unwrap_or(Err(ScanError::Closed))
        })
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let queue = self.queue();
        Box::pin(async move {
            batch.validate().map_err(CommitError::Invalid)?;
            let queue = queue.ok_or(CommitError::Closed)?;
            let (answer, answered) = oneshot::channel();
            queue.push_commit(batch, answer).await.map_err(|_| CommitError::Closed)?;
            // The thread answers every commit; if it went without, it may have been writing.
            let gone = "the store's thread has ended".to_owned();
            answered.await.unwrap_or(Err(CommitError::Unknown { reason: gone }))
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.shared.watches.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        let (queue, closing) = (self.queue.clone(), self.closing.clone());
        let mut ended = self.ended.clone();
        Box::pin(async move {
            closing.store(true, Ordering::Release);
            // Those before this call keep their place; if the thread is gone, it has ended.
            let _ = queue.push(Call::Close).await;
            let ended = ended.wait_for(Option::is_some).await;
            let gone = || CloseError::Unclean { reason: "its thread has ended".to_owned() };
            ended.map_err(|_| gone())?.clone().unwrap_or(Ok(()))
        })
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.queue.close_room();
        self.queue.nudge();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread of the store at {} panicked", self.path.display());
        }
    }
}
