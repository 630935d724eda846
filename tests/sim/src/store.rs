//! The store of a run: it takes virtual time, and can be killed, slow, full, or out of reach.
//!
//! It keeps the law of stores. A commit is checked and applied at a sync, together with the others
//! that wait for it; a kill finds some of those on the disk, and nobody is told which.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use throughline_store::{
    About, Batch, CloseError, CommitError, Corruption, GetError, Outage, Page, Scan, ScanError,
    Scope, Store, StoreFuture, Watch, WatchError,
};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use crate::audit::Audit;
use crate::disk::Disk;
use crate::fault::FaultKind;
use crate::random::Random;
use crate::truth;

/// A call reaches the store after so long at most, and its answer comes so late.
const WAY_MS: u64 = 2;

/// A commit that waits longer than this for its sync met a slow disk.
const SLOW: Duration = Duration::from_millis(150);

/// A caller whose answer is lost learns so after so long: a connection that breaks.
const LOST_AFTER: Duration = Duration::from_millis(400);

/// One that nobody waits for any more lands so late at most; most do so before long, when whoever
/// gave it up has looked what became of it, and has not changed it yet.
const LATE_MS: u64 = 300;
const SOON_MS: u64 = 30;

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Well,
    /// A sync takes so long.
    Slow(Duration),
    /// Nothing can be written.
    Full,
    /// Of a hundred commits, so many fail; half of those with an unknown outcome, and some of these
    /// land when their callers have heard that already.
    Failing(u64),
    /// Of a hundred reads of single values, so many find damage.
    Damaged(u64),
    /// Its process is gone.
    Away,
}

/// The store itself.
#[derive(Clone)]
pub(crate) struct Engine(Arc<Mutex<Inner>>);

struct Inner {
    disk: Disk,
    waiting: Vec<Waiting>,
    /// Commits whose callers have given them up, and when they land all the same.
    late: Vec<(Duration, Sent)>,
    sync_at: Option<Duration>,
    condition: Condition,
    random: Random,
    audit: Audit,
}

/// A commit on its way.
#[derive(Clone)]
struct Sent {
    batch: Batch,
    /// When its node sent it.
    at: Duration,
    by: usize,
}

struct Waiting {
    commit: Sent,
    since: Duration,
    answer: oneshot::Sender<Result<(), CommitError>>,
}

impl Engine {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            disk: Disk::new(seed),
            waiting: Vec::new(),
            late: Vec::new(),
            sync_at: None,
            condition: Condition::Well,
            random: Random::of(seed, 2),
            audit: Audit::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn condition(&self) -> Condition {
        self.lock().condition
    }

    pub(crate) fn set_condition(&self, condition: Condition) {
        truth::note(format_args!("store {condition:?}"));
        truth::store_refuses();
        let mut inner = self.lock();
        inner.condition = condition;
        inner.sync_at = None;
    }

    /// Its process dies: what waits for the sync is on the disk, or not, and nobody hears which.
    pub(crate) fn kill(&self) {
        let mut inner = self.lock();
        let count = inner.waiting.len();
        let landed = inner.random.index(count + 1);
        inner.late.clear();
        let waiting = std::mem::take(&mut inner.waiting);
        if !waiting.is_empty() {
            truth::fire(FaultKind::StoreKilled);
        }
        for (n, waiting) in waiting.into_iter().enumerate() {
            if n < landed {
                let _ = inner.apply(&waiting.commit, Disk::commit_unheard);
            }
            let _ = waiting.answer.send(Err(unknown("the store was killed")));
        }
        inner.disk.crash();
        drop(inner);
        self.set_condition(Condition::Away);
    }

