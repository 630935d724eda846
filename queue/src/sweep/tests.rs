use throughline_store::MemoryStore;

use super::*;
use crate::{Inbox, Producing, QueueName, Source};

/// Walks to the end: rows looked at, messages removed.
async fn whole(store: &MemoryStore, now_ms: u64, rows_max: usize) -> (u64, u64) {
    let (mut cursor, mut looked_at, mut removed) = (SweepCursor::default(), 0, 0);
    loop {
        let swept = sweep(store, &cursor, now_ms, rows_max).await.unwrap();
        assert!(swept.looked_at <= rows_max as u64);
        looked_at += swept.looked_at;
        removed += swept.removed;
        if swept.is_whole {
            return (looked_at, removed);
        }
        cursor = swept.cursor;
    }
}

#[tokio::test]
async fn what_has_expired_is_removed_in_bounded_pages_and_the_rest_is_counted() {
    let store = MemoryStore::new();
    let mut producing = Producing { source: Source::of(b"p", 1), last_ms: 0 };
    for number in 0..100 {
        let name = QueueName::named(&format!("q{}", number % 10)).unwrap();
        // The last queue has messages that expire, and no others.
        let expires_ms = if number % 2 == 1 { 50 } else { 500 };
        let staged = producing.enqueue(&name, b"abc", expires_ms, number, 1).unwrap();
        store.commit(staged.pieces.into_batch()).await.unwrap();
    }
    assert_eq!(whole(&store, 49, 7).await, (110, 0));
    // A queue that is found empty loses its row.
    assert_eq!(whole(&store, 50, 7).await, (110, 50));
    assert_eq!(Inbox::nonempty(&store, None, 100).await.unwrap().rows.len(), 5);
    let totals = Totals::read(&store).await.unwrap();
    assert_eq!(totals, Totals { counted_ms: 50, messages: 50, bytes: 150 });
    assert_eq!(whole(&store, 500, 7).await.1, 50);
    assert_eq!(store.scan(Scan::all()).await.unwrap().entries().len(), 1, "the totals alone");
}

#[tokio::test]
async fn a_shared_row_is_counted_and_goes_when_all_of_it_has_expired() {
    let store = MemoryStore::new();
    let name = QueueName::named("q").unwrap();
    let mut rows = crate::rows::Rows::default();
    for number in 0..10 {
        let position = crate::Position { time_ms: 7, source: Source::of(b"p", 1), number };
        let expires_ms = if number == 4 { 80 } else { 50 };
        rows.push(name.clone(), position, expires_ms, Bytes::from_static(b"abc"));
    }
    let pieces = Pieces { writes: rows.into_writes(), ..Pieces::default() };
    store.commit(pieces.into_batch()).await.unwrap();
    assert_eq!(whole(&store, 49, 7).await, (2, 0), "one row of messages, and that of the queue");
    assert_eq!(Totals::read(&store).await.unwrap().messages, 10);
    assert_eq!(whole(&store, 60, 7).await, (2, 0), "one of them may still be delivered");
    assert_eq!(whole(&store, 80, 7).await, (2, 10));
    assert_eq!(store.scan(Scan::all()).await.unwrap().entries().len(), 1, "the totals alone");
}

#[tokio::test]
async fn a_row_of_a_newer_form_is_left_as_it_is() {
    let store = MemoryStore::new();
    let name = QueueName::named("q").unwrap();
    let mut producing = Producing { source: Source::of(b"p", 1), last_ms: 0 };
    let staged = producing.enqueue(&name, b"abc", 5, 1, 1).unwrap();
    let key = keys::message(&name, staged.position);
    store.commit(throughline_store::Batch::new().put(key.clone(), vec![9, 9])).await.unwrap();
    let swept = sweep(&store, &SweepCursor::default(), 100, 10).await.unwrap();
    assert_eq!((swept.unreadable, swept.removed), (1, 0));
    assert_eq!(store.get(key).await.unwrap().as_deref(), Some(&[9, 9][..]));
}
