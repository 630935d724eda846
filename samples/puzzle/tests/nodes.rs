//! The puzzle on real nodes: a player is cut, moved and killed with a node, and every move counts
//! once.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use throughline_client::{CloseCode, Event, Options, TestClient};
use throughline_tests::{program, watch};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const MOTIONS: [&str; 4] = ["left", "down", "right", "up"];

/// The binary, with a database of this test's own.
fn puzzle(folder: &Path, subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_puzzle"));
    command.arg(subcommand).current_dir(folder).env_clear();
    command.env("PUZZLE_DATABASE", folder.join("data").join("puzzle.db"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// A process that said where it is.
struct Serving {
    child: Child,
    greeting: String,
    /// Read to the end by nobody: it says little.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Serving {
    async fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let greeting = watch::soon("a greeting", lines.next_line()).await.unwrap();
        Self { child, greeting: greeting.expect("it starts"), _lines: lines }
    }

    fn link(&self) -> &str {
        let words = self.greeting.split_whitespace();
        words.filter_map(|word| word.strip_prefix("tcp://")).next().expect("a TCP link")
    }
}

/// A hub and three nodes.
struct Cluster {
    nodes: Vec<Serving>,
    _hub: Serving,
    folder: TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name).display().to_string();
        std::fs::write(path("secret"), "a secret of a test, long enough").unwrap();
        let mut hub = puzzle(folder.path(), "hub");
        hub.args(["--path", &path("store"), "--socket", &path("hub.sock")]);
        hub.args(["--secret-file", &path("secret")]);
        let hub = Serving::start(hub).await;
        let mut nodes = Vec::new();
        for number in 1..=3 {
            let mut node = puzzle(folder.path(), "node");
            for place in ["--listen.http", "--listen.link", "--admin.listen"] {
                node.args([place, "127.0.0.1:0"]);
            }
            node.args(["--cluster.node", &format!("{number}"), "--log.level", "warn"]);
            node.args(["--store.at", &format!("hub:unix:{}", path("hub.sock"))]);
            node.args(["--cluster.secret-file", &path("secret")]);
            nodes.push(Serving::start(node).await);
        }
        Self { nodes, _hub: hub, folder }
    }

    /// Where a node serves, by its number.
    fn at(&self, node: usize) -> &str {
        self.nodes[node - 1].link()
    }

    /// Logs in, and returns the first view.
    async fn enter(&self, node: usize, name: &str) -> (TestClient, Value) {
        let options = Options::new([self.at(node)]).kind("puzzle");
        let login = json!({ "name": name }).to_string();
        let mut client = TestClient::connect(options.login(login)).await.unwrap();
        let view = view(&mut client, |_| true).await;
        (client, view)
    }
}

async fn view(client: &mut TestClient, wanted: impl Fn(&Value) -> bool) -> Value {
    client.expect(|told: &Value| told["tell"] == "view" && wanted(told)).await.unwrap()
}

fn number(view: &Value) -> u64 {
    view["number"].as_u64().unwrap()
}

fn asked(view: &Value, motion: &str) -> Value {
    json!({ "ask": "move", "day": view["day"], "number": number(view) + 1, "motion": motion })
}

/// Makes the next move that moves anything; returns what was asked, and the view after it. Views
/// of before may still come, after a cut: they are no answer.
async fn play(client: &mut TestClient, before: &Value) -> (Value, Value) {
    let (cells, first) = (cells(before), number(before) as usize);
    let motions = MOTIONS.iter().cycle().skip(first % MOTIONS.len()).take(MOTIONS.len());
    let motion = motions.copied().find(|motion| moves(&cells, motion)).expect("something moves");
    let asked = asked(before, motion);
    client.send(&asked).await.unwrap();
    let after = view(client, |view| number(view) > number(before)).await;
    (asked, after)
}

fn cells(view: &Value) -> Vec<u64> {
    view["cells"].as_array().unwrap().iter().map(|cell| cell.as_u64().unwrap()).collect()
}

/// Whether a tile has a free cell or its equal before it.
fn moves(cells: &[u64], motion: &str) -> bool {
    (0..12).any(|at| {
        let (line, step) = (at / 3, at % 3);
        let (to, from) = match motion {
            "left" => (line * 4 + step, line * 4 + step + 1),
            "right" => (line * 4 + step + 1, line * 4 + step),
            "up" => (step * 4 + line, step * 4 + 4 + line),
            _ => (step * 4 + 4 + line, step * 4 + line),
        };
        cells[from] > 0 && (cells[to] == 0 || cells[to] == cells[from])
    })
}

