//! A local cluster as whoever develops meets it: a hub, nodes and a balancer in one command.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use throughline_tests::{
    program::{omok, signal, status},
    watch,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout};

/// A directory of this test's own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("throughline-local-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn text(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FREE: [&str; 6] = ["--http-port", "0", "--link-port", "0", "--node-ports", "0"];

/// A cluster that tells how it is as JSON, and takes orders on its standard input.
struct Local {
    child: Child,
    orders: ChildStdin,
    objects: Lines<BufReader<ChildStdout>>,
    /// All events so far: who, and what.
    events: Vec<(String, String)>,
    last: Value,
}

impl Local {
    fn start(dir: &Dir, args: &[&str]) -> Self {
        let mut command = omok("cluster");
        command.arg("--json").arg("--data").arg(&dir.0).args(FREE).args(args);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let objects = BufReader::new(child.stdout.take().unwrap()).lines();
        let orders = child.stdin.take().unwrap();
        Self { child, orders, objects, events: Vec::new(), last: Value::Null }
    }

    async fn order(&mut self, line: &str) {
        self.orders.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Reads on until there is an event of `who` that begins so, and forgets those up to it.
    async fn until(&mut self, who: &str, text: &str) {
        loop {
            let is_it = |(by, what): &(String, String)| by == who && what.starts_with(text);
            if let Some(at) = self.events.iter().position(is_it) {
                self.events.drain(..=at);
                return;
            }
            let line = watch::soon(text, self.objects.next_line()).await.unwrap();
            let Some(line) = line else { panic!("it ended before {text}: {:?}", self.events) };
            self.last = serde_json::from_str(&line).unwrap();
            for event in self.last["events"].as_array().unwrap() {
                let word = |key: &str| event[key].as_str().unwrap().to_owned();
                self.events.push((word("who"), word("text")));
            }
        }
    }

    /// The processes that ran when it last told.
    fn pids(&self) -> Vec<u64> {
        let nodes = self.last["nodes"].as_array().unwrap().iter();
        let others = [&self.last["hub"], &self.last["balancer"]];
        nodes.chain(others).filter_map(|process| process["pid"].as_u64()).collect()
    }
}

/// Whether a process runs; who has ended and was not waited for does not.
fn runs(pid: u64) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    // Behind the name, which may have any character: `1234 (omok) S ..`
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_local_cluster_is_drained_killed_started_again_and_leaves_nothing_behind() {
    let dir = Dir::new();
    let mut local = Local::start(&dir, &["--nodes", "2", "--session.timeout", "5m"]);
    local.until("", "everything serves").await;
    let url = local.last["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    tokio::net::TcpStream::connect(url).await.unwrap();
    let first = local.pids();
    assert_eq!(first.len(), 4, "{}", local.last);
    assert!(first.iter().all(|&pid| runs(pid)));

    local.order("kill 1").await;
    local.until("n1", "killed").await;
    local.order("start 1").await;
    local.until("n1", "serving").await;
    local.order("drain 2").await;
    local.until("n2", "drained: 0 sessions moved, 0 parked, 0 ended, 0 left").await;
    local.order("start 2").await;
    local.until("n2", "serving").await;
    local.order("kill hub").await;
    local.until("hub", "killed").await;
    local.order("start hub").await;
    local.until("hub", "serving").await;
    local.order("drain 7").await;
    local.until("n7", "only a node that serves").await;
    local.order("roll").await;
    local.until("", "every node was restarted").await;
    let last = local.pids();

    local.order("quit").await;
    local.until("", "stopped: nothing was left behind").await;
    assert_eq!(status(local.child).await, Some(0));
    let left = |pid: &&u64| runs(**pid);
    assert_eq!(first.iter().chain(&last).find(left), None);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_local_cluster_that_is_killed_leaves_no_process_behind() {
    let dir = Dir::new();
    let mut local = Local::start(&dir, &["--nodes", "2"]);
    local.until("", "everything serves").await;
    let pids = local.pids();
    assert_eq!(pids.len(), 4, "{}", local.last);
    signal(&local.child, &["KILL"]).await;
    assert_eq!(status(local.child).await, None);
    watch::until("the end of its processes", || !pids.iter().any(|&pid| runs(pid))).await;
    // The next one finds the store and the socket of the dead one, and starts.
    let mut next = Local::start(&dir, &["--nodes", "1"]);
    next.until("", "everything serves").await;
    signal(&next.child, &["INT"]).await;
    next.until("", "stopped: nothing was left behind").await;
    assert_eq!(status(next.child).await, Some(0));
}

#[tokio::test]
async fn a_taken_port_of_a_local_cluster_is_refused_with_its_flag() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap();
    let port = taken.port().to_string();
    for flag in ["--http-port", "--link-port"] {
        let dir = Dir::new();
        let mut command = omok("cluster");
        command.arg("--data").arg(&dir.0).args(FREE).args([flag, &port]);
        let ended = watch::soon("the end of omok", command.output()).await.unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{error}");
        assert!(error.contains(&taken.to_string()) && error.contains(flag), "{error}");
    }
}

#[tokio::test]
async fn a_bad_command_line_is_refused_with_what_would_do() {
    let cases: [(&str, &[&str], &[&str]); 5] = [
        ("nodes", &[], &["`nodes`", "did you mean node?"]),
        ("cluster", &["--nodes", "0"], &["--nodes", "1..=9"]),
        ("cluster", &["--node", "2"], &["--node: unknown flag", "--nodes"]),
        ("cluster", &["--listen.http", "127.0.0.1:1"], &["--listen.http", "--http-port"]),
        ("hub", &["--path", "x"], &["--secret-file", "--socket"]),
    ];
    for (subcommand, args, texts) in cases {
        let ended = watch::soon("the end of omok", omok(subcommand).args(args).output());
        let ended = ended.await.unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{error}");
        for text in texts {
            assert!(error.contains(text), "{text} is missing in: {error}");
        }
    }
}

#[tokio::test]
async fn a_second_hub_on_one_store_is_refused_with_the_way_out() {
    let dir = Dir::new();
    std::fs::create_dir_all(&dir.0).unwrap();
    let secret = dir.text("secret");
    std::fs::write(&secret, "sixteen bytes, and a line's end\n").unwrap();
    let hub = |socket: &str| {
        let mut command = omok("hub");
        command.args(["--path", &dir.text("store"), "--secret-file", &secret]);
        command.args(["--socket", &dir.text(socket)]);
        command
    };
    let mut first = hub("one").spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    let greeting = watch::soon("a greeting", lines.next_line()).await.unwrap().unwrap();
    assert!(greeting.contains(&dir.text("one")), "{greeting}");

    let second = watch::soon("the end of omok", hub("two").output()).await.unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains("in use by process") && error.contains("--path"), "{error}");

    signal(&first, &["TERM"]).await;
    assert_eq!(status(first).await, Some(0));
    let ended = watch::soon("the last line", lines.next_line()).await.unwrap();
    assert_eq!(ended.as_deref(), Some("stopped: the store is closed"));
}

/// The folder of the script and its plain commands.
const SCRIPT: &str = "samples/local-cluster/run";

/// Runs the script until it says where to play, then stops it; all that it said. The page at the
/// balancer is read meanwhile.
async fn run_script(options: &[&str], ports: u32) -> String {
    let dir = Dir::new();
    let omok = omok("cluster").as_std().get_program().to_owned();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = tokio::process::Command::new("bash");
    command.arg(root.join(SCRIPT)).args(options).arg(&dir.0);
    command.env("OMOK_BIN", omok).env("PORTS", ports.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    watch::soon("where to play", async {
        while !said.contains("Play at") {
            let line = lines.next_line().await.unwrap();
            said += &line.unwrap_or_else(|| panic!("it has ended: {said}"));
        }
    })
    .await;
    assert!(said.contains("node-3 serves"), "{said}");
    let page = format!("http://127.0.0.1:{ports}77/");
    let curl = tokio::process::Command::new("curl").args(["-fsS", &page]).output();
    let page = watch::soon("the page", curl).await.unwrap();
    assert!(page.status.success(), "{}", String::from_utf8_lossy(&page.stderr));
    signal(&child, &["TERM"]).await;
    while let Some(line) = lines.next_line().await.unwrap() {
        said += &format!("{line}\n");
    }
    assert_eq!(status(child).await, Some(0), "{said}");
    for node in 1..=3 {
        assert!(said.contains(&format!("node-{node} ended with 0")), "{said}");
    }
    said
}

/// Below the ports that connections get, others for each process of tests.
fn script_ports(first: u32) -> u32 {
    first + std::process::id() % 95
}

#[tokio::test]
async fn the_script_of_plain_commands_runs_the_game_on_a_hub() {
    let said = run_script(&[], script_ports(210)).await;
    assert!(said.contains("hub serves"), "{said}");
    assert!(said.contains("hub ended with 0: stopped: the store is closed"), "{said}");
}

#[tokio::test]
async fn the_script_of_plain_commands_runs_the_game_on_a_database_of_its_own() {
    let said = run_script(&["--store", "postgres"], script_ports(110)).await;
    assert!(said.contains("postgres serves"), "{said}");
    assert!(said.contains("database system is shut down"), "{said}");
}
