//! A game's binary as an operator meets it: the sample omok.

use std::process::Output;

#[cfg(unix)]
use throughline_tests::program::{signal, status};
use throughline_tests::{program, watch};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};

use crate::raw::Wire;

/// A node.
fn omok() -> Command {
    program::omok("node")
}

const FREE: [&str; 6] = [
    "--listen.http",
    "127.0.0.1:0",
    "--listen.link",
    "127.0.0.1:0",
    "--admin.listen",
    "127.0.0.1:0",
];

async fn output(args: &[&str]) -> Output {
    watch::soon("the end of omok", omok().args(args).output()).await.unwrap()
}

/// A node that said where it is.
struct Serving {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    greeting: String,
}

impl Serving {
    async fn start(args: &[&str]) -> Self {
        let mut child = omok().args(FREE).args(args).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let greeting = watch::soon("a greeting", lines.next_line()).await.unwrap();
        let Some(greeting) = greeting else {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).await.unwrap();
            panic!("omok did not start: {why}")
        };
        Self { child, lines, greeting }
    }

    /// Where it serves this scheme.
    fn place(&self, scheme: &str) -> String {
        let place = self.greeting.split_whitespace().find_map(|word| word.strip_prefix(scheme));
        place.unwrap_or_else(|| panic!("no {scheme} in {:?}", self.greeting)).to_owned()
    }
}

