//! The suite against the stores of this crate, and against stores that break the law: a suite that
//! finds nothing there would find nothing anywhere.

use std::sync::Arc;

use throughline_store::conformance::{self, Breach, CASES, Subject, SubjectFuture};
use throughline_store::{Faults, FaultyStore, MemoryStore, Store};

const SEEDS: std::ops::Range<u64> = 0..3;

struct InMemory(MemoryStore);

impl Subject for InMemory {
    fn open(&mut self) -> SubjectFuture<'_, Arc<dyn Store>> {
        let store: Arc<dyn Store> = Arc::new(self.0.reopen());
        Box::pin(async move { Ok(store) })
    }

    fn crash(&mut self, store: Arc<dyn Store>) -> SubjectFuture<'_, ()> {
        drop(store);
        Box::pin(async move { Ok(()) })
    }
}

/// Memory behind faults; a crash is the faulty store's.
struct Faulty {
    memory: MemoryStore,
    faults: Faults,
    seed: u64,
    open: Option<FaultyStore>,
}

impl Faulty {
    fn new(faults: Faults, seed: u64) -> Self {
        Self { memory: MemoryStore::new(), faults, seed, open: None }
    }
}

impl Subject for Faulty {
    fn open(&mut self) -> SubjectFuture<'_, Arc<dyn Store>> {
        self.seed += 1;
        let inner = Arc::new(self.memory.reopen());
        let store = FaultyStore::new(inner, self.faults, self.seed);
        self.open = Some(store.clone());
        Box::pin(async move { Ok(Arc::new(store) as Arc<dyn Store>) })
    }

    fn crash(&mut self, store: Arc<dyn Store>) -> SubjectFuture<'_, ()> {
        drop(store);
        Box::pin(async move {
            let open = self.open.take().ok_or("not open")?;
            open.crash().await.map_err(|error| error.to_string())
        })
    }
}

async fn run_faulty(faults: Faults) -> Result<(), Breach> {
    for seed in SEEDS {
        conformance::run(|| Faulty::new(faults, seed), seed).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_store_in_memory_keeps_the_law() {
    for seed in SEEDS {
        conformance::run(|| InMemory(MemoryStore::new()), seed).await.unwrap();
    }
}

#[tokio::test]
async fn delays_break_no_rule() {
    run_faulty(Faults { delay_steps_max: 5, ..Faults::default() }).await.unwrap();
}

#[tokio::test]
async fn failures_and_unknown_outcomes_break_no_rule() {
    let faults = Faults {
        delay_steps_max: 3,
        read_down_percent: 5,
        commit_down_percent: 10,
        commit_unknown_percent: 10,
        ..Faults::default()
    };
    run_faulty(faults).await.unwrap();
}

/// The rules that the suite finds broken with these faults.
async fn broken(faults: Faults) -> Vec<u8> {
    let mut rules = Vec::new();
    for case in CASES {
        if let Err(breach) = case.run(&mut Faulty::new(faults, 1), 1).await {
            assert!(case.rules.contains(&breach.rule), "{breach}");
            rules.push(breach.rule);
        }
    }
    rules
}

#[tokio::test]
async fn a_store_that_loses_one_answered_commit_is_found() {
    let rules = broken(Faults { unsynced_commits_max: 1, ..Faults::default() }).await;
    assert!(rules.contains(&4), "{rules:?}");
}

#[tokio::test]
async fn a_store_that_tears_a_batch_is_found() {
    let faults = Faults { unsynced_commits_max: 1, torn: true, ..Faults::default() };
    let rules = broken(faults).await;
    assert!(rules.contains(&2) && rules.contains(&4), "{rules:?}");
}
