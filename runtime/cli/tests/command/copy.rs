//! `throughline store copy` between real stores.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use throughline::{Config, Node, RunningNode};
use throughline_client::{Options as ClientOptions, TestClient};
use throughline_cluster::{Beat, Member, NodeId, NodeInfo, NodeState, Row, Standing, keys};
use throughline_queue::Clock;
use throughline_store::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use throughline_store::{Batch, Store};
use throughline_store_postgres::testing::Server;
use throughline_store_postgres::{Options, PostgresStore};
use throughline_store_sled::SledStore;

use crate::live::Listener;
use crate::store::block_on;
use crate::{fails, succeeds, text, throughline};

/// Nothing here takes so long, unless it never happens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Records with a value of a batch each, so that a copy has many batches.
const LARGE_RECORDS: u16 = 40;

/// A directory, and a path in it as the command takes it.
fn folder() -> (TempDir, impl Fn(&str) -> String) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    (dir, move |name: &str| root.join(name).display().to_string())
}

/// The address of a database of the server, for the cluster `throughline`.
fn database(server: &Server, name: &str) -> String {
    server.sql("postgres", &format!("create database {name}")).unwrap();
    format!("postgres:{}", server.address(name))
}

fn write(path: &str, records: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) {
    block_on(async {
        let store = SledStore::open(path).unwrap();
        let mut batch = Batch::new();
        for (key, value) in records {
            if batch.bytes() + value.len() > 1024 * 1024 || batch.writes().len() == 1_000 {
                store.commit(std::mem::take(&mut batch)).await.unwrap();
            }
            batch = batch.put(key, value);
        }
        store.commit(batch).await.unwrap();
        store.close().await.unwrap();
    });
}

/// Records of every kind of key and value that a store takes.
fn all_kinds() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut records = Vec::new();
    for number in 0..4_000_u16 {
        let mut key = number.to_be_bytes().repeat(1 + usize::from(number % 5));
        key.push(if number % 2 == 0 { 0 } else { u8::MAX });
        let length = usize::from(number % 97);
        records.push((key, (0..length).map(|at| (at * 31) as u8).collect()));
    }
    for byte in [0, b'x', u8::MAX] {
        records.push((vec![byte], Vec::new()));
        let value = (0..VALUE_BYTES_MAX).map(|at| (at % 251) as u8).collect();
        records.push((vec![byte; KEY_BYTES_MAX], value));
    }
    records
}

fn large() -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    (0..LARGE_RECORDS).map(|n| ([b"seat/", &n.to_be_bytes()[..]].concat(), vec![n as u8; 300_000]))
}

