//! The store of another process.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use throughline_store::limits::check_key;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, Outage, Page, Scan, ScanError, Scope, Store,
    StoreFuture, Watch, WatchError, Watches,
};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::client::calls::{Answer, Request};
use crate::client::driver::{Asked, Caller, Driver};
use crate::client::prefixes::Prefixes;
use crate::limits::{
    ATTACHED_CLOSE_TIMEOUT, AWAY_RETRY_AFTER, CLIENT_UNITS_MAX, GET_UNITS, SCAN_UNITS, units,
};
use crate::{ConnectError, Options};

/// The store that a hub of this machine lends.
///
/// It keeps the law of [`Store`] as far as the lent store does. It has one connection, on a thread
/// or a task of its own, and one more for each thread that wants it ([`attach`](Self::attach)); it
/// connects again by itself whenever one breaks. Calls may be awaited on any executor. While the
/// hub is away, calls wait, for [`Options::call_wait`], then answer `Down`. A read whose connection
/// broke is asked again over the next one. A commit whose connection broke once its last byte had
/// left is `Unknown`; before, it is sent over the next one.
///
/// A clone is the same store, and shares its connection. Dropping the last one ends it without
/// waiting for calls under way.
#[derive(Clone)]
pub struct HubStore {
    handle: Arc<Handle>,
}

struct Handle {
    /// Dropped with the last handle, which ends the driver.
    asked: mpsc::UnboundedSender<Asked>,
    shared: Arc<Shared>,
    options: Options,
    ended: watch::Receiver<()>,
    /// The connections of single threads.
    attached: Mutex<Vec<Weak<Self>>>,
}

impl Handle {
    /// What is wrong with the connection of a thread, whose calls go over the first one meanwhile.
    fn attached_trouble(&self) -> Option<String> {
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        attached.iter().find_map(|handle| handle.upgrade()?.shared.trouble().clone())
    }

    /// The same for the connections of single threads.
    fn end_attached(&self) -> Vec<watch::Receiver<()>> {
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        attached.iter().filter_map(|handle| Some(handle.upgrade()?.end())).collect()
    }

    /// Takes no more calls; what fails once those under way are answered.
    fn end(&self) -> watch::Receiver<()> {
        let shared = &self.shared;
        shared.is_closed.store(true, Ordering::Release);
        // Calls that wait for their turn were not sent, and are refused.
        shared.room.close();
        shared.watches.close();
        shared.watched.notify_one();
        self.ended.clone()
    }
}

/// What the handles and the driver share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What calls under way may take, in units.
    room: Arc<Semaphore>,
    pub(crate) watches: Watches,
    prefixes: Mutex<Prefixes>,
    /// Told when there is a new prefix to ask for, or the store was closed.
    pub(crate) watched: Notify,
    is_closed: AtomicBool,
    /// Why there is no connection.
    trouble: Mutex<Option<String>>,
    /// What the driver's times are counted from.
    pub(crate) started: Instant,
}

impl Shared {
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn prefixes(&self) -> MutexGuard<'_, Prefixes> {
        self.prefixes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store was closed before, so the call is refused.
struct Closed;

/// The driver, and what tells that it has ended.
struct Driving {
    driver: Driver,
    _ending: watch::Sender<()>,
}

impl Driving {
    async fn run(self, first: oneshot::Sender<Result<(), ConnectError>>) {
        self.driver.run(first).await;
    }

    /// Goes on, also while the hub is away: the store has had a connection before.
    async fn run_attached(self) {
        self.driver.run_attached().await;
    }
}

thread_local! {
    /// The connections of this thread, each with the store that it is one of.
    static ATTACHED: RefCell<Vec<(Weak<Handle>, HubStore)>> = const { RefCell::new(Vec::new()) };
}

/// The connection of one thread; dropping it gives it up.
#[derive(Debug)]
#[must_use = "the connection is given up when this is dropped"]
pub struct Attached {
    of: Weak<Handle>,
    /// It belongs to the thread that it was made on.
    _here: PhantomData<*const ()>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        // A thread that ends has given all of its connections up already.
        let _ = ATTACHED.try_with(|attached| {
            attached.borrow_mut().retain(|(of, _)| !of.ptr_eq(&self.of));
        });
    }
}

impl HubStore {
    /// From now on calls that this thread makes go over a connection of their own, driven by a task
    /// of its runtime: they cost no hop to another thread. What was answered on one connection is
    /// seen by calls on all; calls under way at once on several are in no order. While the hub is
    /// away calls wait as they do without. A thread has one such connection: of
    /// several [`Attached`] of a thread the first that is dropped gives it up.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time.
    pub fn attach(&self) -> Attached {
        let of = Arc::downgrade(&self.handle);
        let is_attached =
            ATTACHED.with_borrow(|attached| attached.iter().any(|(store, _)| store.ptr_eq(&of)));
        let mut known = self.handle.attached.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_attached && !self.handle.shared.is_closed() {
            let (store, driving) = Self::new(self.handle.options.clone());
            *store.handle.shared.trouble() = Some("not connected yet".to_owned());
            tokio::spawn(driving.run_attached());
            known.retain(|handle| handle.strong_count() > 0);
            known.push(Arc::downgrade(&store.handle));
            ATTACHED.with_borrow_mut(|attached| attached.push((of.clone(), store)));
        }
        drop(known);
        Attached { of, _here: PhantomData }
    }

