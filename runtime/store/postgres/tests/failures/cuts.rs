//! Connections are cut, also between a commit and its answer.

use std::sync::Arc;

use throughline_store_postgres::testing::{Server, USER};
use throughline_tests::proxy::{Faults, Proxy};

use crate::load::Load;
use crate::{UNPACED, options};

const CUTS: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_connection_is_cut_is_found_out_and_done_once() {
    let server = Server::start().unwrap();
    let target = ([127, 0, 0, 1], server.port()).into();
    let proxy = Proxy::start(target, Faults::none()).await.unwrap();
    let port = proxy.address().port();
    let address = format!("host=127.0.0.1 port={port} user={USER} dbname=postgres sslmode=disable");
    let store = Arc::new(options(&address).open().await.unwrap());
    let load = Load::start(store.clone(), UNPACED);
    for _ in 0..CUTS {
        load.answers(50).await;
        proxy.cut_all();
    }
    load.answers(50).await;
    let unknown = load.verify().await;
    let stats = store.stats();
    println!("{CUTS} cuts: {unknown} unknown, {stats:?}");
    assert_eq!(unknown, 0, "the server could be asked in time");
    assert!(stats.resolved > 0, "no commit was cut off from its answer");
}
