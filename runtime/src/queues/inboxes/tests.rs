use std::task::Waker;

use bytes::Bytes;
use throughline_queue::{Producing, Source};
use throughline_store::MemoryStore;

use super::*;
use crate::queues::beside::tests::header;

const NOW: u64 = 10_000;

struct Sender(Producing, u64);

fn sender(n: u64) -> Sender {
    Sender(Producing { source: Source::of(b"sender", n), last_ms: 0 }, 0)
}

impl Sender {
    async fn send(&mut self, store: &Arc<dyn Store>, to: &QueueName, payload: u64, expires: u64) {
        self.1 += 1;
        let payload = payload.to_be_bytes();
        let staged = self.0.enqueue(to, &payload, expires, self.1, NOW).unwrap();
        store.commit(staged.pieces.into_batch()).await.unwrap();
    }
}

fn own(header: &Header) -> QueueName {
    QueueName::record(header.id.as_bytes()).unwrap()
}

/// A store in memory answers at once.
fn read(inboxes: &mut Inboxes, store: &Arc<dyn Store>, header: &Header) {
    let mut cx = Context::from_waker(Waker::noop());
    while inboxes.poll(&mut cx, store, header, || NOW) {}
}

fn number(taking: &Taking) -> u64 {
    u64::from_be_bytes(taking.message.bytes()[..].try_into().unwrap())
}

/// Takes all that is there, as an actor does.
async fn take_all(inboxes: &mut Inboxes, store: &Arc<dyn Store>, header: &Header) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        read(inboxes, store, header);
        let Some(taking) = inboxes.next(header, NOW) else { return all };
        all.push(number(&taking));
        store.commit(taking.used_up.into_batch()).await.unwrap();
    }
}

async fn rows(store: &Arc<dyn Store>, prefix: &'static [u8]) -> usize {
    let scan = throughline_store::Scan::prefix(Bytes::from_static(prefix));
    store.scan(scan).await.unwrap().entries().len()
}

#[tokio::test]
async fn all_pages_of_a_queue_are_read_in_order_and_its_row_goes_when_it_is_empty() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (header, mut inboxes) = (header(1), Inboxes::default());
    let mut ann = sender(1);
    for number in 0..PAGE as u64 * 3 + 1 {
        ann.send(&store, &own(&header), number, NOW + 1).await;
    }
    read(&mut inboxes, &store, &header);
    assert!(!inboxes.has_next(), "nobody has poked");
    inboxes.look(Inboxes::RECORD);
    let all = take_all(&mut inboxes, &store, &header).await;
    assert_eq!(all, (0..PAGE as u64 * 3 + 1).collect::<Vec<_>>());
    assert_eq!((rows(&store, b"xm").await, rows(&store, b"q").await), (0, 1));
    inboxes.look(Inboxes::RECORD | Inboxes::HAS_ROW);
    assert_eq!(take_all(&mut inboxes, &store, &header).await, Vec::<u64>::new());
    assert_eq!(rows(&store, b"q").await, 0);
    assert!(inboxes.work.is_none(), "an idle session holds nothing");
}

#[tokio::test]
async fn what_has_expired_is_removed_and_given_to_nobody() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (header, mut inboxes) = (header(1), Inboxes::default());
    let mut ann = sender(1);
    for number in 0..PAGE as u64 * 2 {
        ann.send(&store, &own(&header), number, NOW).await;
    }
    ann.send(&store, &own(&header), 999, NOW + 1).await;
    inboxes.look(Inboxes::RECORD);
    read(&mut inboxes, &store, &header);
    assert!(inboxes.has_next());
    assert_eq!(rows(&store, b"xm").await, 1);
    // It may expire while it waits.
    assert!(inboxes.next(&header, NOW + 1).is_none());
}

#[tokio::test]
async fn a_message_that_came_late_before_others_is_read_before_those_behind_it() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (header, mut inboxes) = (header(1), Inboxes::default());
    let (mut ann, mut bob) = (sender(1), sender(2));
    bob.0.last_ms = NOW + 50;
    for number in 0..PAGE as u64 + 1 {
        bob.send(&store, &own(&header), number, NOW + 1).await;
    }
    inboxes.look(Inboxes::RECORD);
    read(&mut inboxes, &store, &header);
    // Two of ann's, before and behind what has been read.
    ann.send(&store, &own(&header), 100, NOW + 1).await;
    ann.0.last_ms = NOW + 99;
    ann.send(&store, &own(&header), 101, NOW + 1).await;
    let all = take_all(&mut inboxes, &store, &header).await;
    let anns: Vec<_> = all.into_iter().filter(|number| *number >= 100).collect();
    assert_eq!(anns, [100, 101]);
}

#[tokio::test]
async fn a_keys_queue_is_used_up_only_by_who_holds_the_key() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (mut header, mut inboxes) = (header(1), Inboxes::default());
    sender(1).send(&store, &QueueName::key("ann").unwrap(), 7, NOW + 1).await;
    inboxes.look(Inboxes::KEY);
    read(&mut inboxes, &store, &header);
    assert!(inboxes.next(&header, NOW).is_none(), "it holds no key");
    let key = SessionKey::new("ann").unwrap();
    header.key = Some(key.clone());
    inboxes.look(Inboxes::KEY);
    read(&mut inboxes, &store, &header);
    let taking = inboxes.next(&header, NOW).unwrap();
    assert_eq!(number(&taking), 7);
    let batch = taking.used_up.into_batch();
    assert!(store.commit(batch.clone()).await.is_err(), "the key's row names nobody");
    let holder = Value::Holder(Holder { id: header.id.clone(), life: header.life });
    let row = throughline_store::Batch::new().put(Row::Key(key).key(), holder.encode());
    store.commit(row).await.unwrap();
    store.commit(batch).await.unwrap();
    // Read while it was held, and then the key went.
    sender(2).send(&store, &QueueName::key("ann").unwrap(), 8, NOW + 1).await;
    inboxes.look(Inboxes::KEY);
    read(&mut inboxes, &store, &header);
    header.key = None;
    assert!(inboxes.next(&header, NOW).is_none());
}
