use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throughline_store::{Faults, FaultyStore, MemoryStore};

use super::*;
use crate::{Queue, QueueOptions};

const LONG: Duration = Duration::from_secs(3_600);

fn letter(n: u64) -> DeadLetter {
    DeadLetter {
        to: QueueName::key("ann").unwrap(),
        payload: Bytes::from(format!("gift {n}")),
        expires_ms: 200_000,
        dead_ms: 100_000,
        tries: 3,
        kind: "player".to_owned(),
        hook: "queued".to_owned(),
        why: "it was to fail".to_owned(),
    }
}

async fn filled(store: Arc<dyn Store>, count: u64) -> Queue {
    let queue = Queue::open(store, "test", QueueOptions::default()).await.unwrap();
    for n in 0..count {
        queue.enqueue(&QueueName::dead_letters(), letter(n).encode(), LONG).await.unwrap();
    }
    queue
}

async fn ids(store: &dyn Store) -> Vec<String> {
    let page = DeadLetters::page(store, None, 1_000, 1).await.unwrap();
    page.letters.iter().map(FiledLetter::id).collect()
}

#[tokio::test]
async fn pages_show_each_dead_letter_once_the_oldest_first() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    filled(Arc::clone(&store), 7).await;
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = DeadLetters::page(&*store, after.as_deref(), 3, 1).await.unwrap();
        seen.extend(page.letters.iter().map(|filed| filed.letter().unwrap().payload.clone()));
        after = page.letters.last().map(FiledLetter::id);
        if !page.more {
            break;
        }
    }
    let expected = (0..7).map(|n| Bytes::from(format!("gift {n}"))).collect::<Vec<_>>();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_dead_letter_that_is_tried_again_is_back_in_its_queue_once_and_as_it_was() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let queue = filled(Arc::clone(&store), 2).await;
    let (id, now_ms) = (ids(&*store).await[0].clone(), 500_000);
    let to = DeadLetters::retry(&*store, &id, now_ms).await.unwrap();
    assert_eq!(to, QueueName::key("ann").unwrap());
    let again = DeadLetters::retry(&*store, &id, now_ms).await;
    assert_eq!(again.unwrap_err(), DeadLetterError::NoSuch { id: id.clone() });
    let dropped = DeadLetters::drop(&*store, &id).await;
    assert_eq!(dropped.unwrap_err(), DeadLetterError::NoSuch { id });
    let page = Inbox::read(&*store, &to, None, 10).await.unwrap();
    let found: Vec<_> = page.messages.iter().map(|m| (m.payload(), m.expires_ms())).collect();
    assert_eq!(found, [(Bytes::from_static(b"gift 0"), now_ms + 100_000)]);
    assert_eq!(queue.length(&QueueName::dead_letters()).await.unwrap().size.messages, 1);
}

#[tokio::test]
async fn a_retry_of_unknown_outcome_puts_its_message_back_once() {
    let content: Arc<dyn Store> = Arc::new(MemoryStore::new());
    filled(Arc::clone(&content), 40).await;
    let faults = Faults { commit_unknown_percent: 70, ..Faults::default() };
    let store = FaultyStore::new(Arc::clone(&content), faults, 7);
    for id in &ids(&*content).await {
        DeadLetters::retry(&store, id, 1_000_000).await.unwrap();
    }
    let page = Inbox::read(&*content, &letter(0).to, None, 1_000).await.unwrap();
    let mut found: Vec<_> = page.messages.iter().map(Message::payload).collect();
    found.sort();
    found.dedup();
    assert_eq!((page.messages.len(), found.len()), (40, 40));
    assert!(ids(&*content).await.is_empty());
}

#[tokio::test]
async fn dead_letters_tried_again_in_one_millisecond_keep_their_order() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    filled(Arc::clone(&store), 40).await;
    for id in &ids(&*store).await {
        DeadLetters::retry(&*store, id, 1_000_000).await.unwrap();
    }
    let page = Inbox::read(&*store, &letter(0).to, None, 1_000).await.unwrap();
    let found: Vec<_> = page.messages.iter().map(Message::payload).collect();
    assert_eq!(found, (0..40).map(|n| Bytes::from(format!("gift {n}"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn of_too_many_dead_letters_the_oldest_go() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    filled(Arc::clone(&store), 10).await;
    let all = ids(&*store).await;
    let max = Size { messages: 4, bytes: 1_000_000 };
    assert_eq!(DeadLetters::trim(&*store, max, 1).await.unwrap(), 6);
    assert_eq!(ids(&*store).await, all[6..]);
    assert_eq!(DeadLetters::trim(&*store, max, 1).await.unwrap(), 0);
    let few = Size { messages: 4, bytes: letter(0).encode().len() as u64 * 2 };
    assert_eq!(DeadLetters::trim(&*store, few, 1).await.unwrap(), 2);
    assert_eq!(ids(&*store).await, all[8..]);
}

#[tokio::test]
async fn dead_letters_are_taken_also_when_all_other_queues_are_full() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut options = QueueOptions::default();
    (options.limits.queue_messages, options.limits.all_messages) = (1, 1);
    let queue = Queue::open(Arc::clone(&store), "test", options).await.unwrap();
    for n in 0..5 {
        queue.enqueue(&QueueName::dead_letters(), letter(n).encode(), LONG).await.unwrap();
    }
    assert_eq!(ids(&*store).await.len(), 5);
}

#[tokio::test]
async fn an_id_that_is_none_is_no_dead_letter() {
    let store = MemoryStore::new();
    for id in ["", "x", "12", "12.0.0", "0.00000000.1", "99999999999999999999.1.1"] {
        let found = DeadLetters::find(&store, id).await;
        assert_eq!(found.unwrap_err(), DeadLetterError::NoSuch { id: id.to_owned() });
    }
}
