//! A store that kills its process at a step, or does other harm there.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{Member, Row, keys};
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, Outage, Page, Scan, ScanError, Store,
    StoreFuture, Watch, WatchError,
};
use tokio::sync::Notify;

use crate::step::{Step, Typed};

/// When a process is killed at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The commit has not been sent.
    Before,
    /// The commit is in, and its node has not heard so.
    After,
}

impl Moment {
    pub(crate) const BOTH: [Self; 2] = [Self::Before, Self::After];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What is done to the commits of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The process is killed at the next one; after it, only if it was taken.
    Kill(Moment),
    /// The next one says so, and waits until told otherwise.
    Hold(Moment),
    /// The store does not take them, until told otherwise.
    Deny,
    /// The outcome of the next one is unknown.
    Unknown { lands: bool },
    /// Nothing (any more).
    Nothing,
}

impl Order {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Kill(Moment::Before), "kill-before"),
        (Self::Kill(Moment::After), "kill-after"),
        (Self::Hold(Moment::Before), "hold-before"),
        (Self::Hold(Moment::After), "hold-after"),
        (Self::Deny, "deny"),
        (Self::Unknown { lands: true }, "unknown-landed"),
        (Self::Unknown { lands: false }, "unknown-lost"),
        (Self::Nothing, "nothing"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(order, _)| *order == self).unwrap().1
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, own)| *own == name).map(|(order, _)| *order)
    }
}

/// A store that does as ordered, and else what `inner` does.
#[derive(Debug, Clone)]
pub(crate) struct KillAt {
    inner: Arc<dyn Store>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whose store it is: learnt from its beats.
    me: Mutex<Option<Member>>,
    /// It has begun to drain.
    drains: AtomicBool,
    orders: Mutex<HashMap<Step, Order>>,
    /// Steps that said they are held up: of several commits one does.
    said: Mutex<HashSet<Step>>,
    /// An order was given.
    ordered: Notify,
}

impl KillAt {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, state: Arc::default() }
    }

    pub(crate) fn order(&self, step: Step, order: Order) {
        self.state.orders.lock().unwrap().insert(step, order);
        self.state.ordered.notify_waiters();
    }
}

impl State {
    /// What is to be done to this commit; what holds for one commit only is used up.
    fn take(&self, batch: &Batch) -> Option<(Step, Order)> {
        let mut me = self.me.lock().unwrap();
        if let Some(Row::Beat(member)) = Typed::of(batch)
            .and_then(|typed| typed.writes.into_keys().find(|row| matches!(row, Row::Beat(_))))
            && Step::of(batch, None) == Some(Step::Beat)
        {
            *me = Some(member);
        }
        let step = Step::of(batch, *me)?;
        self.drains.fetch_or(step == Step::Drain, Ordering::SeqCst);
        let mut orders = self.orders.lock().unwrap();
        let order = *orders.get(&step)?;
        if matches!(order, Order::Unknown { .. }) {
            orders.remove(&step);
        }
        Some((step, order))
    }

    /// Whether this is the look at the node's own records that would park what is in nobody's
    /// memory, while parking is denied. It fails as a whole: it would try to park again and again,
    /// and keep the record from everybody who asks for it meanwhile. A drain looks in the same way
    /// at what it has to empty.
    fn denies(&self, scan: &Scan) -> bool {
        // One lock at a time: commits take both, in the other order.
        let me = *self.me.lock().unwrap();
        let order = self.orders.lock().unwrap().get(&Step::Park).copied();
        !self.drains.load(Ordering::SeqCst)
            && order == Some(Order::Deny)
            && me.is_some_and(|me| *scan.from() == keys::owned_by(me).start)
    }
}

/// The answer to what is denied.
fn denied() -> Outage {
    Outage { reason: "the test denies it".to_owned(), retry_after: Duration::ZERO }
}

impl State {
    /// Waits while the step is held up at this moment.
    async fn pass(&self, step: Step, moment: Moment) {
        let is_held = || self.orders.lock().unwrap().get(&step) == Some(&Order::Hold(moment));
        if !is_held() {
            return;
        }
        if self.said.lock().unwrap().insert(step) {
            say("at", step, moment);
        }
        loop {
            let ordered = self.ordered.notified();
            if !is_held() {
                return;
            }
            ordered.await;
        }
    }
}

fn say(what: &str, step: Step, moment: Moment) {
    let mut output = io::stdout().lock();
    let line = format!("{what} {} {}\n", step.name(), moment.name());
    let _ = output.write_all(line.as_bytes()).and_then(|()| output.flush());
}

/// Ends this process as a power cut would: nothing is closed, nobody is told.
fn die(step: Step, moment: Moment) -> ! {
    say("died", step, moment);
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // The signal has been sent, and cannot be caught.
    loop {
        std::thread::park();
    }
}

impl Store for KillAt {
    fn about(&self) -> About {
        self.inner.about()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.inner.get(key)
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        if self.state.denies(&scan) {
            return Box::pin(async { Err(ScanError::Down(denied())) });
        }
        self.inner.scan(scan)
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let Self { inner, state } = self.clone();
        Box::pin(async move {
            match state.take(&batch) {
                Some((step, Order::Kill(Moment::Before))) => die(step, Moment::Before),
                Some((step, Order::Kill(Moment::After))) => {
                    let answer = inner.commit(batch).await;
                    if answer.is_ok() {
                        die(step, Moment::After);
                    }
                    answer
                }
                Some((step, Order::Hold(_))) => {
                    state.pass(step, Moment::Before).await;
                    let answer = inner.commit(batch).await;
                    state.pass(step, Moment::After).await;
                    answer
                }
                Some((_, Order::Deny)) => Err(CommitError::Down(denied())),
                Some((_, Order::Unknown { lands })) => {
                    if lands {
                        inner.commit(batch).await?;
                    }
                    Err(CommitError::Unknown { reason: "the test does not say".to_owned() })
                }
                Some((_, Order::Nothing)) | None => inner.commit(batch).await,
            }
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.inner.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.inner.close()
    }
}
