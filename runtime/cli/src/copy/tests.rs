use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use throughline_cluster::{
    Beat, Member, NodeId, NodeInfo, NodeState, RecordId, Row, Standing, Value, keys,
};
use throughline_link::SessionId;
use throughline_queue::Clock;
use throughline_store::{
    About, Batch, CloseError, CommitError, Entry, GetError, MemoryStore, Page, Scan, ScanError,
    Store, StoreFuture, Watch, WatchError,
};

use super::*;

/// Records of which a batch takes two.
const LARGE: usize = 200 * 1024;

/// What becomes of the commits of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// So many are done, then the store is closed, as for a process that is killed.
    EndsAfter(usize),
    /// Of every three one lands and does not say so, and one does not land and does not say so.
    Unsure,
}

#[derive(Debug)]
struct Fated {
    store: MemoryStore,
    fate: Fate,
    commits: AtomicUsize,
}

impl Fated {
    fn side(store: &MemoryStore, fate: Fate) -> Side {
        let store = Self { store: store.clone(), fate, commits: AtomicUsize::new(0) };
        Side { store: Arc::new(store), name: "new".to_owned() }
    }
}

impl Store for Fated {
    fn about(&self) -> About {
        self.store.about()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.store.get(key)
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.store.scan(scan)
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let unsure = || CommitError::Unknown { reason: "nobody knows".to_owned() };
        let landing = self.store.commit(batch);
        match self.fate {
            Fate::EndsAfter(count) if number >= count => {
                Box::pin(async { Err(CommitError::Closed) })
            }
            Fate::Unsure if number % 3 == 1 => {
                Box::pin(async move { landing.await.and_then(|()| Err(unsure())) })
            }
            Fate::Unsure if number % 3 == 2 => Box::pin(async move { Err(unsure()) }),
            Fate::EndsAfter(_) | Fate::Unsure => landing,
        }
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.store.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.store.close()
    }
}

fn side(store: &MemoryStore, name: &str) -> Side {
    Side { store: Arc::new(store.clone()), name: name.to_owned() }
}

/// A store with so many large records, some of them in front of the copy's row and some behind.
async fn filled(records: u8) -> MemoryStore {
    let store = MemoryStore::new();
    for number in 0..records {
        let key = [if number % 2 == 0 { b'h' } else { b'z' }, 0, u8::MAX, number];
        let batch = Batch::new().put(key.to_vec(), vec![number; LARGE]);
        store.commit(batch).await.unwrap();
    }
    store
}

async fn records(store: &MemoryStore) -> Vec<Entry> {
    let mut records = Vec::new();
    let side = side(store, "");
    let mut pages = side.pages(Scan::all());
    while let Some(page) = pages.next().await.unwrap() {
        records.extend(page);
    }
    records
}

async fn sum(store: &MemoryStore) -> Sum {
    Sum::of(&side(store, "old"), &ProgressBar::hidden()).await.unwrap()
}

