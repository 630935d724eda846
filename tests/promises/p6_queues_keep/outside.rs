//! Messages of those who are no actors: a node's owner, and who has only the store.

use std::sync::Arc;
use std::time::Duration;

use throughline::{Address, Backend};
use throughline_queue::{Queue, QueueName, QueueOptions};

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
