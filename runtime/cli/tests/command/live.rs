//! The commands against a node that runs.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use throughline::prelude::*;
use throughline::{Config, RunningNode};
use throughline_client::{CloseCode, Event, Options, TestClient};
use tokio::runtime::Runtime;

use crate::{fails, succeeds};

/// Nothing here takes so long, unless it never happens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Passes on what operators announce.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listener;

impl Session for Listener {
    const KIND: &'static str = "listener";
    const CODEC: Codec = Codec::Json;
    type In = String;
    type Out = String;

    async fn login(_: Login<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    async fn message(&mut self, text: String, ctx: &mut Context<Self>) -> Outcome {
        ctx.register_key(&text);
        ctx.send(text);
        Ok(())
    }

    async fn announced(&mut self, text: &str, ctx: &mut Context<Self>) -> Outcome {
        ctx.send(text.to_owned());
        Ok(())
    }
}

/// A node that serves, the address of its admin listener, and what clients run on.
fn node(change: impl FnOnce(&mut Config)) -> (RunningNode, String, Runtime) {
    let free = || vec!["127.0.0.1:0".parse().unwrap()];
    let mut config = Config::default();
    (config.listen.http, config.listen.link, config.admin.listen) = (Vec::new(), free(), free());
    config.node.workers = 1;
    config.cluster.node = 7;
    change(&mut config);
    let node = Node::builder(config).sessions::<Listener>().start().unwrap();
    let admin = node.admin_addresses()[0].to_string();
    while !succeeds(&["status", "--admin", &admin]).contains("serving") {
        std::thread::yield_now();
    }
    // With a thread of its own: clients go on while a command runs.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    (node, admin, runtime)
}

fn join(node: &RunningNode, runtime: &Runtime) -> TestClient {
    let address = node.link_addresses()[0].to_string();
    let options = Options::new([address]).kind("listener").login("ann");
    runtime.block_on(TestClient::connect(options)).unwrap()
}

#[test]
fn an_operator_sees_the_sessions_and_ends_one() {
    let (node, admin, runtime) = node(|_| {});
    let admin = ["--admin", &admin];
    let (mut ann, mut bob) = (join(&node, &runtime), join(&node, &runtime));
    runtime.block_on(async {
        ann.send("ann's key").await.unwrap();
        assert_eq!(ann.receive::<String>(PATIENCE).await.unwrap(), "ann's key");
    });
    let status = succeeds(&[&["status"], &admin[..]].concat());
    let row: Vec<_> = status.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["n7", "serving", "2", "2"], "{status}");

    let id = ann.client().session_id().to_string();
    let list = || succeeds(&[&["sessions", "list"], &admin[..]].concat());
    // A key is the session's once its commit is in, which nobody waits for here.
    while !list().contains("ann\\'s key") {
        std::thread::yield_now();
    }
    let list = list();
    let line = list.lines().find(|line| line.starts_with(&id)).unwrap();
    assert!(line.contains("ann\\'s key"), "{list}");
    assert!(list.contains(&bob.client().session_id().to_string()) && list.contains("2 sessions"));
    let one = succeeds(&[&["sessions", "list", "--limit", "1"], &admin[..]].concat());
    assert!(one.contains("1 sessions") && one.contains("--after"), "{one}");

    let kick = [&["sessions", "kick", &id][..], &admin[..]].concat();
    assert!(succeeds(&kick).contains(&id));
    let ended = runtime.block_on(async {
        loop {
            if let Event::Ended(code, _) = ann.next_event(PATIENCE).await.unwrap() {
                return code;
            }
        }
    });
    assert_eq!(ended, CloseCode::Kicked);
    let nobody = ["sessions", "kick", "00112233445566778899aabbccddeeff"];
    let (_, error) = fails(&[&nobody[..], &admin[..]].concat());
    assert!(error.contains("no session 0011") && error.contains(admin[1]), "{error}");
    let (_, error) = fails(&[&["sessions", "kick", "../drain"], &admin[..]].concat());
    assert!(error.contains("32 hexadecimal digits"), "{error}");
}

#[test]
fn what_is_announced_reaches_players_and_maintenance_shows() {
    let (node, admin, runtime) = node(|_| {});
    let admin = ["--admin", &admin];
    let mut ann = join(&node, &runtime);
    let said = succeeds(&[&["announce", "we restart at noon"], &admin[..]].concat());
    assert!(said.contains("1 sessions are told"), "{said}");
    let heard = runtime.block_on(ann.receive::<String>(PATIENCE)).unwrap();
    assert_eq!(heard, "we restart at noon");
    let (_, error) = fails(&[&["announce", &"x".repeat(5_000)], &admin[..]].concat());
    assert!(error.contains("4096 bytes"), "{error}");

    let on = ["maintenance", "on", "--retry-after", "90s"];
    assert!(succeeds(&[&on[..], &admin[..]].concat()).contains("1m 30s"));
    let status = || succeeds(&[&["status"], &admin[..]].concat());
    assert!(status().contains("serving, maintenance"), "{}", status());
    succeeds(&[&["maintenance", "off"], &admin[..]].concat());
    assert!(!status().contains("maintenance"), "{}", status());
}