#[tokio::test]
async fn a_copy_that_ends_at_any_commit_goes_on_there() {
    let old = filled(10).await;
    let (from, sum) = (side(&old, "old"), sum(&old).await);
    // The row, five batches of two, the end.
    for commits in 0..7 {
        let new = MemoryStore::new();
        let ended = copy(&from, &Fated::side(&new, Fate::EndsAfter(commits)), &sum).await;
        assert!(ended.is_err(), "after {commits}");
        let is_begun = new.get(keys::HALF_COPY.into()).await.unwrap().is_some();
        assert_eq!(is_begun, commits > 0);
        let before = copy(&from, &side(&new, "new"), &sum).await.unwrap();
        assert_eq!(before as usize, commits.saturating_sub(1) * 2);
        assert!(records(&new).await == records(&old).await, "after {commits}");
        // One that ended behind its last commit has nothing more to do.
        assert_eq!(copy(&from, &side(&new, "new"), &sum).await.unwrap(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn commits_of_unknown_outcome_are_settled() {
    let (old, new) = (filled(10).await, MemoryStore::new());
    let sum = sum(&old).await;
    copy(&side(&old, "old"), &Fated::side(&new, Fate::Unsure), &sum).await.unwrap();
    assert!(records(&new).await == records(&old).await);
}

async fn refused(from: &MemoryStore, to: &MemoryStore, sum: &Sum) -> CopyError {
    match copy(&side(from, "old"), &side(to, "new"), sum).await {
        Err(Error::Copy(error)) => *error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_store_that_holds_anything_else_is_refused_and_left_as_it_is() {
    let (old, new) = (filled(4).await, MemoryStore::new());
    let sum = sum(&old).await;
    new.commit(Batch::new().put("mine", "1")).await.unwrap();
    let before = records(&new).await;
    let error = refused(&old, &new, &sum).await;
    assert!(matches!(&error, CopyError::NotEmpty { key, .. } if key == "mine"), "{error}");
    assert!(records(&new).await == before);

    // Behind what an interrupted copy has done.
    let new = MemoryStore::new();
    copy(&side(&old, "old"), &Fated::side(&new, Fate::EndsAfter(2)), &sum).await.unwrap_err();
    new.commit(Batch::new().put("x", "1")).await.unwrap();
    let error = refused(&old, &new, &sum).await;
    assert!(matches!(&error, CopyError::NotEmpty { key, .. } if key == "x"), "{error}");
    // And before it: seen at the end, and no node starts.
    new.commit(Batch::new().delete("x").put("a", "1")).await.unwrap();
    let error = refused(&old, &new, &sum).await;
    assert!(matches!(&error, CopyError::Unequal { .. }), "{error}");
    assert!(new.get(keys::HALF_COPY.into()).await.unwrap().is_some());
}

#[tokio::test]
async fn an_interrupted_copy_goes_on_with_the_same_store_alone() {
    let (old, new) = (filled(4).await, MemoryStore::new());
    let of_old = sum(&old).await;
    copy(&side(&old, "old"), &Fated::side(&new, Fate::EndsAfter(2)), &of_old).await.unwrap_err();
    let before = records(&new).await;
    old.commit(Batch::new().put("h", "")).await.unwrap();
    let error = refused(&old, &new, &sum(&old).await).await;
    assert!(matches!(&error, CopyError::OtherCopy { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("4 records") && text.contains("5 records"), "{text}");
    assert!(records(&new).await == before);
    new.commit(Batch::new().put(keys::HALF_COPY, "\x7f")).await.unwrap();
    let error = refused(&old, &new, &of_old).await;
    assert!(matches!(&error, CopyError::UnreadableCopy { .. }), "{error}");
}

#[tokio::test]
async fn a_store_that_changes_meanwhile_is_noticed() {
    let (old, new) = (filled(4).await, MemoryStore::new());
    let before = sum(&old).await;
    old.commit(Batch::new().put("h", "")).await.unwrap();
    let error = refused(&old, &new, &before).await;
    assert!(matches!(&error, CopyError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn of_two_copies_into_one_store_one_is_refused() {
    let (old, new) = (filled(6).await, MemoryStore::new());
    let (from, to, sum) = (side(&old, "old"), side(&new, "new"), sum(&old).await);
    let bar = ProgressBar::hidden();
    let Begin::At(mut row) = transfer::begin(&from, &to, &sum, &bar).await.unwrap() else {
        panic!("it is empty");
    };
    let mut late = row.clone();
    transfer::copy(&from, &to, &mut row, &bar).await.unwrap();
    let error = transfer::copy(&from, &to, &mut late, &bar).await.unwrap_err();
    assert!(matches!(&error, Error::Copy(error) if matches!(**error, CopyError::TwoCopies { .. })));
    assert!(records(&new).await.len() == 7);
}

/// A node in this state that beat so long ago, and owns a session.
async fn with_node(state: NodeState, age_ms: u64) -> MemoryStore {
    let store = MemoryStore::new();
    let member = Member { node: NodeId(3), incarnation: 9 };
    let info = Arc::new(NodeInfo::new("10.0.0.3:7", Vec::new()).unwrap());
    let id = RecordId::session(SessionId([7; 16]));
    let beat = Beat::new(1, Clock::system().now_ms() - age_ms);
    let batch = Batch::new()
        .put(Row::Standing(member).key(), Value::Standing(Standing { state, info }).encode())
        .put(Row::Beat(member).key(), beat.encode())
        .put(Row::Owned(member, id).key(), Value::Mark.encode());
    store.commit(batch).await.unwrap();
    store
}

#[tokio::test]
async fn a_store_that_a_node_acts_on_is_refused_with_the_node_and_what_it_owns() {
    for (state, name) in [(NodeState::Alive, "alive"), (NodeState::Draining, "draining")] {
        let store = with_node(state, 1_000).await;
        let text = parked::check(&side(&store, "old")).await.unwrap_err().to_string();
        assert!(text.contains("old is in use: n3.") && text.contains(name), "{text}");
        assert!(text.contains("session 0707") && text.contains("stop all nodes"), "{text}");
        let store = with_node(state, 61_000).await;
        let gone = parked::check(&side(&store, "old")).await.unwrap();
        assert!(matches!(&gone[..], [Gone { owned: 1, .. }]), "{gone:?}");
    }
    for state in [NodeState::Left, NodeState::Dead] {
        let store = with_node(state, 0).await;
        assert_eq!(parked::check(&side(&store, "old")).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_node_that_cannot_be_read_counts_as_alive() {
    let store = with_node(NodeState::Left, 0).await;
    let member = Member { node: NodeId(3), incarnation: 9 };
    store.commit(Batch::new().put(Row::Standing(member).key(), "\x02newer")).await.unwrap();
    let error = parked::check(&side(&store, "old")).await.unwrap_err().to_string();
    assert!(error.contains("n3.") && error.contains("may be alive"), "{error}");
}

#[tokio::test]
async fn half_a_copy_is_not_copied() {
    let store = MemoryStore::new();
    store.commit(Batch::new().put(keys::HALF_COPY, "")).await.unwrap();
    let error = parked::check(&side(&store, "old")).await.unwrap_err().to_string();
    assert!(error.contains("old is itself half a copy"), "{error}");
}
