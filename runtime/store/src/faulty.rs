//! Faults by seed, round any store.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use throughline_canary::canary;
use tokio::sync::RwLock;

use crate::random::Random;
use crate::{
    About, Batch, CloseError, CommitError, GetError, Outage, Page, Scan, ScanError, Store,
    StoreFuture, Watch, WatchError, Write,
};

#[cfg(test)]
mod tests;

/// Which faults, and how often. The default makes none.
///
/// The first four are what a store that keeps the law may do to its callers. The last two break
/// the law on purpose: a test that passes with them does not look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Each call waits so many steps at most before it takes effect, and again before it answers.
    pub delay_steps_max: u32,
    /// Of a hundred reads, so many answer `Down`.
    pub read_down_percent: u8,
    /// Of a hundred commits, so many answer `Down` and write nothing.
    pub commit_down_percent: u8,
    /// Of a hundred commits, so many answer `Unknown`; half of them have landed.
    pub commit_unknown_percent: u8,
    /// Breaks rule 4: so many acknowledged commits, the latest, are lost at a crash.
    pub unsynced_commits_max: usize,
    /// Breaks rule 2: of the commits lost at a crash, the oldest loses only half its writes.
    pub torn: bool,
}

/// A store that fails, delays, and loses what was not synced, as its seed says. It has no clock:
/// a delay is a number of steps, each a return to the executor unless
/// [`with_pause`](Self::with_pause) says otherwise. With one thread and the same calls, the same
/// seed does the same. A clone is the same handle.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Faults,
    pause: Pause,
    shared: Arc<Shared>,
}

type Pause = Arc<dyn Fn(u32) -> StoreFuture<()> + Send + Sync>;

#[derive(Debug)]
struct Shared {
    random: Mutex<Random>,
    crashed: AtomicBool,
    /// Calls after a close are the inner store's to refuse: no faults any more.
    closed: AtomicBool,
    /// What takes back the commits that a crash loses, oldest first. Commits hold the lock while
    /// they land, so that a crash falls between them.
    unsynced: RwLock<VecDeque<Vec<Write>>>,
}

/// What the seed says about one commit.
struct Fate {
    before: u32,
    after: u32,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Down,
    UnknownNotLanded,
    UnknownLanded,
}

