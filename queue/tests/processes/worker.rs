//! The children that enqueue and dequeue.

use std::time::Duration;

use throughline_queue::{Messages, Queue, QueueName, QueueOptions};

use crate::child::say;
use crate::hub::connect;

/// Those of a consumer with tokens are its own: `QUEUES` is a multiple of `CONSUMERS`.
pub(crate) const QUEUES: u64 = 6;
pub(crate) const CONSUMERS: u64 = 3;
/// Enqueues of one producer under way at the same time.
const AT_ONCE: u64 = 16;
const TTL: Duration = Duration::from_secs(100_000);

pub(crate) fn names() -> Vec<QueueName> {
    (0..QUEUES).map(|n| QueueName::named(&format!("queue {n}")).unwrap()).collect()
}

/// The queue of a message, by its number.
pub(crate) fn queue_of(number: u64) -> usize {
    (number % QUEUES) as usize
}

/// Enqueues, numbered, behind what its last life has enqueued; says `start NUMBER`, then
/// `NUMBER` for each that was answered.
pub(crate) async fn produce(address: &str, who: &str) {
    let store = connect(address).await;
    let queue = Queue::open(store, &format!("producer {who}"), QueueOptions::default()).await;
    let (queue, names) = (queue.unwrap(), names());
    let mut next = queue.last_number().await + 1;
    say(&format!("start {next}"));
    loop {
        let calls = (next..next + AT_ONCE).map(|number| {
            let name = &names[queue_of(number)];
            queue.enqueue_numbered(name, number, format!("{who} {number}"), TTL)
        });
        let calls: Vec<_> = calls.collect();
        for (number, call) in (next..).zip(futures_util::future::join_all(calls).await) {
            call.expect("the hub comes back");
            say(&number.to_string());
        }
        next += AT_ONCE;
    }
}

/// Takes messages out; says `take`, and then `took QUEUE, WHO NUMBER, ..` in one line.
pub(crate) async fn consume(address: &str, who: &str) {
    let store = connect(address).await;
    let queue = Queue::open(store, &format!("consumer {who}"), QueueOptions::default()).await;
    let (queue, names) = (queue.unwrap(), names());
    loop {
        for (index, name) in names.iter().enumerate() {
            say("take");
            let messages = queue.dequeue_all(name).await.expect("the hub comes back");
            say(&told(index, &messages));
        }
    }
}

/// Takes messages out of the queues that are this consumer's alone, under tokens from `token` on,
/// which is the one that may have no answer yet; says `take TOKEN`, and then `took ..` as
/// `consume`.
pub(crate) async fn repeat(address: &str, who: &str, token: u64) {
    let store = connect(address).await;
    let queue = Queue::open(store, &format!("consumer {who}"), QueueOptions::default()).await;
    let (queue, names, own) = (queue.unwrap(), names(), who.parse::<u64>().unwrap());
    for token in token.. {
        // By the token alone, so that a token is always for the same queue.
        let index = ((own + CONSUMERS * token) % QUEUES) as usize;
        say(&format!("take {token}"));
        let taken = queue.dequeue_all_with(&names[index], format!("{who} {token}")).await;
        say(&told(index, &taken.expect("the hub comes back")));
    }
}

pub(crate) fn told(index: usize, messages: &Messages) -> String {
    let mut line = format!("took {index}");
    for payload in messages.payloads() {
        line.push_str(", ");
        line.push_str(std::str::from_utf8(&payload).unwrap());
    }
    line
}