/// A node whose store outlives it, in a directory that is removed with its test.
fn durable_node() -> (TempDir, RunningNode, String, Runtime) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let (node, admin, runtime) = node(|config| {
        config.store.at = format!("sled:{}", path.display());
    });
    (dir, node, admin, runtime)
}

/// What the command says with `--json`, once that is as wanted.
fn until(command: &[&str], admin: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    loop {
        let said = succeeds(&[command, &["--json", "--admin", admin]].concat());
        let said: Value = serde_json::from_str(&said).unwrap();
        if is_so(&said) {
            return said;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_drain_is_waited_for_and_ends_with_its_report() {
    let (_dir, node, admin, runtime) = durable_node();
    let _players: Vec<_> = (0..5).map(|_| join(&node, &runtime)).collect();
    let none = succeeds(&["drain", "status", "--admin", &admin]);
    assert!(none.contains("no drain"), "{none}");
    let said = succeeds(&["drain", "start", "--wait", "--deadline", "30s", "--admin", &admin]);
    assert!(said.contains("0 moved, 5 parked, 0 ended, 0 VActors gone, 0 left, 0 lost"), "{said}");
    let drain = succeeds(&["drain", "status", "--json", "--admin", &admin]);
    let drain: Value = serde_json::from_str(&drain).unwrap();
    assert_eq!((&drain["state"], &drain["admin"]), (&"over".into(), &admin.as_str().into()));
    assert_eq!(drain["report"]["left"], 0);
    let (_, error) = fails(&["drain", "pause", "--admin", &admin]);
    assert!(error.contains("the drain is over"), "{error}");
}

#[test]
fn a_drain_with_nowhere_to_go_is_refused() {
    let (_node, admin, _runtime) = node(|_| {});
    let (_, error) = fails(&["drain", "start", "--wait", "--admin", &admin]);
    assert!(error.contains("memory") && error.contains("store.at"), "{error}");
}

#[test]
fn a_drain_that_is_paused_stands_still_and_ends_after_it_was_resumed() {
    let (_dir, node, admin, runtime) = durable_node();
    let _players: Vec<_> = (0..4).map(|_| join(&node, &runtime)).collect();
    let drain = |order: &[&str]| succeeds(&[&["drain"], order, &["--admin", &admin]].concat());
    let until_drain = |is_so: &dyn Fn(&Value) -> bool| until(&["drain", "status"], &admin, is_so);
    drain(&["start", "--rate", "1"]);
    until_drain(&|said| said["state"] == "running");
    let paused = drain(&["pause"]);
    assert!(paused.contains(&admin) && paused.contains("is paused"), "{paused}");
    // Who was told before is still parked.
    let before = until_drain(&|said| said["state"] == "paused" && said["leaving"] == 0);
    let to_go = before["waiting"].as_u64().unwrap();
    assert!(to_go >= 1, "{before}");
    let uptime = |said: &Value| said["uptime_s"].as_u64().unwrap();
    let since = uptime(&until(&["status"], &admin, |_| true));
    // More than the second in which a drain that runs begins the next one.
    until(&["status"], &admin, |said| uptime(said) >= since + 2);
    assert_eq!(until_drain(&|_| true), before);
    let said = drain(&["status"]);
    assert!(said.contains("is paused: ") && said.contains(&format!("{to_go} to go")), "{said}");

    assert!(drain(&["resume"]).contains(&admin));
    let over = until_drain(&|said| said["state"] == "over");
    assert_eq!((&over["parked"], &over["report"]["left"]), (&4.into(), &0.into()), "{over}");
    let said = drain(&["status"]);
    assert!(said.contains("the drain is over") && said.contains(" 0 left, 0 lost"), "{said}");
}

#[test]
fn a_drain_that_is_stopped_says_who_is_left() {
    let (_dir, node, admin, runtime) = durable_node();
    let _players: Vec<_> = (0..3).map(|_| join(&node, &runtime)).collect();
    let drain = |order: &[&str]| succeeds(&[&["drain"], order, &["--admin", &admin]].concat());
    drain(&["start", "--rate", "1"]);
    until(&["drain", "status"], &admin, |said| said["state"] == "running");
    assert!(drain(&["stop"]).contains(&admin));
    let over = until(&["drain", "status"], &admin, |said| said["state"] == "over");
    assert_eq!(over["stopped"], true, "{over}");
    let said = drain(&["status"]);
    assert!(said.contains("was stopped by an operator"), "{said}");
    let left = over["report"]["left_sessions"].as_array().unwrap();
    assert!(!left.is_empty(), "{over}");
    for named in left {
        let (session, why) = (named[0].as_str().unwrap(), named[1].as_str().unwrap());
        assert!(said.contains(&format!("left: {session}: {why}")), "{said}");
    }
    let (_, error) = fails(&["drain", "resume", "--admin", &admin]);
    assert!(error.contains("the drain is over"), "{error}");
}