    /// This thread's own connection.
    fn here(&self) -> Option<Self> {
        let of = Arc::as_ptr(&self.handle);
        let found = ATTACHED.try_with(|attached| {
            let attached = attached.borrow();
            attached.iter().find(|(store, _)| store.as_ptr() == of).map(|(_, here)| here.clone())
        });
        // One that the hub has no place for, or that broke: the first connection may do.
        found.ok().flatten().filter(|here| here.handle.shared.trouble().is_none())
    }

    /// Connects to the hub; if it is away, tries again for [`Options::call_wait`].
    ///
    /// # Errors
    /// A wrong secret or version, at once; a hub that was away all that time.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        let start = |source| ConnectError::Start { source };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
        let (store, driver) = Self::new(options);
        let (first, connected) = oneshot::channel();
        let run = move || runtime.block_on(driver.run(first));
        std::thread::Builder::new().name("hub-client".to_owned()).spawn(run).map_err(start)?;
        Self::connected(store, connected).await
    }

    /// The same, driven by a task of the caller's runtime, which must not be blocked: for a process
    /// whose other connections have a runtime of their own, so that one thread serves them all.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time.
    pub async fn connect_here(options: Options) -> Result<Self, ConnectError> {
        let (store, driver) = Self::new(options);
        let (first, connected) = oneshot::channel();
        tokio::spawn(driver.run(first));
        Self::connected(store, connected).await
    }

    async fn connected(
        store: Self,
        connected: oneshot::Receiver<Result<(), ConnectError>>,
    ) -> Result<Self, ConnectError> {
        let stopped = || std::io::Error::other("its driver stopped");
        connected.await.map_err(|_| ConnectError::Start { source: stopped() })??;
        Ok(store)
    }

    fn new(options: Options) -> (Self, Driving) {
        let (asked, receiver) = mpsc::unbounded_channel();
        let (ending, ended) = watch::channel(());
        let shared = Arc::new(Shared {
            room: Arc::new(Semaphore::new(CLIENT_UNITS_MAX)),
            watches: Watches::new(),
            prefixes: Mutex::default(),
            watched: Notify::new(),
            is_closed: AtomicBool::new(false),
            trouble: Mutex::default(),
            started: Instant::now(),
        });
        let driver = Driver::new(options.clone(), shared.clone(), receiver);
        let attached = Mutex::default();
        let store = Self { handle: Arc::new(Handle { asked, shared, options, ended, attached }) };
        (store, Driving { driver, _ending: ending })
    }

    /// Passes a call to the driver. `Ok(None)`: the driver has died, and nothing is known.
    async fn call(&self, request: Request, units: usize) -> Result<Option<Answer>, Closed> {
        let shared = &self.handle.shared;
        if shared.is_closed() {
            return Err(Closed);
        }
        let called = shared.now();
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let units = shared.room.clone().acquire_many_owned(units).await.map_err(|_| Closed)?;
        let (sender, answer) = oneshot::channel();
        let caller = Caller { answer: sender, _units: units };
        self.handle.asked.send(Asked { request, called, caller }).map_err(|_| Closed)?;
        Ok(answer.await.ok())
    }

    fn outage(&self) -> Outage {
        let address = &self.handle.options.address;
        let reason = format!("the client of the hub at {address} has failed: restart this process");
        Outage { reason, retry_after: AWAY_RETRY_AFTER }
    }
}

impl Store for HubStore {
    fn about(&self) -> About {
        let first = self.handle.shared.trouble().clone();
        About { scope: Scope::Machine, trouble: first.or_else(|| self.handle.attached_trouble()) }
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let store = self.here().unwrap_or_else(|| self.clone());
        Box::pin(async move {
            check_key(&key).map_err(GetError::Key)?;
            match store.call(Request::Get { key }, GET_UNITS).await {
                Ok(Some(Answer::Get(answer))) => answer,
                Ok(_) => Err(GetError::Down(store.outage())),
                Err(Closed) => Err(GetError::Closed),
            }
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        let store = self.here().unwrap_or_else(|| self.clone());
        Box::pin(async move {
            scan.validate().map_err(ScanError::Range)?;
            match store.call(Request::Scan { scan }, SCAN_UNITS).await {
                Ok(Some(Answer::Scan(answer))) => answer,
                Ok(_) => Err(ScanError::Down(store.outage())),
                Err(Closed) => Err(ScanError::Closed),
            }
        })
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let store = self.here().unwrap_or_else(|| self.clone());
        Box::pin(async move {
            batch.validate().map_err(CommitError::Invalid)?;
            let units = units(batch.bytes()).max(1);
            match store.call(Request::Commit { batch }, units).await {
                Ok(Some(Answer::Commit(answer))) => answer,
                Ok(_) => Err(CommitError::Unknown { reason: store.outage().reason }),
                Err(Closed) => Err(CommitError::Closed),
            }
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        let shared = &self.handle.shared;
        let watch = shared.watches.watch(prefix.clone())?;
        if shared.prefixes().watch(&prefix) {
            shared.watched.notify_one();
        }
        Ok(watch)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        let store = self.clone();
        Box::pin(async move {
            let mut ended = store.handle.end();
            // The driver has answered what was under way when this fails.
            while ended.changed().await.is_ok() {}
            let attached = async {
                for mut ended in store.handle.end_attached() {
                    while ended.changed().await.is_ok() {}
                }
            };
            // A thread that does not go on any more holds nobody up.
            let _ = tokio::time::timeout(ATTACHED_CLOSE_TIMEOUT, attached).await;
            Ok(())
        })
    }
}

impl fmt::Debug for HubStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.handle.options.address.to_string();
        f.debug_struct("HubStore").field("address", &address).finish_non_exhaustive()
    }
}