#[tokio::test]
async fn the_binary_says_in_one_line_where_it_is() {
    let mut serving = Serving::start(&[]).await;
    assert!(serving.greeting.contains("Ctrl-C"), "{}", serving.greeting);
    for scheme in ["http://", "tcp://"] {
        tokio::net::TcpStream::connect(serving.place(scheme)).await.unwrap();
    }
    serving.child.kill().await.unwrap();
    let rest = watch::soon("the end", serving.lines.next_line()).await.unwrap();
    assert_eq!(rest, None, "one line, and nothing behind it");
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_and_sigint_end_the_sessions_and_the_status_is_0() {
    use throughline_client::{Client, CloseCode, Event, Options};

    for name in ["TERM", "INT"] {
        let serving = Serving::start(&[]).await;
        let options = Options::new([serving.place("tcp://")]).kind("omok");
        let mut client = Client::connect(options.login(r#"{"name":"ann"}"#)).await.unwrap();
        signal(&serving.child, &[name]).await;
        let ended = watch::soon("the end of the session", async {
            loop {
                if let Event::Ended(code, _) = client.next().await {
                    return code;
                }
            }
        });
        assert_eq!(ended.await, CloseCode::NodeStopped, "{name}");
        assert_eq!(status(serving.child).await, Some(0), "{name}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn who_has_read_the_greeting_may_stop_the_node() {
    for _ in 0..10 {
        let serving = Serving::start(&[]).await;
        signal(&serving.child, &["TERM"]).await;
        assert_eq!(status(serving.child).await, Some(0));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_node_whose_output_nobody_reads_stops_cleanly() {
    let Serving { child, lines, .. } = Serving::start(&[]).await;
    // The reading end of its standard output closes.
    drop(lines);
    signal(&child, &["TERM"]).await;
    assert_eq!(status(child).await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_signal_does_not_wait_for_a_client_that_hangs() {
    let serving = Serving::start(&[]).await;
    let place = serving.place("tcp://").parse().unwrap();
    // It does not answer when it is told goodbye, so the node waits for it, a while.
    let (_wire, _) = Wire::session(place, "omok", r#"{"name":"ann"}"#).await;
    signal(&serving.child, &["TERM", "INT"]).await;
    assert_eq!(status(serving.child).await, Some(1));
    let (mut lines, mut rest) = (serving.lines, Vec::new());
    while let Some(line) = lines.next_line().await.unwrap() {
        rest.push(line);
    }
    let [stopping, stopped] = &rest[..] else { panic!("two lines were expected: {rest:?}") };
    assert!(stopping.starts_with("stopping: 1 sessions"), "{stopping}");
    assert!(stopped.starts_with("stopped at once"), "{stopped}");
}

#[cfg(unix)]
#[tokio::test]
async fn p4_who_is_left_at_the_deadline_is_named_and_the_status_is_1() {
    let dir = tempfile::tempdir().unwrap();
    let at = format!("sled:{}", dir.path().join("data").display());
    // The second one's turn to go comes with the deadline. Who is told goodbye is not waited for.
    let quick = ["--drain.rate", "1", "--drain.deadline", "1s", "--node.shutdown-time", "0s"];
    let serving = Serving::start(&[&["--store.at", &at], &quick[..]].concat()).await;
    let place = serving.place("tcp://").parse().unwrap();
    let (_ann, ann) = Wire::session(place, "omok", r#"{"name":"ann"}"#).await;
    let (_bob, bob) = Wire::session(place, "omok", r#"{"name":"bob"}"#).await;
    let Serving { mut child, mut lines, .. } = serving;
    let mut errors = child.stderr.take().unwrap();
    let (mut rest, mut error) = (Vec::new(), String::new());
    signal(&child, &["TERM"]).await;
    assert_eq!(status(child).await, Some(1));
    while let Some(line) = lines.next_line().await.unwrap() {
        rest.push(line);
    }
    errors.read_to_string(&mut error).await.unwrap();

    let json = rest.iter().find_map(|line| line.strip_prefix("drain report: "));
    let json = json.unwrap_or_else(|| panic!("no report: {rest:?}"));
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    let left = report["left_sessions"].as_array().unwrap();
    assert_eq!((&report["left"], &report["has_left"]), (&left.len().into(), &false.into()));
    let named = left.iter().map(|one| (one[0].as_str().unwrap(), one[1].as_str().unwrap()));
    let named: Vec<_> = named.collect();
    let players = [ann, bob].map(|seat| format!("session {}", seat.id));
    let is_player = |name: &str| players.iter().any(|player| player == name);
    let why = "its turn to go did not come";
    assert!(named.iter().any(|(name, w)| is_player(name) && *w == why), "{json}");
    for (name, why) in named {
        assert!(error.contains(&format!("left behind: {name}: {why}\n")), "{error}");
    }
    let words = rest.last().unwrap();
    assert!(words.starts_with("stopped: ") && words.contains(&format!("{} left", left.len())));
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_drains_says_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let at = format!("sled:{}", dir.path().join("data").display());
    // The third one's turn to go comes after two seconds, and each second it says where it stands.
    let slow = ["--drain.rate", "1", "--node.shutdown-time", "0s"];
    let serving = Serving::start(&[&["--store.at", &at], &slow[..]].concat()).await;
    let place = serving.place("tcp://").parse().unwrap();
    let _ann = Wire::session(place, "omok", r#"{"name":"ann"}"#).await;
    let _bob = Wire::session(place, "omok", r#"{"name":"bob"}"#).await;
    let _cyd = Wire::session(place, "omok", r#"{"name":"cyd"}"#).await;
    let Serving { child, mut lines, .. } = serving;
    signal(&child, &["TERM"]).await;
    assert_eq!(status(child).await, Some(0));
    let mut told = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        told.extend(line.strip_prefix("draining: ").map(str::to_owned));
    }
    let is_count = |line: &String| line.contains(" sessions are gone, ") && line.ends_with(" left");
    assert!(!told.is_empty() && told.iter().all(is_count), "{told:?}");
}

#[tokio::test]
async fn a_taken_port_is_refused_with_its_address_and_the_flag() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (flag, other) in [("listen.http", "listen.link"), ("listen.link", "listen.http")] {
        let (flag, other) = (format!("--{flag}"), format!("--{other}"));
        let ended = output(&[&flag, &taken, &other, "127.0.0.1:0"]).await;
        let error = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{error}");
        assert!(error.contains(&taken) && error.contains(&flag), "{error}");
    }
}

#[tokio::test]
async fn a_bad_configuration_is_refused_with_the_key_what_was_found_and_what_is_expected() {
    let ended = output(&["--session.timeout", "soon", "--limits.sesions", "3"]).await;
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{error}");
    for text in ["session.timeout", "soon", "expected", "limits.sesions", "limits.sessions"] {
        assert!(error.contains(text), "{text} is missing in: {error}");
    }
    let mut command = omok();
    command.args(FREE).env("THROUGHLINE__LIMITS__SESSIONS", "many");
    let ended = watch::soon("the end of omok", command.output()).await.unwrap();
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{error}");
    assert!(error.contains("THROUGHLINE__LIMITS__SESSIONS") && error.contains("many"), "{error}");
}

#[tokio::test]
async fn print_config_prints_the_effective_one_as_toml() {
    let ended = output(&["--print-config", "--session.timeout", "90s"]).await;
    assert_eq!(ended.status.code(), Some(0));
    let text = String::from_utf8(ended.stdout).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let value = |section: &str, key: &str| table[section][key].clone();
    let timeout = value("session", "timeout").to_string();
    assert!(["\"90s\"", "\"1m 30s\"", "\"1m30s\""].contains(&timeout.as_str()), "{timeout}");
    // The game's own default.
    assert_eq!(value("development", "simulate-link"), toml::Value::Boolean(true));
    assert!(text.contains("# "), "with comments");
}
