//! Failures of the sync and of reads, made through the engine: the thread must not answer on a
//! repeated one.

use std::sync::atomic::Ordering;

use throughline_store::{Batch, CommitError, GetError, Scan, Store};
use tokio::sync::oneshot;

use super::*;
use crate::SledStore;
use crate::engine::TestFaults;
use crate::queue::Queue;

fn open(path: &Path) -> (SledStore, Arc<TestFaults>) {
    let layout = Layout::create(path).expect("a new directory");
    let opened = Opened::open(&layout, 1 << 20).expect("a new store");
    let faults = opened.engine.faults.clone();
    (SledStore::start(layout, opened, 1 << 20).expect("a thread"), faults)
}

#[tokio::test]
async fn a_failed_sync_is_unknown_and_is_never_repeated() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, faults) = open(dir.path());
    store.commit(Batch::new().put("before", "1")).await.expect("a commit");
    faults.syncs_fail.store(true, Ordering::SeqCst);
    let syncs = faults.syncs.load(Ordering::SeqCst);

    let outcome = store.commit(Batch::new().put("during", "2")).await;
    assert!(matches!(outcome, Err(CommitError::Unknown { .. })), "{outcome:?}");
    assert_eq!(faults.syncs.load(Ordering::SeqCst), syncs + 1, "the failed engine synced again");

    // The next call opens the files anew, with an engine whose sync works.
    store.commit(Batch::new().check_equals("before", "1").put("after", "3")).await.unwrap();
    assert_eq!(faults.syncs.load(Ordering::SeqCst), syncs + 1, "the failed engine synced again");
    let stats = store.stats();
    assert_eq!((stats.failures, stats.reopened), (1, 1));
    store.close().await.expect("a clean close");
    let report = crate::tools::check(dir.path()).expect("a clean store");
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_anew_is_down_until_it_can() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, faults) = open(dir.path());
    store.commit(Batch::new().put("before", "1")).await.expect("a commit");
    faults.syncs_fail.store(true, Ordering::SeqCst);
    let outcome = store.commit(Batch::new().put("during", "2")).await;
    assert!(matches!(outcome, Err(CommitError::Unknown { .. })), "{outcome:?}");

    let (now, away) = (dir.path().join("sled"), dir.path().join("away"));
    std::fs::rename(&now, &away).expect("a rename");
    for _ in 0..2 {
        let outcome = store.commit(Batch::new().put("down", "3")).await;
        assert!(matches!(&outcome, Err(CommitError::Down(_))), "{outcome:?}");
        let read = store.get("before".into()).await;
        assert!(matches!(&read, Err(GetError::Down(_))), "{read:?}");
    }
    std::fs::rename(&away, &now).expect("a rename");
    assert_eq!(store.get("before".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(store.get("down".into()).await.unwrap(), None);
    store.close().await.expect("a clean close");
}

#[tokio::test]
async fn the_calls_behind_a_read_that_fails_are_told_that_the_store_is_down() {
    let dir = tempfile::tempdir().expect("a directory");
    let layout = Layout::create(dir.path()).expect("a new directory");
    let opened = Opened::open(&layout, 1 << 20).expect("a new store");
    opened.engine.faults.reads_fail.store(true, Ordering::SeqCst);
    // They are there before the thread looks: it takes them together.
    let (queue, calls) = Queue::new();
    let mut scans = Vec::new();
    for _ in 0..3 {
        let (answer, answered) = oneshot::channel();
        queue.clone().push(Call::Scan(Scan::prefix("k"), answer)).await.expect("open");
        scans.push(answered);
    }
    let (answer, committed) = oneshot::channel();
    queue.clone().push_commit(Batch::new().put("k", "1"), answer).await.expect("open");
    queue.push(Call::Close).await.expect("open");
    let (worker, _ended) = Worker::new(layout, opened, 1 << 20, calls, Arc::default());
    let thread = thread::spawn(|| worker.run());
    for (number, scan) in scans.into_iter().enumerate() {
        let answer = scan.await.expect("an answer");
        assert!(matches!(answer, Err(ScanError::Down(_))), "scan {number}: {answer:?}");
    }
    let answer = committed.await.expect("an answer");
    assert!(matches!(answer, Err(CommitError::Down(_))), "{answer:?}");
    thread.join().expect("it ended");
}

#[tokio::test]
async fn a_dropped_store_frees_its_directory_though_calls_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path());
    let unpolled = store.commit(Batch::new().put("a", "1"));
    let mut polled = store.commit(Batch::new().put("b", "2"));
    let is_done = std::future::poll_fn(|context| {
        std::task::Poll::Ready(polled.as_mut().poll(context).is_ready())
    });
    let _ = is_done.await;
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(unpolled.await, Err(CommitError::Closed));
    let is_there = store.get("b".into()).await.expect("a read").is_some();
    match polled.await {
        Ok(()) => assert!(is_there),
        Err(CommitError::Closed) => assert!(!is_there),
        other => panic!("{other:?}"),
    }
}
