//! Several stores on one database, as the nodes of a cluster have.

use futures_util::future::{join, join_all};
use throughline_store::{Batch, CommitError, Store};
use throughline_store_postgres::PostgresStore;
use throughline_store_postgres::testing::Server;

use crate::open;

const ROUNDS: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_commits_that_exclude_each_other_one_is_refused() {
    let server = Server::start().unwrap();
    let (one, two) = (open(&server).await, open(&server).await);
    for n in 0..ROUNDS {
        let (a, b) = (format!("a{n}"), format!("b{n}"));
        // Neither writes what it checks, and both are absent.
        let first = one.commit(Batch::new().check_absent(a.clone()).put(b.clone(), "1"));
        let second = two.commit(Batch::new().check_absent(b.clone()).put(a.clone(), "1"));
        let outcomes = join(first, second).await;
        let refused = [&outcomes.0, &outcomes.1].map(|o| matches!(o, Err(CommitError::Refused(_))));
        assert!(refused[0] != refused[1], "round {n}: {outcomes:?}");
        // The same with deletes of keys that are there, and of such that are not.
        let first = one.commit(Batch::new().put("x", "1").delete("y"));
        let second = two.commit(Batch::new().put("y", "1").delete("x"));
        let outcomes = join(first, second).await;
        assert!(outcomes.0.is_ok() && outcomes.1.is_ok(), "round {n}: {outcomes:?}");
        let (x, y) = (one.get("x".into()).await.unwrap(), one.get("y".into()).await.unwrap());
        assert!(x.is_some() != y.is_some(), "round {n}: {x:?} {y:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn increments_of_several_stores_all_count() {
    let server = Server::start().unwrap();
    let stores = join_all((0..3).map(|_| open(&server))).await;
    stores[0].commit(Batch::new().put("n", "0")).await.unwrap();
    join_all(stores.iter().flat_map(|store| (0..4).map(move |_| increment(store)))).await;
    let n = stores[0].get("n".into()).await.unwrap().unwrap();
    assert_eq!(n, (3 * 4 * ROUNDS / 4).to_string().as_bytes());
}

async fn increment(store: &PostgresStore) {
    let mut counted = 0;
    while counted < ROUNDS / 4 {
        let old = store.get("n".into()).await.unwrap().unwrap();
        let n: u64 = std::str::from_utf8(&old).unwrap().parse().unwrap();
        let batch = Batch::new().check_equals("n", old).put("n", (n + 1).to_string());
        match store.commit(batch).await {
            Ok(()) => counted += 1,
            Err(CommitError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
