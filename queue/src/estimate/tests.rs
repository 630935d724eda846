use std::sync::Arc;

use throughline_store::{MemoryStore, Store};

use super::*;
use crate::{Producing, Source};

fn name() -> QueueName {
    QueueName::named("q").unwrap()
}

async fn put(store: &dyn Store, numbers: std::ops::Range<u64>) {
    let mut producing = Producing { source: Source::of(b"other", 1), last_ms: 0 };
    for number in numbers {
        let staged = producing.enqueue(&name(), b"12345", u64::MAX, number, 0).unwrap();
        store.commit(staged.pieces.into_batch()).await.unwrap();
    }
}

async fn take_all(store: &dyn Store) {
    for message in Inbox::read(store, &name(), None, 1000).await.unwrap().messages {
        store.commit(message.used_up().into_batch()).await.unwrap();
    }
}

impl Estimates {
    async fn admit_one(
        &self,
        store: &dyn Store,
        name: &QueueName,
        now_ms: u64,
    ) -> Result<(), AdmitError> {
        self.admit_all(store, &[(name, 5)], now_ms).await.remove(0)
    }
}

fn limits(queue_messages: u64, queue_bytes: u64) -> Limits {
    Limits { queue_messages, queue_bytes, ..Limits::default() }
}

#[tokio::test]
async fn a_queue_takes_what_it_may_and_not_one_more() {
    for limits in [limits(10, 1000), limits(1000, 50)] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let estimates = Estimates::new(limits);
        put(&*store, 0..4).await;
        for _ in 4..10 {
            let admitted = estimates.admit_one(&*store, &name(), 0).await;
            assert_eq!(admitted, Ok(()));
        }
        put(&*store, 4..10).await;
        let refused = estimates.admit_one(&*store, &name(), 0).await;
        assert!(matches!(refused, Err(AdmitError::Full(Full::Queue { .. }))), "{refused:?}");
        // Space that came back is seen a second later.
        take_all(&*store).await;
        let still = estimates.admit_one(&*store, &name(), 999).await;
        assert!(still.is_err());
        assert_eq!(estimates.admit_one(&*store, &name(), 1000).await, Ok(()));
    }
}

#[tokio::test]
async fn a_queue_that_others_empty_is_not_called_full() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let estimates = Estimates::new(limits(10, 1000));
    for number in 0..100 {
        let admitted = estimates.admit_one(&*store, &name(), 0).await;
        assert_eq!(admitted, Ok(()), "{number}");
        put(&*store, number..number + 1).await;
        take_all(&*store).await;
    }
}

#[tokio::test]
async fn all_together_are_limited_by_what_a_sweep_has_counted() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let estimates = Estimates::new(Limits { all_messages: 10, ..Limits::default() });
    assert_eq!(estimates.admit_one(&*store, &name(), 0).await, Ok(()));
    let totals = Totals { counted_ms: 1, messages: 9, bytes: 45 };
    store.commit(totals.put()).await.unwrap();
    let later = millis(COUNT_KEPT);
    assert_eq!(estimates.admit_one(&*store, &name(), later).await, Ok(()));
    let refused = estimates.admit_one(&*store, &name(), later).await;
    assert!(matches!(refused, Err(AdmitError::Full(Full::All { .. }))), "{refused:?}");
}

#[tokio::test]
async fn what_is_remembered_of_queues_is_bounded() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let estimates = Estimates::new(Limits::default());
    for number in 0..ESTIMATES_MAX + 10 {
        let name = QueueName::named(&number.to_string()).unwrap();
        assert_eq!(estimates.admit_one(&*store, &name, 0).await, Ok(()));
    }
    assert!(estimates.lock().queues.len() <= ESTIMATES_MAX);
}

#[tokio::test]
async fn what_is_admitted_together_counts_together() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let estimates = Estimates::new(limits(10, 1000));
    let name = name();
    let wanted = vec![(&name, 5); 15];
    let answers = estimates.admit_all(&*store, &wanted, 0).await;
    assert!(answers[..10].iter().all(Result::is_ok) && answers[10..].iter().all(Result::is_err));
}
