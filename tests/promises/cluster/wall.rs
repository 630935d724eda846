//! What stands between one node and its store: it holds up calls, and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use throughline_cluster::{Header, NodeState, RecordId, Row, State, Value, keys};
use throughline_link::SessionId;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, Page, Scan, ScanError, Scope, Store,
    StoreFuture, Watch, WatchError, Write,
};
use tokio::sync::watch as cell;

use crate::watch;

/// What a wall holds up, until it is set to something else.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gate {
    /// Every call; then they go on as if nothing had happened.
    pub(crate) is_shut: bool,
    /// Commits of which this is true.
    pub(crate) before: Option<fn(&Batch) -> bool>,
    /// The answers of such commits, once they are made.
    pub(crate) after: Option<fn(&Batch) -> bool>,
    /// Looks at which queues are not empty.
    pub(crate) is_blind: bool,
    /// Such commits are not made: the store says that it is down.
    pub(crate) refused: Option<fn(&Batch) -> bool>,
}

impl Gate {
    /// Nothing passes.
    pub(crate) fn shut() -> Self {
        Self { is_shut: true, ..Self::default() }
    }

    /// These commits are held up before they are made.
    pub(crate) fn before(which: fn(&Batch) -> bool) -> Self {
        Self { before: Some(which), ..Self::default() }
    }

    /// These commits are made, and their answers held up.
    pub(crate) fn after(which: fn(&Batch) -> bool) -> Self {
        Self { after: Some(which), ..Self::default() }
    }

    /// Nobody sees which queues are not empty.
    pub(crate) fn blind() -> Self {
        Self { is_blind: true, ..Self::default() }
    }

    /// These commits are not made.
    pub(crate) fn refusing(which: fn(&Batch) -> bool) -> Self {
        Self { refused: Some(which), ..Self::default() }
    }

    fn holds(self, batch: Option<&Batch>) -> bool {
        self.is_shut || batch.is_some_and(|b| self.before.is_some_and(|which| which(b)))
    }

    fn is_deaf_to(self, batch: &Batch) -> bool {
        self.after.is_some_and(|which| which(batch))
    }
}

/// A node's own way to the store of all.
#[derive(Debug)]
pub(crate) struct Wall {
    inner: Arc<dyn Store>,
    gate: cell::Sender<Gate>,
    held: AtomicUsize,
    refused: AtomicU64,
}

impl Wall {
    pub(super) fn new(inner: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            gate: cell::Sender::new(Gate::default()),
            held: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        })
    }

    pub(crate) fn set(&self, gate: Gate) {
        self.gate.send_replace(gate);
    }

    pub(crate) fn open(&self) {
        self.set(Gate::default());
    }

    /// The store behind it.
    pub(crate) const fn store(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    /// How many rows begin with this.
    pub(crate) fn rows(&self, prefix: &'static [u8]) -> usize {
        let scan = self.inner.scan(Scan::prefix(Bytes::from_static(prefix)));
        // A store in memory answers at once.
        scan.now_or_never().unwrap().unwrap().entries().len()
    }

    /// The record of a session, if there is one.
    pub(crate) fn header(&self, id: SessionId) -> Option<Header> {
        let row = Row::Header(RecordId::session(id));
        let bytes = self.inner.get(row.key()).now_or_never().unwrap().unwrap()?;
        match Value::decode(&row, &bytes) {
            Ok(Value::Header(header)) => Some(header),
            _ => panic!("not a header: {bytes:?}"),
        }
    }

    /// How the incarnations of this node stand.
    fn standings(&self, node: u32) -> Vec<NodeState> {
        let range = keys::standings();
        let scan = self.inner.scan(Scan::range(range.start, Some(range.end)));
        // A store in memory answers at once.
        let page = scan.now_or_never().unwrap().unwrap();
        let rows = page.into_entries().into_iter().filter_map(|entry| {
            let row = keys::row_of(&entry.key)?;
            match (&row, Value::decode(&row, &entry.value)) {
                (Row::Standing(member), Ok(Value::Standing(standing))) => {
                    (member.node.0 == node).then_some(standing.state)
                }
                _ => None,
            }
        });
        rows.collect()
    }

    /// How many others this node asks before it plays on, by its last beat.
    pub(crate) fn known_to(&self, node: u32) -> usize {
        let range = keys::beats();
        let scan = self.inner.scan(Scan::range(range.start, Some(range.end)));
        let page = scan.now_or_never().unwrap().unwrap();
        let asks = page.into_entries().into_iter().filter_map(|entry| {
            let row = keys::row_of(&entry.key)?;
            match (&row, Value::decode(&row, &entry.value)) {
                (Row::Beat(member), Ok(Value::Beat(beat))) if member.node.0 == node => {
                    Some(beat.plays_on?.asks.len())
                }
                _ => None,
            }
        });
        asks.max().unwrap_or(0)
    }

    /// How many incarnations of this node were declared dead.
    pub(crate) fn deaths(&self, node: u32) -> usize {
        self.standings(node).iter().filter(|state| **state == NodeState::Dead).count()
    }

    /// Waits until this node, which was alive, was declared dead.
    pub(crate) async fn sees_dead(&self, node: u32) {
        let dead = || !self.standings(node).contains(&NodeState::Alive);
        watch::until("a node that is dead", dead).await;
    }

    /// Waits until this node, which was dead, is alive as another incarnation.
    pub(crate) async fn sees_alive(&self, node: u32) {
        let alive = || self.standings(node).contains(&NodeState::Alive);
        watch::until("a node that is alive", alive).await;
    }

    /// Waits until a call is held up.
    pub(crate) async fn holds_something(&self) {
        let held = || self.held.load(Ordering::Relaxed) > 0;
        watch::until("a call that is held up", held).await;
    }

    /// Commits that the store refused to this node.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn handle(&self) -> (Arc<dyn Store>, cell::Receiver<Gate>) {
        (Arc::clone(&self.inner), self.gate.subscribe())
    }
}

