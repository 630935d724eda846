//! Handles on a store in memory, in virtual time: the clock is a number.

use std::sync::atomic::{AtomicU64, Ordering};

use throughline_store::{Faults, FaultyStore, MemoryStore};

use super::*;
use crate::defaults::{MESSAGES_MAX, PAYLOAD_BYTES_MAX};
use crate::{Full, Limits, NameError, Size};

#[derive(Debug, Clone)]
struct World {
    store: MemoryStore,
    now_ms: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        Self { store: MemoryStore::new(), now_ms: Arc::new(AtomicU64::new(1_000)) }
    }

    fn options(&self) -> QueueOptions {
        let now_ms = self.now_ms.clone();
        QueueOptions {
            clock: crate::Clock::new(move || now_ms.load(Ordering::SeqCst)),
            ..QueueOptions::default()
        }
    }

    async fn open(&self, producer: &str) -> Queue {
        Queue::open(Arc::new(self.store.clone()), producer, self.options()).await.unwrap()
    }

    fn advance(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

const LONG: Duration = Duration::from_secs(1_000_000);

fn mail() -> QueueName {
    QueueName::named("mail").unwrap()
}

fn texts(messages: &Messages) -> Vec<String> {
    messages.payloads().map(|payload| String::from_utf8(payload.to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn what_was_enqueued_comes_out_once_and_in_order() {
    let queue = World::new().open("p").await;
    for text in ["a", "b", "c"] {
        queue.enqueue(&mail(), text, LONG).await.unwrap();
    }
    assert_eq!(texts(&queue.dequeue_all(&mail()).await.unwrap()), ["a", "b", "c"]);
    assert!(queue.dequeue_all(&mail()).await.unwrap().is_empty());
}

#[tokio::test]
async fn p6_fifo_holds_for_a_producer_over_reopens_and_a_clock_set_back() {
    let world = World::new();
    let mut expected = Vec::new();
    for life in 0..5 {
        let queue = world.open("p").await;
        for number in 0..5 {
            let text = format!("{life}.{number}");
            queue.enqueue(&mail(), text.clone(), LONG).await.unwrap();
            expected.push(text);
        }
        world.now_ms.fetch_sub(100, Ordering::SeqCst);
    }
    let queue = world.open("q").await;
    assert_eq!(texts(&queue.dequeue_all(&mail()).await.unwrap()), expected);
}

#[tokio::test]
async fn calls_made_at_the_same_time_share_a_commit_and_keep_their_order() {
    let queue = World::new().open("p").await;
    let names: Vec<_> = (0..7).map(|n| QueueName::named(&format!("q{n}")).unwrap()).collect();
    let calls = (0..700_usize).map(|n| queue.enqueue(&names[n % 7], n.to_string(), LONG));
    for position in futures_util::future::join_all(calls).await {
        position.unwrap();
    }
    let metrics = queue.metrics();
    assert_eq!(metrics.enqueued, 700);
    assert!(metrics.enqueue_commits <= 3, "{metrics:?}");
    for (first, name) in names.iter().enumerate() {
        let expected: Vec<_> = (first..700).step_by(7).map(|n| n.to_string()).collect();
        assert_eq!(texts(&queue.dequeue_all(name).await.unwrap()), expected);
    }
}

#[tokio::test]
async fn p6_a_message_is_delivered_until_its_expiry_and_never_after() {
    let world = World::new();
    let queue = world.open("p").await;
    for ttl_ms in [10, 20, 30] {
        let ttl = Duration::from_millis(ttl_ms);
        queue.enqueue(&mail(), ttl_ms.to_string(), ttl).await.unwrap();
    }
    queue.enqueue_at(&mail(), "at", 1_025).await.unwrap();
    world.advance(19);
    assert_eq!(texts(&queue.peek_all(&mail()).await.unwrap()), ["20", "30", "at"]);
    world.advance(1);
    assert_eq!(queue.length(&mail()).await.unwrap().size.messages, 2);
    assert_eq!(texts(&queue.dequeue_all(&mail()).await.unwrap()), ["30", "at"]);
    // The space of what had expired came back at once.
    assert_eq!(queue.metrics().expired, 2);
    assert_eq!(queue.length(&mail()).await.unwrap(), Length::default());
    let late = queue.enqueue_at(&mail(), "late", 1_020).await;
    assert!(matches!(late, Err(EnqueueError::Expired { .. })), "{late:?}");
}

#[tokio::test]
async fn a_token_repeats_its_batch_until_the_next_or_its_expiry() {
    let world = World::new();
    let queue = world.open("p").await;
    queue.enqueue(&mail(), "a", Duration::from_secs(10)).await.unwrap();
    queue.enqueue(&mail(), "b", LONG).await.unwrap();
    let take = |token: &'static str| {
        let queue = queue.clone();
        async move { texts(&queue.dequeue_all_with(&mail(), token).await.unwrap()) }
    };
    assert_eq!(take("t1").await, ["a", "b"]);
    queue.enqueue(&mail(), "c", LONG).await.unwrap();
    assert_eq!(take("t1").await, ["a", "b"]);
    // Not after its own expiry, though it was taken before.
    world.advance(10_000);
    assert_eq!(take("t1").await, ["b"]);
    assert_eq!(take("t2").await, ["c"]);
    assert_eq!(take("t2").await, ["c"]);
    assert!(take("t1").await.is_empty());
    world.advance(60 * 60 * 1000);
    assert!(take("t2").await.is_empty());
    // Without a token nothing of it comes again.
    assert!(queue.dequeue_all(&mail()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_ack_removes_exactly_what_was_peeked() {
    let world = World::new();
    let (queue, other) = (world.open("p").await, world.open("q").await);
    for text in ["a", "b", "c"] {
        queue.enqueue(&mail(), text, LONG).await.unwrap();
    }
    let (batch, same) =
        (queue.peek_all(&mail()).await.unwrap(), other.peek_all(&mail()).await.unwrap());
    queue.enqueue(&mail(), "d", LONG).await.unwrap();
    assert_eq!(queue.ack(&batch).await.unwrap(), 3);
    assert_eq!(other.ack(&same).await.unwrap(), 0);
    assert_eq!(texts(&queue.peek_all(&mail()).await.unwrap()), ["d"]);
}

/// Messages that were enqueued together share a row; who uses up one of them writes it anew.
#[tokio::test]
async fn an_ack_removes_what_is_left_of_a_row_that_others_have_changed() {
    let world = World::new();
    let queue = world.open("p").await;
    let named = QueueName::named("orders").unwrap();
    let calls = (0..10).map(|number| queue.enqueue(&named, number.to_string(), LONG));
    for enqueued in futures_util::future::join_all(calls).await {
        enqueued.unwrap();
    }
    let all = queue.peek_all(&named).await.unwrap();
    assert_eq!(all.len(), 10);
    let used_up = all.as_slice()[4].used_up();
    world.store.commit(used_up.into_batch()).await.unwrap();
    assert_eq!(queue.ack(&all).await, Ok(9), "the others are there still");
    assert_eq!(queue.length(&named).await.unwrap().size, Size::default());
}

#[tokio::test]
async fn a_call_takes_a_bounded_batch_and_says_that_there_is_more() {
    let queue = World::new().open("p").await;
    let name = mail();
    let calls = (0..MESSAGES_MAX + 10).map(|n| queue.enqueue(&name, n.to_string(), LONG));
    futures_util::future::join_all(calls).await;
    let first = queue.dequeue_all(&mail()).await.unwrap();
    assert_eq!((first.len(), first.more()), (MESSAGES_MAX, true));
    let second = queue.dequeue_all(&mail()).await.unwrap();
    assert_eq!((second.len(), second.more()), (10, false));
    for _ in 0..8 {
        queue.enqueue(&mail(), vec![7; PAYLOAD_BYTES_MAX], LONG).await.unwrap();
    }
    let large = queue.dequeue_all_with(&mail(), "t").await.unwrap();
    assert_eq!((large.len(), large.more()), (3, true));
}

#[tokio::test]
async fn a_handle_whose_producer_was_opened_anew_is_fenced() {
    let world = World::new();
    let old = world.open("p").await;
    old.enqueue(&mail(), "a", LONG).await.unwrap();
    let new = world.open("p").await;
    assert_eq!(old.enqueue(&mail(), "b", LONG).await, Err(EnqueueError::Fenced));
    new.enqueue(&mail(), "c", LONG).await.unwrap();
    assert_eq!(texts(&new.dequeue_all(&mail()).await.unwrap()), ["a", "c"]);
}

/// Of two handles of one name that both take messages out it is the older one that stops.
#[tokio::test]
async fn an_older_handle_that_still_dequeues_is_fenced_and_the_newer_one_goes_on() {
    let world = World::new();
    let (producer, old) = (world.open("producer").await, world.open("p").await);
    let new = world.open("p").await;
    for text in ["a", "b", "c"] {
        producer.enqueue(&mail(), text, LONG).await.unwrap();
        assert_eq!(texts(&new.dequeue_all(&mail()).await.unwrap()), [text]);
        producer.enqueue(&mail(), text, LONG).await.unwrap();
        assert_eq!(old.dequeue_all(&mail()).await, Err(DequeueError::Fenced));
        let peeked = old.peek_all(&mail()).await.unwrap();
        assert_eq!(old.ack(&peeked).await, Err(DequeueError::Fenced));
        assert_eq!(new.ack(&peeked).await, Ok(1));
    }
}

/// What it has for its dequeues is swept then, while its own record is in use.
#[tokio::test]
async fn a_handle_dequeues_on_after_a_month_in_which_it_took_nothing() {
    let world = World::new();
    let queue = world.open("p").await;
    queue.enqueue(&mail(), "a", LONG).await.unwrap();
    assert_eq!(texts(&queue.dequeue_all(&mail()).await.unwrap()), ["a"]);
    world.advance(31 * 24 * 60 * 60 * 1000);
    queue.enqueue(&mail(), "b", LONG).await.unwrap();
    while !queue.sweep(100).await.unwrap().is_whole {}
    let lane = world.store.get(keys::producer("p", 1)).await.unwrap();
    assert_eq!(lane, None, "it is swept");
    for text in ["b", "c"] {
        assert_eq!(texts(&queue.dequeue_all(&mail()).await.unwrap()), [text]);
        queue.enqueue(&mail(), "c", LONG).await.unwrap();
    }
}

#[tokio::test]
async fn a_number_of_ones_own_is_enqueued_once_over_reopens() {
    let world = World::new();
    for _ in 0..3 {
        let queue = world.open("p").await;
        for number in 1..4_u64 {
            queue.enqueue_numbered(&mail(), number, number.to_string(), LONG).await.unwrap();
        }
    }
    let queue = world.open("p").await;
    assert_eq!(queue.last_number().await, 3);
    assert_eq!(texts(&queue.dequeue_all(&mail()).await.unwrap()), ["1", "2", "3"]);
}

#[tokio::test]
async fn p6_a_number_that_is_tried_again_after_a_failure_is_there_once() {
    let faults =
        Faults { commit_down_percent: 20, commit_unknown_percent: 20, ..Faults::default() };
    for seed in 0..20 {
        let world = World::new();
        let store = FaultyStore::new(Arc::new(world.store.clone()), faults, seed);
        let queue = loop {
            match Queue::open(Arc::new(store.clone()), "p", world.options()).await {
                Ok(queue) => break queue,
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        };
        let mut failures = 0;
        for number in 1..=50_u64 {
            while queue.enqueue_numbered(&mail(), number, number.to_string(), LONG).await.is_err() {
                failures += 1;
            }
        }
        assert!(failures > 0);
        let all: Vec<_> = (1..=50).map(|number| number.to_string()).collect();
        let other = world.open("other").await;
        assert_eq!(texts(&other.dequeue_all(&mail()).await.unwrap()), all, "seed {seed}");
    }
}

#[tokio::test]
async fn a_full_queue_is_the_senders_error_and_other_queues_are_not() {
    let world = World::new();
    let mut options = world.options();
    options.limits = Limits { queue_messages: 5, ..Limits::default() };
    let queue = Queue::open(Arc::new(world.store.clone()), "p", options).await.unwrap();
    let name = mail();
    let calls = (0..8).map(|n| queue.enqueue(&name, n.to_string(), LONG));
    let outcomes = futures_util::future::join_all(calls).await;
    assert!(outcomes[..5].iter().all(Result::is_ok));
    let is_full =
        |outcome: &Result<_, _>| matches!(outcome, Err(EnqueueError::Full(Full::Queue { .. })));
    assert!(outcomes[5..].iter().all(is_full), "{outcomes:?}");
    assert_eq!(queue.metrics().full, 3);
    queue.enqueue(&QueueName::named("other").unwrap(), "x", LONG).await.unwrap();
    // Whoever takes messages out has room for more at once.
    assert_eq!(queue.dequeue_all(&mail()).await.unwrap().len(), 5);
    queue.enqueue(&mail(), "y", LONG).await.unwrap();
}

#[tokio::test]
async fn what_no_queue_takes_is_refused_by_name() {
    let world = World::new();
    let queue = world.open("p").await;
    let large = queue.enqueue(&mail(), vec![0; PAYLOAD_BYTES_MAX + 1], LONG).await;
    assert_eq!(large, Err(EnqueueError::Payload(PayloadError { bytes: PAYLOAD_BYTES_MAX + 1 })));
    let token = queue.dequeue_all_with(&mail(), vec![0; 65]).await;
    assert_eq!(token, Err(DequeueError::Token { bytes: 65 }));
    assert_eq!(QueueName::named(&"x".repeat(512)), Err(NameError { bytes: 512 }));
    for name in ["", &"x".repeat(65)] {
        let refused = Queue::open(Arc::new(world.store.clone()), name, world.options()).await;
        assert!(matches!(refused, Err(OpenError::Name { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_queue_with_messages_has_its_row_and_an_emptied_one_loses_it() {
    let world = World::new();
    let queue = world.open("p").await;
    let long = QueueName::key(&"ann".repeat(100)).unwrap();
    queue.enqueue(&long, "a", LONG).await.unwrap();
    let rows = Inbox::nonempty(&world.store, None, 10).await.unwrap().rows;
    assert_eq!(rows.iter().map(crate::Nonempty::name).collect::<Vec<_>>(), [&long]);
    let row = rows[0].clone();
    assert_eq!(queue.dequeue_all(&long).await.unwrap().len(), 1);
    queue.enqueue(&long, "b", LONG).await.unwrap();
    // Whoever read the row before the last enqueue does not take it away.
    let late = world.store.commit(row.found_empty().into_batch()).await;
    assert!(matches!(late, Err(CommitError::Refused(_))), "{late:?}");
    assert!(!Inbox::tidy(&world.store, &long).await.unwrap());
    assert_eq!(queue.dequeue_all(&long).await.unwrap().len(), 1);
    assert!(queue.dequeue_all(&long).await.unwrap().is_empty());
    assert!(Inbox::nonempty(&world.store, None, 10).await.unwrap().rows.is_empty());
}

#[tokio::test]
async fn a_sweep_of_the_handle_is_counted() {
    let world = World::new();
    let queue = world.open("p").await;
    for _ in 0..10 {
        queue.enqueue(&mail(), "a", Duration::from_millis(5)).await.unwrap();
    }
    world.advance(5);
    while !queue.sweep(3).await.unwrap().is_whole {}
    let metrics = queue.metrics();
    assert_eq!((metrics.swept, metrics.dequeued), (10, 0));
    assert!(metrics.swept_bytes > 0 && metrics.swept_rows > 10);
    // A handle that was not used for long is swept, and then fenced.
    world.advance(31 * 24 * 60 * 60 * 1000);
    while !queue.sweep(100).await.unwrap().is_whole {}
    assert_eq!(queue.enqueue(&mail(), "b", LONG).await, Err(EnqueueError::Fenced));
}
