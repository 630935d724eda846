//! Many producers and consumers at the same time, each consumer on a node of its own, and a process
//! that dies in between.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use throughline_queue::{DequeueError, EnqueueError, Messages, Queue, QueueName};
use throughline_store::FaultyStore;
use tokio::task::LocalSet;

use crate::{World, is_down, queue_names};

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 4;
const QUEUES: usize = 2;
const MESSAGES: u64 = 60;
const TTL: Duration = Duration::from_secs(1_000_000);

/// A message of a producer: its number there.
type Name = (usize, u64);

#[derive(Debug, Default)]
struct Seen {
    /// Enqueues that returned.
    enqueued: BTreeSet<Name>,
    /// Enqueues whose callers died with them: there or not.
    in_doubt: BTreeSet<Name>,
    /// What each message was delivered as, in the order of each consumer.
    delivered: BTreeMap<Name, u32>,
    /// Dequeues under way, of each queue.
    takes: [u32; QUEUES],
    /// What a dequeue may have taken whose caller never heard so.
    may_be_gone: BTreeSet<Name>,
}

impl Seen {
    /// Nobody hears what a dequeue of this queue took, if it took anything.
    fn lose_take(&mut self, queue: usize) {
        let there = self.enqueued.union(&self.in_doubt);
        let there = there.filter(|name| queue_of(name.1) == queue);
        let there = there.filter(|name| !self.delivered.contains_key(*name));
        let there: Vec<Name> = there.copied().collect();
        self.may_be_gone.extend(there);
    }
}

/// Where a producer's message of this number goes.
const fn queue_of(number: u64) -> usize {
    number as usize % QUEUES
}

type Shared = Rc<RefCell<Seen>>;

pub(crate) async fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let world = World::new();
    let names = Rc::new(queue_names(QUEUES));
    let seen = Shared::default();
    let mut lives = 0;
    // Half of the runs have a process that dies with all it does.
    let crashes = rng.u32(..2);
    for process in 0..=crashes {
        let store = world.faulty(rng.u64(..));
        let set = LocalSet::new();
        let mut handles = Vec::new();
        for who in 0..PRODUCERS {
            lives += 1;
            handles.push(world.open(&store, &format!("{who}"), lives).await);
        }
        for (producer, handle) in handles.into_iter().enumerate() {
            let first = u64::from(process) * MESSAGES;
            let task = produce(handle, producer, first, names.clone(), seen.clone());
            set.spawn_local(task);
        }
        // Or all consumers have one name, and only the last of them is to go on.
        let one_name = rng.bool();
        for who in PRODUCERS..PRODUCERS + CONSUMERS {
            // Another node: it has a connection to the store of its own.
            lives += 1;
            let name = if one_name { "consumer".to_owned() } else { who.to_string() };
            let handle = world.open(&world.faulty(rng.u64(..)), &name, lives).await;
            set.spawn_local(consume(handle, rng.fork(), names.clone(), seen.clone()));
        }
        if process < crashes {
            // Some way into it everything stops.
            let steps = rng.u32(50..800);
            set.run_until(async {
                for _ in 0..steps {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            die(&store, set, &seen).await;
        } else {
            set.await;
        }
    }
    let store = world.faulty(rng.u64(..));
    let last = world.open(&store, "last", u64::MAX).await;
    drain(&last, &names, &seen).await;
    judge(&seen.borrow());
}

/// All nodes die with what they do; their stores, too, but for one whose calls may land later.
async fn die(store: &FaultyStore, set: LocalSet, seen: &Shared) {
    store.crash().await.unwrap();
    drop(set);
    let mut seen = seen.borrow_mut();
    for queue in 0..QUEUES {
        if std::mem::take(&mut seen.takes[queue]) > 0 {
            seen.lose_take(queue);
        }
    }
}

/// Enqueues in its order, each once.
async fn produce(
    handle: Queue,
    producer: usize,
    first: u64,
    names: Rc<Vec<QueueName>>,
    seen: Shared,
) {
    for number in first..first + MESSAGES {
        let message = (producer, number);
        let payload = format!("{producer} {number}");
        seen.borrow_mut().in_doubt.insert(message);
        let name = &names[queue_of(number)];
        loop {
            match handle.enqueue(name, payload.clone(), TTL).await {
                Ok(_) => break,
                Err(error) if is_down(&error) => {}
                // Its process has died.
                Err(EnqueueError::NotWritten(_) | EnqueueError::Unknown { .. }) => return,
                Err(error) => panic!("{error}"),
            }
        }
        let mut seen = seen.borrow_mut();
        seen.in_doubt.remove(&message);
        seen.enqueued.insert(message);
    }
}

async fn consume(handle: Queue, mut rng: Rng, names: Rc<Vec<QueueName>>, seen: Shared) {
    // The highest number of each producer and queue that this consumer has seen.
    let mut last = BTreeMap::new();
    for _ in 0..40 {
        let queue = rng.usize(..QUEUES);
        seen.borrow_mut().takes[queue] += 1;
        let taken = handle.dequeue_all(&names[queue]).await;
        let mut seen = seen.borrow_mut();
        seen.takes[queue] -= 1;
        match taken {
            Ok(messages) => note(&mut seen, &messages, &mut last),
            Err(DequeueError::Unknown { .. }) => seen.lose_take(queue),
            Err(DequeueError::Contended { .. } | DequeueError::Fenced) => {}
            Err(error) => assert!(is_down(&error), "{error}"),
        }
    }
}

fn note(seen: &mut Seen, messages: &Messages, last: &mut BTreeMap<(usize, QueueName), u64>) {
    for payload in messages.payloads() {
        let text = String::from_utf8(payload.to_vec()).unwrap();
        let (producer, number) = text.split_once(' ').unwrap();
        let (producer, number) = (producer.parse().unwrap(), number.parse().unwrap());
        *seen.delivered.entry((producer, number)).or_default() += 1;
        let before = last.insert((producer, messages.name().clone()), number);
        assert!(before.is_none_or(|before| before < number), "{before:?} before {number}");
    }
}

async fn drain(handle: &Queue, names: &[QueueName], seen: &Shared) {
    for name in names {
        let mut last = BTreeMap::new();
        loop {
            match handle.dequeue_all(name).await {
                Ok(messages) if messages.is_empty() => break,
                Ok(messages) => note(&mut seen.borrow_mut(), &messages, &mut last),
                Err(error) => assert!(is_down(&error), "{error}"),
            }
        }
    }
}

fn judge(seen: &Seen) {
    let twice: Vec<_> = seen.delivered.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "delivered twice: {twice:?}");
    let unsent = seen
        .delivered
        .keys()
        .filter(|message| !seen.enqueued.contains(message) && !seen.in_doubt.contains(message));
    assert_eq!(unsent.count(), 0, "delivered, and never enqueued");
    let lost = seen.enqueued.iter().filter(|message| !seen.delivered.contains_key(message));
    let lost: Vec<_> = lost.filter(|message| !seen.may_be_gone.contains(message)).collect();
    assert!(lost.is_empty(), "enqueued and lost: {lost:?}");
}