    /// Syncs, if it is time. Called with every step of the run.
    pub(crate) fn step(&self) {
        let now = truth::now();
        let mut inner = self.lock();
        inner.land_late(now);
        if inner.condition == Condition::Away || inner.waiting.is_empty() {
            return;
        }
        let Some(at) = inner.sync_at else {
            let takes = match inner.condition {
                Condition::Slow(takes) => takes,
                _ => inner.random.millis(1, 6),
            };
            inner.sync_at = Some(now + takes);
            return;
        };
        if at > now {
            return;
        }
        inner.sync_at = None;
        for waiting in std::mem::take(&mut inner.waiting) {
            let answer = inner.land(&waiting, now);
            let _ = waiting.answer.send(answer);
        }
    }

    pub(crate) fn audit<T>(&self, look: impl FnOnce(&mut Audit) -> T) -> T {
        look(&mut self.lock().audit)
    }
}

impl Inner {
    fn land(&mut self, waiting: &Waiting, now: Duration) -> Result<(), CommitError> {
        if now - waiting.since > SLOW && matches!(self.condition, Condition::Slow(_)) {
            truth::fire(FaultKind::SlowDisk);
        }
        match self.condition {
            Condition::Full => {
                truth::fire(FaultKind::DiskFull);
                return Err(CommitError::Down(outage("no space left on the device")));
            }
            Condition::Failing(percent) if self.random.percent(percent) => {
                return match self.random.below(4) {
                    0 => {
                        // Never to land, or not yet.
                        if self.random.percent(50) {
                            let most = if self.random.percent(70) { SOON_MS } else { LATE_MS };
                            let at = now + self.random.millis(5, most);
                            self.late.push((at, waiting.commit.clone()));
                        }
                        Err(unknown("the connection broke before the sync"))
                    }
                    1 => {
                        let landed = self.apply(&waiting.commit, Disk::commit_unheard);
                        landed.and(Err(unknown("a sync failed")))
                    }
                    _ => Err(CommitError::Down(outage("a write failed"))),
                };
            }
            _ => {}
        }
        self.apply(&waiting.commit, Disk::commit)
    }

    fn land_late(&mut self, now: Duration) {
        let (due, later) =
            std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = later;
        for (_, commit) in due {
            let _ = self.apply(&commit, Disk::commit_unheard);
        }
    }

    fn apply(
        &mut self,
        sent: &Sent,
        commit: fn(&mut Disk, &Batch) -> Result<(), CommitError>,
    ) -> Result<(), CommitError> {
        let Sent { batch, at, by } = sent;
        let seen = self.audit.look(batch, |key| self.disk.value(key));
        let applied = commit(&mut self.disk, batch);
        match &applied {
            Ok(()) => {
                self.audit.accepted(*by, batch, *at, &seen);
                if let Some(member) = self.audit.take_left() {
                    Audit::left(member, &self.disk.owned_by(member));
                }
            }
            Err(CommitError::Refused(_)) => self.audit.refused(*by),
            Err(_) => {}
        }
        applied
    }
}

/// How a node reaches the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Open,
    /// Calls wait.
    Shut,
    /// Commits arrive, and their answers are lost.
    Deaf,
    /// The node is gone: its calls are never answered.
    Gone,
}

/// The store as one start of one node sees it.
#[derive(Clone)]
pub(crate) struct NodeStore {
    engine: Engine,
    /// A number for each start of each node.
    by: usize,
    way: Arc<Way>,
}

struct Way {
    reach: watch::Sender<Reach>,
    fails_scans: AtomicBool,
    random: Mutex<Random>,
}

impl NodeStore {
    pub(crate) fn new(engine: &Engine, by: usize, seed: u64) -> Self {
        let random = Mutex::new(Random::of(seed, 3));
        let way = Arc::new(Way {
            reach: watch::Sender::new(Reach::Open),
            fails_scans: AtomicBool::new(false),
            random,
        });
        Self { engine: engine.clone(), by, way }
    }

    pub(crate) fn set(&self, to: Reach) {
        truth::store_refuses();
        self.way.reach.send_if_modified(|reach| {
            let is_changed = *reach != Reach::Gone && *reach != to;
            if is_changed {
                *reach = to;
            }
            is_changed
        });
    }

