//! Whose database it is, and who may use it.

use futures_util::future::join_all;
use throughline_store::{Batch, Store};
use throughline_store_postgres::testing::Server;
use throughline_store_postgres::{OpenError, Options};

use crate::{open, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_cluster_is_refused() {
    let server = Server::start().unwrap();
    let store = open(&server).await;
    store.commit(Batch::new().put("k", "1")).await.unwrap();
    let other = Options::new(&server.address("postgres"), "other").unwrap().open().await;
    let error = other.unwrap_err();
    let is_named = matches!(&error, OpenError::OtherCluster { found, .. } if found == "test");
    assert!(is_named, "{error}");
    assert_eq!(store.get("k".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused() {
    let server = Server::start().unwrap();
    open(&server).await.close().await.unwrap();
    server.sql("postgres", "update throughline.meta set version = 99").unwrap();
    let error = options(&server.address("postgres")).open().await.unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_open_a_new_database_together_all_find_it_whole() {
    let server = Server::start().unwrap();
    let stores = join_all((0..6).map(|_| open(&server))).await;
    stores[0].commit(Batch::new().put("k", "1")).await.unwrap();
    for store in &stores {
        assert_eq!(store.get("k".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_sync_is_refused() {
    let server = Server::start().unwrap();
    server.configure("fsync = off\n").unwrap();
    server.reload().unwrap();
    while server.sql("postgres", "show fsync").unwrap() == "on" {}
    let error = options(&server.address("postgres")).open().await.unwrap_err();
    assert!(matches!(error, OpenError::NotDurable { setting: "fsync", .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_bytes_are_never_read_as_values() {
    let server = Server::start().unwrap();
    let store = open(&server).await;
    store.commit(Batch::new().put("good", "1").put("bad", "1")).await.unwrap();
    server.sql("postgres", "update throughline.record set value = '2' where key = 'bad'").unwrap();
    let got = store.get("bad".into()).await;
    assert!(matches!(got, Err(throughline_store::GetError::Corrupt(_))), "{got:?}");
    let checked = store.commit(Batch::new().check_equals("bad", "2").put("x", "1")).await;
    assert!(matches!(checked, Err(throughline_store::CommitError::Corrupt(_))), "{checked:?}");
    assert_eq!(store.get("good".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
}
