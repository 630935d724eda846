//! Random operations on a store with faults, compared with a reference model; and many at the same
//! time, whose outcome is compared with what they were told.
//!
//! Every run follows from its seed. `QUEUE_SEED=N` runs one alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crowd;
mod late;
mod reference;
mod steps;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use throughline_queue::{Clock, Queue, QueueName, QueueOptions};
use throughline_store::{Faults, FaultyStore, MemoryStore};

/// Faults that a store which keeps the law may make.
const FAULTS: Faults = Faults {
    delay_steps_max: 3,
    read_down_percent: 3,
    commit_down_percent: 5,
    commit_unknown_percent: 20,
    unsynced_commits_max: 0,
    torn: false,
};

/// Looks over the seeds of a test.
fn for_each_seed(seeds: u64, test: impl AsyncFn(u64)) {
    let one = std::env::var("QUEUE_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = one.map_or(0..seeds, |seed| seed..seed + 1);
    for seed in seeds {
        // Pauses pass in virtual time.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(test(seed));
        }));
        if let Err(panic) = outcome {
            eprintln!("to see it again: QUEUE_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// A store that outlives its processes, and a clock.
#[derive(Debug, Clone)]
struct World {
    inner: MemoryStore,
    now_ms: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        Self { inner: MemoryStore::new(), now_ms: Arc::new(AtomicU64::new(1_000_000)) }
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn faulty(&self, seed: u64) -> FaultyStore {
        FaultyStore::new(Arc::new(self.inner.clone()), FAULTS, seed)
    }

    /// Opens a handle, however often the store fails.
    async fn open(&self, store: &FaultyStore, producer: &str, life: u64) -> Queue {
        let now_ms = self.now_ms.clone();
        let mut options = QueueOptions::default();
        options.clock = Clock::new(move || now_ms.load(Ordering::SeqCst));
        options.life = Some(life);
        loop {
            match Queue::open(Arc::new(store.clone()), producer, options.clone()).await {
                Ok(queue) => return queue,
                Err(error) => assert!(is_down(&error), "{error}"),
            }
        }
    }
}

/// Whether an error says that nothing was done, and that it may be tried again.
fn is_down(error: &impl std::fmt::Display) -> bool {
    error.to_string().contains("the store is down")
}

fn queue_names(count: usize) -> Vec<QueueName> {
    // Of both kinds, whose rows differ; and some so long that they stand in keys as their hash.
    let name = |n: usize| "q".repeat(1 + n * 60);
    let of = |n: usize| if n == 1 { QueueName::key("q") } else { QueueName::named(&name(n)) };
    (0..count).map(|n| of(n).unwrap()).collect()
}

#[test]
fn p6_random_operations_do_what_the_reference_model_says() {
    for_each_seed(60, steps::run);
}

#[test]
fn p6_competing_consumers_take_each_message_once_and_lose_none() {
    for_each_seed(40, crowd::run);
}