/// Passes the gate.
async fn pass(gate: &mut cell::Receiver<Gate>, batch: Option<&Batch>) {
    // The sender outlives every call, but for those at the end of a test.
    if gate.wait_for(|gate| !gate.holds(batch)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Store for SharedWall {
    fn about(&self) -> About {
        self.1.into()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        let (inner, mut gate) = self.0.handle();
        Box::pin(async move {
            pass(&mut gate, None).await;
            inner.get(key).await
        })
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        let (inner, mut gate) = self.0.handle();
        Box::pin(async move {
            pass(&mut gate, None).await;
            if scan.from().starts_with(b"q") {
                // The sender outlives every call, but for those at the end of a test.
                let _ = gate.wait_for(|gate| !gate.is_blind).await;
            }
            inner.scan(scan).await
        })
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let (inner, mut gate) = self.0.handle();
        let wall = Arc::clone(&self.0);
        Box::pin(async move {
            if gate.borrow().holds(Some(&batch)) {
                wall.held.fetch_add(1, Ordering::Relaxed);
                pass(&mut gate, Some(&batch)).await;
                wall.held.fetch_sub(1, Ordering::Relaxed);
            }
            if gate.borrow().refused.is_some_and(|which| which(&batch)) {
                return Err(CommitError::Closed);
            }
            let answer = inner.commit(batch.clone()).await;
            if matches!(answer, Err(CommitError::Refused(_))) {
                wall.refused.fetch_add(1, Ordering::Relaxed);
            }
            if gate.borrow().is_deaf_to(&batch) {
                wall.held.fetch_add(1, Ordering::Relaxed);
                // Without a sender no test is there to be deceived.
                let _ = gate.wait_for(|gate| !gate.is_deaf_to(&batch)).await;
                wall.held.fetch_sub(1, Ordering::Relaxed);
            }
            answer
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.0.inner.watch(prefix)
    }

    /// The store is there for the other nodes, and for this one when it starts again.
    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        Box::pin(async { Ok(()) })
    }
}

/// What a node is given, and whose nodes it says that it is for.
#[derive(Debug)]
pub(super) struct SharedWall(pub(super) Arc<Wall>, pub(super) Scope);

/// The header that a commit writes, if it does.
fn header_of(batch: &Batch) -> Option<Header> {
    batch.writes().iter().find_map(|write| {
        let Write::Put { key, value } = write else { return None };
        let row = keys::row_of(key)?;
        match Value::decode(&row, value) {
            Ok(Value::Header(header)) => Some(header),
            _ => None,
        }
    })
}

/// Whether a commit brings a record into a state like this.
pub(crate) fn is_in(batch: &Batch, is_so: fn(State) -> bool) -> bool {
    header_of(batch).is_some_and(|header| is_so(header.state))
}

/// Whether a commit puts a message into a queue.
pub(crate) fn enqueues(batch: &Batch) -> bool {
    batch.writes().iter().any(|write| match write {
        Write::Put { key, .. } => key.starts_with(b"xm"),
        Write::Delete { .. } => false,
    })
}

/// Whether a commit leaves a request for the owner of a record.
pub(crate) fn asks(batch: &Batch) -> bool {
    batch.writes().iter().any(|write| match write {
        Write::Put { key, .. } => matches!(keys::row_of(key), Some(Row::Request(..))),
        Write::Delete { .. } => false,
    })
}

/// Whether a commit takes a message out of a queue.
pub(crate) fn uses_up(batch: &Batch) -> bool {
    batch.writes().iter().any(|write| match write {
        Write::Delete { key } => key.starts_with(b"xm"),
        Write::Put { .. } => false,
    })
}

/// Whether a commit takes a session key.
pub(crate) fn holds_key(batch: &Batch) -> bool {
    batch.writes().iter().any(|write| match write {
        Write::Put { key, .. } => matches!(keys::row_of(key), Some(Row::Key(_))),
        Write::Delete { .. } => false,
    })
}
