//! The store that all nodes share, as one node sees it: it takes time, and may be out of reach.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, MemoryStore, Outage, Page, Scan, ScanError,
    Scope, Store, StoreFuture, Watch, WatchError,
};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::random::Random;

/// One call in four reaches the store so late, and of one in four the answer comes so late: so that
/// what happens meanwhile is tested, too. Each delay costs real time, so most calls have none.
const DELAY: Duration = Duration::from_millis(1);
const ONE_IN: u64 = 4;

/// The handle of one start of one node.
#[derive(Clone)]
pub(crate) struct NodeStore {
    content: MemoryStore,
    scope: Scope,
    way: Arc<Way>,
}

struct Way {
    gate: watch::Sender<Gate>,
    random: Mutex<Random>,
}

/// Whether calls reach the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Calls wait.
    Shut,
    /// Commits are refused: the store does not work.
    Down,
    /// The next commit is made, and its answer is that nobody knows.
    Unheard,
    /// The node is gone: its calls are never answered.
    Gone,
}

impl NodeStore {
    pub(crate) fn new(content: &MemoryStore, scope: Scope, seed: u64) -> Self {
        let random = Mutex::new(Random::new(seed));
        let way = Arc::new(Way { gate: watch::Sender::new(Gate::Open), random });
        Self { content: content.reopen(), scope, way }
    }

    /// What becomes of calls, from now on.
    pub(crate) fn set(&self, gate: Gate) {
        self.way.set(gate);
    }

    /// Nothing more is done or answered.
    pub(crate) fn abandon(&self) {
        self.way.set(Gate::Gone);
    }

    fn call<T: Send + 'static>(&self, call: StoreFuture<T>) -> StoreFuture<T> {
        let way = Arc::clone(&self.way);
        Box::pin(async move {
            way.pass().await;
            let answer = call.await;
            way.pass().await;
            answer
        })
    }
}

impl Way {
    fn set(&self, to: Gate) {
        self.gate.send_if_modified(|gate| {
            let is_changed = *gate != Gate::Gone && *gate != to;
            if is_changed {
                *gate = to;
            }
            is_changed
        });
    }

    /// Waits until the way is free; how it then is.
    async fn pass(&self) -> Gate {
        let draw = self.random.lock().unwrap_or_else(PoisonError::into_inner).next();
        if draw.is_multiple_of(ONE_IN) {
            sleep(DELAY).await;
        }
        let mut gate = self.gate.subscribe();
        let is_free = |gate: &Gate| !matches!(gate, Gate::Shut | Gate::Gone);
        // The sender is here, so this ends only when the way is free.
        gate.wait_for(is_free).await.map_or(Gate::Gone, |gate| *gate)
    }
}

impl Store for NodeStore {
    /// The nodes are told that it is shared between processes, which they are to each other.
    fn about(&self) -> About {
        self.scope.into()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.call(self.content.get(key))
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.call(self.content.scan(scan))
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let (way, call) = (Arc::clone(&self.way), self.content.commit(batch));
        Box::pin(async move {
            let gate = way.pass().await;
            if gate == Gate::Down {
                let (reason, retry_after) = ("the test says so".to_owned(), DELAY);
                return Err(CommitError::Down(Outage { reason, retry_after }));
            }
            if gate == Gate::Unheard {
                way.set(Gate::Open);
            }
            let answer = call.await;
            way.pass().await;
            if gate == Gate::Unheard {
                return Err(CommitError::Unknown { reason: "the test says so".to_owned() });
            }
            answer
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.content.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.content.close()
    }
}

impl fmt::Debug for NodeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeStore").field("gate", &*self.way.gate.borrow()).finish_non_exhaustive()
    }
}
