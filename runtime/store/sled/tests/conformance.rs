//! The suite of the law against the store on disk. A crash is here a drop without a close; kills
//! of a process are in `processes`.

use std::sync::Arc;

use tempfile::TempDir;
use throughline_store::conformance::{CASES, Subject, SubjectFuture};
use throughline_store::{Faults, FaultyStore, Store};
use throughline_store_sled::SledStore;

struct OnDisk {
    dir: TempDir,
    faults: Option<Faults>,
}

impl OnDisk {
    fn new(faults: Option<Faults>) -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), faults }
    }
}

impl Subject for OnDisk {
    fn open(&mut self) -> SubjectFuture<'_, Arc<dyn Store>> {
        let opened = SledStore::open(self.dir.path()).map_err(|error| error.to_string());
        let opened = opened.map(|store| match self.faults {
            Some(faults) => Arc::new(FaultyStore::new(Arc::new(store), faults, 7)),
            None => Arc::new(store) as Arc<dyn Store>,
        });
        Box::pin(async move { opened })
    }

    fn crash(&mut self, store: Arc<dyn Store>) -> SubjectFuture<'_, ()> {
        let left = Arc::strong_count(&store) - 1;
        drop(store);
        Box::pin(
            async move { if left == 0 { Ok(()) } else { Err(format!("{left} handles are left")) } },
        )
    }
}

async fn run(faults: Option<Faults>, seed: u64) {
    for case in CASES {
        let outcome = case.run(&mut OnDisk::new(faults), seed).await;
        outcome.unwrap_or_else(|breach| panic!("{breach}"));
    }
}

#[tokio::test]
async fn the_store_on_disk_keeps_the_law() {
    run(None, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_on_disk_keeps_the_law_behind_faults() {
    let faults = Faults {
        delay_steps_max: 3,
        read_down_percent: 5,
        commit_down_percent: 5,
        commit_unknown_percent: 5,
        ..Faults::default()
    };
    run(Some(faults), 2).await;
}
