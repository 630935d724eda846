//! Whose database it is, and who may use it.

use std::time::Duration;

use futures_util::future::join_all;
use throughline_store::{Batch, CommitError, Store};
use throughline_store_postgres::testing::Server;
use throughline_store_postgres::{OpenError, Options, tools};
use tokio::task::block_in_place;

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

/// Everything in the schema of the store: its tables with their columns, and their rows.
const ALL: &str = "
    select md5(
        query_to_xml('select table_name, column_name, data_type from information_schema.columns
            where table_schema = ''throughline'' order by 1, 2', true, false, '')::text
        || schema_to_xml('throughline', true, false, '')::text)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused_with_both_versions_and_left_as_it_is() {
    let server = Server::start().unwrap();
    let store = open(&server).await;
    store.commit(Batch::new().put("k", "1")).await.unwrap();
    store.close().await.unwrap();
    let known = server.sql("postgres", "select version from throughline.meta").unwrap();
    // A newer program has another table, and knows the rows of this one.
    let newer = "create table throughline.newer (n integer);
        update throughline.meta set version = 99";
    server.sql("postgres", newer).unwrap();
    let before = server.sql("postgres", ALL).unwrap();
    let error = options(&server.address("postgres")).open().await.unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("version 99") && words.contains(&format!("up to {known}")), "{words}");
    assert_eq!(server.sql("postgres", ALL).unwrap(), before, "it was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_open_stops_once_a_newer_program_has_changed_the_schema() {
    let server = Server::start().unwrap();
    let mut options = options(&server.address("postgres"));
    let short = Duration::from_secs(2);
    options.call_wait(short).read_deadline(short).commit_deadline(short);
    let store = options.open().await.unwrap();
    store.commit(Batch::new().put("k", "1")).await.unwrap();
    server.sql("postgres", "update throughline.meta set version = 99").unwrap();
    // Connections that are open do not look again; every one that is opened does.
    block_in_place(|| {
        server.kill().unwrap();
        server.run().unwrap();
    });
    let before = server.sql("postgres", ALL).unwrap();
    let refused = store.commit(Batch::new().put("k", "2")).await;
    let Err(CommitError::Down(outage)) = refused else { panic!("{refused:?}") };
    assert!(outage.reason.contains("version 99"), "{outage}");
    assert_eq!(server.sql("postgres", ALL).unwrap(), before, "it was changed");
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
    assert!(matches!(checked, Err(CommitError::Corrupt(_))), "{checked:?}");
    assert_eq!(store.get("good".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_a_store_stays_so_where_one_was_expected() {
    let server = Server::start().unwrap();
    let mut existing = options(&server.address("postgres"));
    existing.existing();
    for error in [
        existing.clone().open().await.unwrap_err(),
        tools::check(options(&server.address("postgres")), |_, _| {}).await.unwrap_err(),
        tools::look(options(&server.address("postgres"))).await.unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::NoStore { .. }), "{error}");
    }
    let schemas = "select count(*) from pg_namespace where nspname = 'throughline'";
    assert_eq!(server.sql("postgres", schemas).unwrap(), "0");
    open(&server).await.close().await.unwrap();
    existing.open().await.unwrap().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_each_damaged_record_and_reads_the_others() {
    let server = Server::start().unwrap();
    let store = open(&server).await;
    // More than one page.
    for part in 0..3 {
        let keys = (0..3_000).map(|number| format!("k{:05}", part * 3_000 + number));
        let batch = keys.fold(Batch::new(), |batch, key| batch.put(key, "1"));
        store.commit(batch).await.unwrap();
    }
    store.commit(Batch::new().put("large", vec![7; 1024 * 1024])).await.unwrap();
    let change = "update throughline.record set value = '2' where key in ('k00000', 'k07777')";
    server.sql("postgres", change).unwrap();
    let (mut last, mut seen) = (Vec::new(), 0);
    let check = tools::check(options(&server.address("postgres")), |key, _| {
        assert!(key > &last[..], "{}", key.escape_ascii());
        (last, seen) = (key.to_vec(), seen + 1);
    });
    let report = check.await.unwrap();
    assert_eq!((report.records, report.damaged, seen), (8_999, 2, 8_999));
    assert_eq!(report.bytes, 8_998 * 7 + 5 + 1024 * 1024);
    assert_eq!(
        report.named.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(),
        ["k00000", "k07777"]
    );
    let look = tools::look(options(&server.address("postgres"))).await.unwrap();
    assert_eq!((look.schema, &look.fsync[..], look.health.is_working()), (1, "on", true));
    assert!(look.sizes.table_bytes > 1024 * 1024 && look.sizes.index_bytes > 0, "{look:?}");
    assert_eq!(look.sizes.total_bytes, look.sizes.table_bytes + look.sizes.index_bytes);
}