    /// Whether scans are answered with an outage.
    pub(crate) fn fail_scans(&self, fail: bool) {
        truth::store_refuses();
        self.way.fails_scans.store(fail, Ordering::Relaxed);
    }

    fn read<T, E>(
        &self,
        read: impl FnOnce(&mut Inner) -> Result<T, E> + Send + 'static,
        down: fn(Outage) -> E,
    ) -> StoreFuture<Result<T, E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let store = self.clone();
        Box::pin(async move {
            store.way.pass().await;
            let answer = {
                let mut inner = store.engine.lock();
                match inner.condition {
                    Condition::Away => Err(down(outage("the store is away"))),
                    _ => read(&mut inner),
                }
            };
            store.way.pass().await;
            answer
        })
    }

    async fn commit_there(self, batch: Batch) -> Result<(), CommitError> {
        batch.validate().map_err(CommitError::Invalid)?;
        let at = truth::now();
        self.way.pass().await;
        let (answer, answered) = oneshot::channel();
        {
            let mut inner = self.engine.lock();
            if inner.condition == Condition::Away {
                return Err(CommitError::Down(outage("the store is away")));
            }
            let (since, by) = (truth::now(), self.by);
            inner.waiting.push(Waiting { commit: Sent { batch, at, by }, since, answer });
        }
        let answer = answered.await.unwrap_or_else(|_| Err(unknown("the store has gone")));
        if *self.way.reach.borrow() == Reach::Deaf {
            truth::fire(FaultKind::NodeWithoutStore);
            sleep(LOST_AFTER).await;
            return Err(unknown("the connection broke before the answer"));
        }
        self.way.pass().await;
        answer
    }
}

impl Way {
    async fn pass(&self) {
        let draw = {
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            random.below(WAY_MS * 2)
        };
        // Half of all take no time that counts: each wait costs some.
        if draw <= WAY_MS && draw > 0 {
            sleep(Duration::from_millis(draw)).await;
        }
        if *self.reach.borrow() == Reach::Shut {
            truth::fire(FaultKind::NodeWithoutStore);
        }
        let open = |reach: &Reach| matches!(reach, Reach::Open | Reach::Deaf);
        // The sender is here, so this ends only when it is open.
        let _ = self.reach.subscribe().wait_for(open).await;
    }
}

impl Store for NodeStore {
    /// The nodes are told that it is shared between processes, which they are to each other.
    fn about(&self) -> About {
        let scope = if truth::is_wide() { Scope::Cluster } else { Scope::Machine };
        scope.into()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let by = self.by;
        let read = move |inner: &mut Inner| {
            if let Condition::Damaged(percent) = inner.condition
                && inner.random.percent(percent)
            {
                truth::fire(FaultKind::DamagedBytes);
                let detail = "a chunk does not have its checksum".to_owned();
                return Err(GetError::Corrupt(Corruption { detail }));
            }
            let read = inner.disk.get(key.clone());
            if let Ok(Some(value)) = &read {
                inner.audit.read(by, &key, value);
            }
            read
        };
        self.read(read, GetError::Down)
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        let way = Arc::clone(&self.way);
        let read = move |inner: &mut Inner| match way.fails_scans.load(Ordering::Relaxed) {
            true => Err(ScanError::Down(outage("a scan failed"))),
            false => inner.disk.scan(scan),
        };
        self.read(read, ScanError::Down)
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        Box::pin(self.clone().commit_there(batch))
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.engine.lock().disk.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        // Others go on with it.
        Box::pin(async { Ok(()) })
    }
}

impl fmt::Debug for NodeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeStore")
            .field("reach", &*self.way.reach.borrow())
            .finish_non_exhaustive()
    }
}

fn outage(reason: &str) -> Outage {
    Outage { reason: reason.to_owned(), retry_after: Duration::from_millis(100) }
}

fn unknown(reason: &str) -> CommitError {
    CommitError::Unknown { reason: reason.to_owned() }
}