/// What a store has, as the command dumps it.
fn dump(path: &str) -> String {
    succeeds(&["store", "dump", path])
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeeds(&[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn a_store_goes_to_postgresql_and_back_byte_for_byte() {
    let (_dir, path) = folder();
    let (old, back) = (path("old"), path("back"));
    let records = all_kinds();
    write(&old, records.clone());
    let server = Server::start().unwrap();
    let address = database(&server, "game");
    let said = succeeds(&["store", "copy", &old, &address]);
    let count = records.len();
    assert!(said.contains(&format!("{address} is a copy of {old}: {count} records")), "{said}");
    let check = json(&["store", "check", &address]);
    assert_eq!((&check["clean"], &check["records"]), (&true.into(), &count.into()), "{check}");
    // A second time there is nothing to do.
    let said = succeeds(&["store", "copy", &old, &address]);
    assert!(said.contains(&format!("has all {count} records")), "{said}");

    let copied = json(&["store", "copy", &address, &format!("sled:{back}")]);
    assert_eq!(copied["records"], count, "{copied}");
    assert!(dump(&back) == dump(&old), "it is not the same");
    let again = path("again");
    succeeds(&["store", "copy", &back, &again]);
    assert!(dump(&again) == dump(&old), "it is not the same");
}

/// A copy that runs.
fn begin(from: &str, to: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    command.args(["store", "copy", from, to]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until `is_far` says so, and kills it.
fn kill_once(mut copy: Child, mut is_far: impl FnMut() -> bool) {
    while !is_far() {
        assert!(copy.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::yield_now();
    }
    copy.kill().unwrap();
    copy.wait().unwrap();
}

/// Why a node does not start on this store.
fn no_node(config: impl FnOnce(&mut Config), store: Option<Arc<dyn Store>>) -> String {
    start(config, store).err().unwrap().to_string()
}

fn start(
    change: impl FnOnce(&mut Config),
    store: Option<Arc<dyn Store>>,
) -> Result<RunningNode, throughline::StartError> {
    let free = || vec!["127.0.0.1:0".parse().unwrap()];
    let mut config = Config::default();
    (config.listen.http, config.listen.link, config.admin.listen) = (Vec::new(), free(), free());
    config.node.workers = 1;
    change(&mut config);
    let node = Node::builder(config).sessions::<Listener>();
    match store {
        Some(store) => node.store(store).start(),
        None => node.start(),
    }
}

fn log_bytes(path: &str) -> u64 {
    fs::metadata(Path::new(path).join("sled/db")).map_or(0, |log| log.len())
}

#[test]
fn a_copy_to_disk_that_is_killed_goes_on_where_it_was() {
    let (_dir, path) = folder();
    let (old, new) = (path("old"), path("new"));
    write(&old, large());
    // Its log grows by what is copied.
    for share in [2, 4, 6] {
        let far = log_bytes(&old) * share / 10;
        kill_once(begin(&old, &new), || log_bytes(&new) > far);
        let error = no_node(|config| config.store.at = format!("sled:{new}"), None);
        let is_told = error.contains("has not ended") && error.contains(&old);
        assert!(is_told && error.contains("of the 40 records"), "{error}");
        let stats = json(&["store", "stats", &new]);
        assert_eq!(stats["half_copy"], true, "{stats}");
    }
    let copied = json(&["store", "copy", &old, &new]);
    assert!(copied["copied_before"].as_u64().unwrap() > 0, "{copied}");
    assert!(dump(&new) == dump(&old), "it is not the same");
    let node = start(|config| config.store.at = format!("sled:{new}"), None).unwrap();
    node.stop();
}

#[test]
fn a_copy_to_postgresql_that_is_killed_goes_on_where_it_was() {
    let (_dir, path) = folder();
    let (old, back) = (path("old"), path("back"));
    write(&old, large());
    let server = Server::start().unwrap();
    let address = database(&server, "game");
    for rows in [1, 12, 30] {
        kill_once(begin(&old, &address), || {
            let found = server.sql("game", "select count(*) from throughline.record");
            // Before the copy has created the table there are none.
            found.is_ok_and(|found| found.parse::<u32>().unwrap() >= rows)
        });
        let check = json(&["store", "check", &address]);
        assert_eq!(check["half_copy"], true, "{check}");
    }
    let store = block_on(PostgresStore::open(options(&server, "game"))).unwrap();
    let secret = path("secret");
    fs::write(&secret, "sixteen bytes or more").unwrap();
    let with_secret = |config: &mut Config| config.cluster.secret_file.clone_from(&secret);
    let error = no_node(with_secret, Some(Arc::new(store)));
    assert!(error.contains("has not ended") && error.contains("of the 40 records"), "{error}");
    let said = succeeds(&["store", "copy", &old, &address]);
    assert!(said.contains("records were there already"), "{said}");
    succeeds(&["store", "copy", &address, &back]);
    assert!(dump(&back) == dump(&old), "it is not the same");
}

fn options(server: &Server, name: &str) -> Options {
    Options::new(&server.address(name), "throughline").unwrap()
}

#[test]
fn what_must_not_be_copied_is_refused_and_nothing_is_changed() {
    let (_dir, path) = folder();
    let (old, new, used) = (path("old"), path("new"), path("used"));
    let member = Member { node: NodeId(3), incarnation: 9 };
    let info = Arc::new(NodeInfo::new("10.0.0.3:7", Vec::new()).unwrap());
    let standing = |state| Standing { state, info: info.clone() }.encode().to_vec();
    let beat = Beat::new(1, Clock::system().now_ms()).encode();
    let alive = (Row::Standing(member).key().to_vec(), standing(NodeState::Alive));
    write(&old, [alive, (Row::Beat(member).key().to_vec(), beat.to_vec())]);
    let (_, error) = fails(&["store", "copy", &old, &new]);
    assert!(error.contains("n3.") && error.contains("is alive"), "{error}");
    assert!(!Path::new(&new).exists(), "it was created");

    write(&old, [(Row::Standing(member).key().to_vec(), standing(NodeState::Left))]);
    write(&used, [(b"mine".to_vec(), b"1".to_vec())]);
    let (_, error) = fails(&["store", "copy", &old, &used]);
    assert!(error.contains(&used) && error.contains("\"mine\""), "{error}");
    assert_eq!(dump(&used), "mine\t31\n");
    let (_, error) = fails(&["store", "copy", &old, &format!("sled:{old}")]);
    assert!(error.contains("into itself"), "{error}");
    let (_, error) = fails(&["store", "copy", &path("gone"), &new]);
    assert!(error.contains("gone") && !Path::new(&new).exists(), "{error}");

    let open = SledStore::open(&old).unwrap();
    let (_, error) = fails(&["store", "copy", &old, &new]);
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    block_on(open.close()).unwrap();
    succeeds(&["store", "copy", &old, &new]);
    // The row of a copy that has not ended makes a store none that can be copied.
    write(&new, [(keys::HALF_COPY.to_vec(), Vec::new())]);
    let (_, error) = fails(&["store", "copy", &new, &path("third")]);
    assert!(error.contains("half a copy"), "{error}");
}

#[test]
fn a_database_is_refused_with_what_to_change() {
    let server = Server::start().unwrap();
    let (_dir, path) = folder();
    let address = database(&server, "game");
    // Nothing is created where something is looked for.
    for command in ["check", "stats"] {
        let (_, error) = fails(&["store", command, &address]);
        assert!(error.contains("has no store in it"), "{error}");
    }
    let found = server.sql("game", "select to_regclass('throughline.meta') is null").unwrap();
    assert_eq!(found, "t");
    write(&path("old"), [(b"k".to_vec(), b"1".to_vec())]);
    succeeds(&["store", "copy", &path("old"), &address, "--cluster", "eu-1"]);
    let (_, error) = fails(&["store", "check", &address]);
    assert!(error.contains("\"eu-1\"") && error.contains("\"throughline\""), "{error}");
    succeeds(&["store", "check", &address, "--cluster", "eu-1"]);

    for (wrong, hint) in [
        ("postgres:host=db password=hidden", "--password-file"),
        ("postgres://ann:hidden@db/game", "--password-file"),
        ("postgresql:host=db", "postgres://"),
        ("postgres:dbname=game", "names no host"),
        ("hub:unix:socket", "so stop it"),
    ] {
        let output = throughline(&["store", "check", wrong]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {error}");
        assert!(error.contains(hint) && !error.contains("hidden"), "{error}");
    }
    for command in [&["store", "dump", &address][..], &["store", "backup", &address, "x"]] {
        let output = throughline(command);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("store copy"), "{:?}", text(&output.stderr));
    }
}

#[test]
fn damage_in_a_database_is_named_and_the_rest_is_read() {
    let server = Server::start().unwrap();
    let (_dir, path) = folder();
    let address = database(&server, "game");
    let node = Row::Node(NodeId(7)).key().to_vec();
    let others = (0..50).map(|number| (format!("seat/{number}").into_bytes(), b"1".to_vec()));
    write(&path("old"), others.chain([(node, b"\x01short".to_vec())]));
    succeeds(&["store", "copy", &path("old"), &address]);
    let change = "update throughline.record set value = '2' where key = 'seat/7'";
    server.sql("game", change).unwrap();
    let (said, _) = fails(&["store", "check", &address]);
    assert!(said.contains("is damaged: 2 records"), "{said}");
    assert!(said.contains("seat/7: the checksum is wrong"), "{said}");
    assert!(said.contains("i\\x00\\x00\\x00\\x07: a damaged node"), "{said}");
    assert!(said.contains("fsync on") && said.contains("not the loss of its disk"), "{said}");
    let (report, _) = fails(&["store", "check", &address, "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["records"], &report["damaged"]), (&50.into(), &2.into()), "{report}");
}

/// A client of this node.
fn join(runtime: &tokio::runtime::Runtime, node: &RunningNode) -> TestClient {
    let address = node.link_addresses()[0].to_string();
    let options = ClientOptions::new([address]).kind("listener").login("ann");
    runtime.block_on(TestClient::connect(options)).unwrap()
}

#[test]
fn a_node_on_the_copy_goes_on_with_the_sessions_that_were_parked() {
    let (_dir, path) = folder();
    let (old, secret) = (path("old"), path("secret"));
    fs::write(&secret, "sixteen bytes or more").unwrap();
    let node = start(|config| config.store.at = format!("sled:{old}"), None).unwrap();
    let listen = node.link_addresses()[0];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut ann = join(&runtime, &node);
    runtime.block_on(async {
        ann.send("before").await.unwrap();
        assert_eq!(ann.receive::<String>(PATIENCE).await.unwrap(), "before");
    });
    node.stop();

    let server = Server::start().unwrap();
    let address = database(&server, "game");
    succeeds(&["store", "copy", &old, &address]);
    let stats = json(&["store", "stats", &address]);
    let parked = stats["kinds"].as_array().unwrap().iter();
    let parked = parked.filter(|kind| kind["what"] == "sessions, parked");
    assert_eq!(parked.map(|kind| kind["records"].clone()).collect::<Vec<_>>(), [1], "{stats}");
    assert!(stats["database"]["table_bytes"].as_i64().unwrap() > 0, "{stats}");
    assert!(stats["oldest_due_ms"].is_u64(), "{stats}");

    let store = block_on(PostgresStore::open(options(&server, "game"))).unwrap();
    let change = |config: &mut Config| {
        config.listen.link = vec![listen];
        config.cluster.secret_file.clone_from(&secret);
    };
    let node = start(change, Some(Arc::new(store))).unwrap();
    runtime.block_on(async {
        ann.send("after").await.unwrap();
        assert_eq!(ann.receive::<String>(PATIENCE).await.unwrap(), "after");
    });
    node.stop();
}

#[test]
fn statistics_of_a_store_on_disk_count_its_records() {
    let (_dir, path) = folder();
    let old = path("old");
    write(&old, [(b"xmail".to_vec(), b"1".to_vec()), (b"k".to_vec(), b"\x01damaged".to_vec())]);
    let said = succeeds(&["store", "stats", &old]);
    assert!(said.contains("queues: messages") && said.contains("on disk"), "{said}");
    let stats = json(&["store", "stats", &old]);
    assert_eq!((&stats["records"], stats["bytes"].as_u64()), (&2.into(), Some(15)), "{stats}");
    assert!(stats["disk_bytes"].as_u64().unwrap() > 0, "{stats}");
}
