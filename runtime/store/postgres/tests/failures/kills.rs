//! The server is killed under load.

use std::sync::Arc;

use tokio::task::{block_in_place, spawn_blocking};

use throughline_store::{Batch, Store as _};
use throughline_store_postgres::testing::Server;

use crate::load::Load;
use crate::{UNPACED, open, options};

const KILLS: u64 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_when_the_server_is_killed() {
    let server = Server::start().unwrap();
    let store = Arc::new(open(&server).await);
    let load = Load::start(store.clone(), UNPACED);
    for _ in 0..KILLS {
        load.answers(400).await;
        block_in_place(|| {
            server.kill().unwrap();
            server.run().unwrap();
        });
    }
    load.answers(400).await;
    let unknown = load.verify().await;
    let stats = store.stats();
    println!("{KILLS} kills: {unknown} unknown, {stats:?}");
    assert_eq!(unknown, 0, "the server was back in time to be asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_opens_as_the_server_is_killed_waits_for_the_next_one() {
    let server = Arc::new(Server::start().unwrap());
    let first = open(&server).await;
    first.commit(Batch::new().put("k", "1")).await.unwrap();
    // The opening has begun, and gets no further.
    let holder = server.clone();
    let held = "begin; lock table throughline.meta; select pg_sleep(600)";
    let held = spawn_blocking(move || holder.sql("postgres", held));
    let meets = "select count(*) from pg_stat_activity where wait_event_type = ";
    let count = |what: &str| server.sql("postgres", &format!("{meets}{what}")).unwrap();
    while block_in_place(|| count("'Timeout'")) == "0" {}
    let opening = options(&server.address("postgres")).open();
    let opening = tokio::spawn(opening);
    while block_in_place(|| count("'Lock'")) == "0" {}
    block_in_place(|| server.kill().unwrap());
    held.await.unwrap().unwrap_err();
    block_in_place(|| server.run().unwrap());
    let second = opening.await.unwrap().unwrap();
    assert_eq!(second.get("k".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
}
