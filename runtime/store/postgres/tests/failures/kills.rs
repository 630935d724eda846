//! The server is killed under load.

use std::sync::Arc;

use tokio::task::block_in_place;

use throughline_store_postgres::testing::Server;

use crate::load::Load;
use crate::{UNPACED, open};

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