#[tokio::test]
async fn a_board_is_the_same_after_cuts_and_at_every_node() {
    let cluster = Cluster::start().await;
    let (mut ann, mut seen) = cluster.enter(1, "ann").await;
    let (mut moves, id) = (Vec::new(), ann.client().session_id());
    for node in [2, 3, 1] {
        for turn in 0..6 {
            if turn % 2 == 0 {
                ann.cut();
            }
            let (asked, after) = play(&mut ann, &seen).await;
            moves.push(asked);
            seen = after;
            assert_eq!(number(&seen), moves.len() as u64);
        }
        ann.client().move_to(cluster.at(node)).unwrap();
        let there = view(&mut ann, |view| view["node"] == node).await;
        for what in ["number", "cells", "score", "steps", "best", "day"] {
            assert_eq!(there[what], seen[what], "{what} at node {node}");
        }
        seen = there;
    }
    assert_eq!((number(&seen), ann.client().session_id()), (18, id));

    // All of it again, at another node and in a session that has seen none of it.
    let (mut again, first) = cluster.enter(3, "ann").await;
    assert_eq!(first["cells"], seen["cells"]);
    for asked in moves.iter().chain(moves.iter().rev()) {
        again.send(asked).await.unwrap();
        assert_eq!(view(&mut again, |_| true).await["cells"], seen["cells"]);
    }
    // The first session ended when the second began.
    let ended = watch::soon("the end of the first session", async {
        loop {
            if let Event::Ended(code, _) = ann.client().next().await {
                return code;
            }
        }
    });
    assert_eq!(ended.await, CloseCode::KeyTaken);
}

#[tokio::test]
async fn the_ranking_of_the_day_is_that_of_all_nodes() {
    let cluster = Cluster::start().await;
    let mut best = Vec::new();
    for (node, name, moves) in [(1, "ann", 5), (2, "bob", 30), (3, "cem", 15)] {
        let (mut player, mut seen) = cluster.enter(node, name).await;
        while number(&seen) < moves {
            (_, seen) = play(&mut player, &seen).await;
        }
        best.push((name, seen["best"].clone()));
    }
    best.sort_by_key(|(_, best)| std::cmp::Reverse(best.as_u64()));
    for node in 1..=3 {
        let (_eve, seen) = cluster.enter(node, "eve").await;
        assert_eq!(seen["ranking"], json!(best), "at node {node}");
        assert_eq!((&seen["rank"], &seen["players"]), (&Value::Null, &json!(3)));
    }
    let (_, seen) = cluster.enter(1, best[1].0).await;
    assert_eq!(seen["rank"], 2);
}

#[tokio::test]
async fn a_move_that_its_node_took_to_the_grave_counts_once() {
    let mut cluster = Cluster::start().await;
    let (mut ann, mut seen) = cluster.enter(1, "ann").await;
    for _ in 0..5 {
        (_, seen) = play(&mut ann, &seen).await;
    }
    // Nobody knows whether it was written: it was on its way when the node died.
    let asked = asked(&seen, "start-over");
    ann.send(&asked).await.unwrap();
    cluster.nodes[0].child.kill().await.unwrap();
    let (mut again, first) = cluster.enter(2, "ann").await;
    assert!([5, 6].contains(&number(&first)), "{first}");
    for _ in 0..2 {
        again.send(&asked).await.unwrap();
        let after = view(&mut again, |_| true).await;
        assert_eq!((number(&after), &after["score"]), (6, &json!(0)));
    }
}

#[tokio::test]
async fn a_move_that_the_database_did_not_take_is_denied_and_may_be_asked_for_again() {
    let cluster = Cluster::start().await;
    let (mut ann, seen) = cluster.enter(1, "ann").await;
    let path = cluster.folder.path().join("data").join("puzzle.db");
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = asked(&seen, "start-over");
    ann.send(&asked).await.unwrap();
    let told: Value = ann.expect(|_| true).await.unwrap();
    assert_eq!(told, json!({ "tell": "refused", "why": "database" }));
    other.execute_batch("ROLLBACK").unwrap();
    ann.send(&asked).await.unwrap();
    assert_eq!(number(&view(&mut ann, |_| true).await), 1);
}

#[tokio::test]
async fn a_move_of_another_day_or_out_of_turn_is_denied() {
    let cluster = Cluster::start().await;
    let (mut ann, seen) = cluster.enter(1, "ann").await;
    let day = seen["day"].as_u64().unwrap();
    for (day, number, why) in [(day - 1, 1, "other-day"), (day, 2, "wrong-number")] {
        let asked = json!({ "ask": "move", "day": day, "number": number, "motion": "start-over" });
        ann.send(&asked).await.unwrap();
        let told: Value = ann.expect(|_| true).await.unwrap();
        assert_eq!(told, json!({ "tell": "refused", "why": why }));
        assert_eq!(view(&mut ann, |_| true).await["cells"], seen["cells"]);
    }
}

#[tokio::test]
async fn a_node_without_its_database_does_not_start_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "a file where the folder should be").unwrap();
    let mut node = puzzle(folder.path(), "node");
    let ended = watch::soon("the end", node.stderr(Stdio::piped()).output()).await.unwrap();
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{error}");
    assert!(error.contains("puzzle.db") && error.contains("PUZZLE_DATABASE"), "{error}");
}

#[tokio::test]
async fn a_game_has_its_own_default_for_an_option_of_its_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let help = |mut command: Command| async move {
        let ended = watch::soon("the help", command.arg("--help").output()).await.unwrap();
        String::from_utf8(ended.stdout).unwrap()
    };
    let own = help(puzzle(folder.path(), "cluster")).await;
    assert!(own.contains("./data/puzzle") && !own.contains("./data/local"), "{own}");
    let node = help(puzzle(folder.path(), "node")).await;
    assert!(!node.contains("./data/puzzle"), "{node}");
    let omok = help(program::omok("cluster")).await;
    assert!(omok.contains("./data/local"), "{omok}");
}