impl FaultyStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Store>, faults: Faults, seed: u64) -> Self {
        let shared = Shared {
            random: Mutex::new(Random::new(seed)),
            crashed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            unsynced: RwLock::default(),
        };
        Self { inner, faults, pause: Arc::new(steps), shared: Arc::new(shared) }
    }

    /// Uses `pause` to wait a number of steps: a simulator lets its virtual time pass.
    pub fn with_pause(
        mut self,
        pause: impl Fn(u32) -> StoreFuture<()> + Send + Sync + 'static,
    ) -> Self {
        self.pause = Arc::new(pause);
        self
    }

    /// The process that uses this store dies. Calls under way have an unknown outcome, those not
    /// landed never land, what was not synced is lost. This handle answers `Closed` from now on;
    /// wrap the inner store again to go on.
    ///
    /// # Errors
    /// The inner store refused to take back what was not synced; only with
    /// [`unsynced_commits_max`](Faults::unsynced_commits_max).
    pub fn crash(&self) -> StoreFuture<Result<(), CommitError>> {
        let store = self.clone();
        Box::pin(async move {
            let mut unsynced = store.shared.unsynced.write().await;
            store.shared.crashed.store(true, Ordering::Release);
            // The last ones, at least one: how many the seed says.
            let most = unsynced.len() as u64;
            let synced = store.draw(|random| random.below(most.max(1)));
            while unsynced.len() as u64 > synced
                && let Some(mut undo) = unsynced.pop_back()
            {
                if store.faults.torn && unsynced.len() as u64 == synced {
                    undo.truncate(undo.len().div_ceil(2));
                }
                let mut batch = Batch::new();
                undo.into_iter().for_each(|write| batch.push_write(write));
                store.inner.commit(batch).await?;
            }
            Ok(())
        })
    }

    fn has_crashed(&self) -> bool {
        self.shared.crashed.load(Ordering::Acquire)
    }

    fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.shared.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn draw_delay(&self, random: &mut Random) -> u32 {
        let delay = random.below(u64::from(self.faults.delay_steps_max) + 1);
        u32::try_from(delay).unwrap_or(self.faults.delay_steps_max)
    }

    fn draw_fate(&self) -> Fate {
        self.draw(|random| {
            let (before, after) = (self.draw_delay(random), self.draw_delay(random));
            let is_down = random.percent(self.faults.commit_down_percent);
            let is_unknown = random.percent(self.faults.commit_unknown_percent);
            let has_landed = random.percent(50);
            let fault = match (is_down, is_unknown, has_landed) {
                (true, ..) => Some(Fault::Down),
                (_, true, true) => Some(Fault::UnknownLanded),
                (_, true, false) => Some(Fault::UnknownNotLanded),
                _ => None,
            };
            Fate { before, after, fault }
        })
    }

    /// Waits as the seed says; `Err` if this read is to fail.
    async fn before_read(&self) -> Result<(), Outage> {
        if self.is_closed() {
            return Ok(());
        }
        let (delay, is_down) = self.draw(|random| {
            (self.draw_delay(random), random.percent(self.faults.read_down_percent))
        });
        (self.pause)(delay).await;
        if is_down { Err(outage()) } else { Ok(()) }
    }

    async fn land(&self, batch: Batch) -> Result<(), CommitError> {
        let unsynced_max = match self.faults.unsynced_commits_max {
            0 if canary!(StoreAnswersEarly) => 1,
            most => most,
        };
        if unsynced_max == 0 {
            let _no_crash = self.shared.unsynced.read().await;
            self.refuse_crashed()?;
            return self.inner.commit(batch).await;
        }
        let mut unsynced = self.shared.unsynced.write().await;
        self.refuse_crashed()?;
        let mut undo = Vec::with_capacity(batch.writes().len());
        for write in batch.writes() {
            let key = write.key().clone();
            let old = self.inner.get(key.clone()).await.map_err(|_| CommitError::Down(outage()))?;
            undo.push(match old {
                Some(value) => Write::Put { key, value },
                None => Write::Delete { key },
            });
        }
        self.inner.commit(batch).await?;
        unsynced.push_back(undo);
        if unsynced.len() > unsynced_max {
            unsynced.pop_front();
        }
        Ok(())
    }

    fn refuse_crashed(&self) -> Result<(), CommitError> {
        if self.has_crashed() { Err(unknown()) } else { Ok(()) }
    }

    async fn commit_as_fated(&self, batch: Batch) -> Result<(), CommitError> {
        batch.validate().map_err(CommitError::Invalid)?;
        if self.has_crashed() {
            return Err(CommitError::Closed);
        }
        if self.is_closed() {
            return self.inner.commit(batch).await;
        }
        let fate = self.draw_fate();
        (self.pause)(fate.before).await;
        match fate.fault {
            Some(Fault::Down) => return Err(CommitError::Down(outage())),
            Some(Fault::UnknownNotLanded) => return Err(unknown()),
            Some(Fault::UnknownLanded) | None => self.land(batch).await?,
        }
        (self.pause)(fate.after).await;
        self.refuse_crashed()?;
        if fate.fault.is_some() { Err(unknown()) } else { Ok(()) }
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore")
            .field("inner", &self.inner)
            .field("faults", &self.faults)
            .field("crashed", &self.has_crashed())
            .finish_non_exhaustive()
    }
}

impl Store for FaultyStore {
    fn about(&self) -> About {
        self.inner.about()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let store = self.clone();
        Box::pin(async move {
            store.before_read().await.map_err(GetError::Down)?;
            let value = store.inner.get(key).await;
            if store.has_crashed() { Err(GetError::Closed) } else { value }
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        let store = self.clone();
        Box::pin(async move {
            store.before_read().await.map_err(ScanError::Down)?;
            let page = store.inner.scan(scan).await;
            if store.has_crashed() { Err(ScanError::Closed) } else { page }
        })
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let store = self.clone();
        Box::pin(async move { store.commit_as_fated(batch).await })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        if self.has_crashed() { Err(WatchError::Closed) } else { self.inner.watch(prefix) }
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        let store = self.clone();
        Box::pin(async move {
            store.shared.closed.store(true, Ordering::Release);
            store.inner.close().await
        })
    }
}

/// Returns to the executor so many times.
fn steps(count: u32) -> StoreFuture<()> {
    let mut left = count;
    Box::pin(poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }))
}

fn outage() -> Outage {
    Outage { reason: "a fault made by the seed".to_owned(), retry_after: Duration::ZERO }
}

fn unknown() -> CommitError {
    CommitError::Unknown { reason: "a fault made by the seed".to_owned() }
}
