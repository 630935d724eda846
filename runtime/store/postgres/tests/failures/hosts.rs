//! Server and store are on two hosts: network namespaces, with a wire between them.

use std::sync::Arc;

use tokio::task::block_in_place;

use throughline_store::{Batch, CommitError, Store};
use throughline_store_postgres::Health;
use throughline_store_postgres::testing::{Namespace, Server};

use crate::load::Load;
use crate::{UNPACED, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_when_the_network_to_the_server_is_cut() {
    let Some(host) = Namespace::new().unwrap() else {
        println!("not run: this machine lets nobody make network namespaces");
        return;
    };
    let server = Server::on_host(&host).unwrap();
    let store = Arc::new(open(&server).await);
    let load = Load::start(store.clone(), UNPACED);
    for _ in 0..2 {
        load.answers(400).await;
        block_in_place(|| host.cut(true).unwrap());
        // Longer than every deadline: a commit is not answered before it has one of its own.
        let cut = store.commit(Batch::new().put("cut", "1")).await;
        let is_told = matches!(cut, Err(CommitError::Down(_) | CommitError::Unknown { .. }));
        assert!(is_told, "{cut:?}");
        let mut health = store.health();
        while !matches!(health, Health::Away { .. }) {
            health = store.health_changed(&health).await;
        }
        block_in_place(|| host.cut(false).unwrap());
        load.answers(400).await;
    }
    let unknown = load.verify().await;
    println!("2 cuts: {unknown} unknown, {:?}", store.stats());
    store.close().await.unwrap();
}
