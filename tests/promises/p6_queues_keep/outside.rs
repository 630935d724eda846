//! Messages of those who are no actors: a node's owner, and who has only the store.

use std::sync::Arc;
use std::time::Duration;

use throughline::{Address, Backend};
use throughline_queue::{Clock, Queue, QueueName, QueueOptions, SweepCursor, sweep};
use throughline_store::Store;

use crate::{
    cluster::{Cluster, Plan},
    pigeon::{self, LONG, got},
    watch,
};

#[tokio::test]
async fn a_backend_that_has_only_the_store_reaches_sessions_without_a_poke() {
    let cluster = Plan::new(2).walled().start().await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let to = ann.client().session_id();
    let store = Arc::clone(cluster.wall(1).store());
    let queue = Queue::open(store, "shop", QueueOptions::default()).await.unwrap();
    let own = QueueName::record(&[b"s", &to.0[..]].concat()).unwrap();
    for (name, number) in [(own, 1_u64), (QueueName::key("ann").unwrap(), 2)] {
        let mut body = Vec::new();
        ciborium::into_writer(&(number, "sold"), &mut body).unwrap();
        queue.enqueue(&name, body, Duration::from_secs(600)).await.unwrap();
        assert_eq!(got(&mut ann).await, (None, number));
    }
    let backend = Backend::open(Arc::clone(cluster.wall(1).store()), "website").await.unwrap();
    backend.send_reliable("ann", &(3_u64, "sold"), Duration::from_secs(600)).await.unwrap();
    assert_eq!(got(&mut ann).await, (None, 3));
    backend.send_reliable(to, &(4_u64, "sold"), Duration::from_secs(600)).await.unwrap();
    assert_eq!(got(&mut ann).await, (None, 4));
    let all = cluster.wall(1);
    watch::until("the rows of empty queues are gone", || all.rows(b"q") == 0).await;
}

#[tokio::test]
async fn whoever_has_a_node_sends_reliably_from_outside() {
    let cluster = Cluster::of(2).await;
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    let to = ann.client().session_id();
    let long = Duration::from_millis(LONG);
    for number in 0..10_u64 {
        let to = if number % 2 == 0 { Address::from("ann") } else { Address::from(to) };
        cluster.node(2).send_reliable(to, &(number, ""), long).await.unwrap();
        assert_eq!(got(&mut ann).await, (None, number));
    }
}

/// What a node has for messages from outside is swept when it was not used for a month.
#[tokio::test]
async fn p6_a_node_sends_and_files_dead_letters_after_a_month_in_which_it_did_neither() {
    let cluster = Plan::new(1).walled().start().await;
    let store = Arc::clone(cluster.wall(1).store());
    let (node, long) = (cluster.node(1), Duration::from_millis(LONG));
    let mut ann = pigeon::join_keyed(&cluster, 1, "ann").await;
    for number in 0..3_u64 {
        node.send_reliable("ann", &(number, ""), long).await.unwrap();
        assert_eq!(got(&mut ann).await, (None, number));
        sweep_in_a_month(&store).await;
    }
    // No number: ann cannot handle it.
    let backend = Backend::open(Arc::clone(&store), "website").await.unwrap();
    backend.send_reliable("ann", "nonsense", long).await.unwrap();
    watch::soon("a dead letter", async {
        while node.dead_letters(None, 10).await.unwrap().letters.is_empty() {
            tokio::time::sleep(watch::LOOK_EVERY).await;
        }
    })
    .await;
}

/// Sweeps the store as a node does that has seen a month go by.
async fn sweep_in_a_month(store: &Arc<dyn Store>) {
    let now_ms = Clock::system().now_ms() + 31 * 24 * 60 * 60 * 1000;
    let mut cursor = SweepCursor::default();
    loop {
        let swept = sweep(&**store, &cursor, now_ms, 1_000).await.unwrap();
        if swept.is_whole {
            return;
        }
        cursor = swept.cursor;
    }
}
