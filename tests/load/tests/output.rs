//! What scripts rely on: one JSON object, numbers as numbers, and an exit status that tells the
//! truth.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const LOAD: &str = env!("CARGO_BIN_EXE_throughline-load");

fn run(arguments: &[&str]) -> Output {
    Command::new(LOAD).args(arguments).output().unwrap()
}

/// The one object of a run that must succeed.
fn report(arguments: &[&str]) -> Value {
    let output = run(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}{errors}");
    assert_eq!(text.lines().count(), 1, "more than one line: {text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    for field in ["seconds", "nodes", "clients", "cores"] {
        assert!(report[field].is_u64(), "{field} is no number: {report}");
    }
    for field in ["scenario", "store", "git"] {
        assert!(report[field].is_string(), "{field} is no text: {report}");
    }
    report
}

fn count(report: &Value, field: &str) -> u64 {
    report[field].as_u64().unwrap_or_else(|| panic!("{field} is no count: {report}"))
}

fn assert_nothing_wrong(report: &Value) {
    assert!(count(report, "sent") > 0);
    assert_eq!(count(report, "sent"), count(report, "delivered"));
    for field in ["lost", "duplicated", "reordered", "corrupted"] {
        assert_eq!(count(report, field), 0, "{field}: {report}");
    }
}

#[test]
fn echo_delivers_everything_once_and_in_order() {
    for transport in [&[][..], &["--ws"]] {
        let small = ["echo", "--seconds", "1", "--clients", "4", "--window", "8", "--json"];
        let report = report(&[&small[..], transport].concat());
        assert_nothing_wrong(&report);
        assert_eq!((count(&report, "window"), count(&report, "limit_lost")), (8, 0));
        for field in ["messages_per_s", "value", "limit", "ratio", "service_p99_ms"] {
            assert!(report[field].as_f64().unwrap() > 0.0, "{field}: {report}");
        }
    }
}

#[test]
fn idle_keeps_every_session() {
    let report = report(&["idle", "--seconds", "1", "--sessions", "300", "--json"]);
    assert_eq!((count(&report, "ended"), count(&report, "bare_ended")), (0, 0));
    for field in ["bytes_per_session", "bare_bytes", "beyond_bare"] {
        assert!(report[field].is_f64(), "{field}: {report}");
    }
}

#[test]
fn cut_delivers_everything_once_and_in_order_over_connections_that_break() {
    let report = report(&["cut", "--seconds", "3", "--clients", "20", "--json"]);
    assert_nothing_wrong(&report);
    assert!(count(&report, "cuts") > 0 && count(&report, "repairs") > 0, "{report}");
    assert_eq!(count(&report, "ended"), 0);
}

/// What every run over a cluster must have.
fn cluster_report(arguments: &[&str]) -> Value {
    let report = report(arguments);
    assert_nothing_wrong(&report);
    assert_eq!((&report["store"], count(&report, "nodes")), (&"sled".into(), 3));
    for field in ["ended", "unsettled", "stale_accepted"] {
        assert_eq!(count(&report, field), 0, "{field}: {report}");
    }
    // A rate alone goes unaudited.
    let least = if arguments.contains(&"--max") { 0 } else { count(&report, "clients") };
    assert!(count(&report, "audited_changes") >= least, "{report}");
    report
}

#[test]
fn handover_moves_sessions_and_loses_nothing() {
    let small = ["handover", "--seconds", "2", "--clients", "20", "--rate", "50", "--json"];
    let found = cluster_report(&small);
    assert!(count(&found, "handovers") >= 50, "{found}");
    assert!(count(&found, "moves") > 0 && found["limit"].as_f64().unwrap() > 0.0, "{found}");
    let small = ["handover", "--seconds", "1", "--clients", "20", "--max", "--at-once", "4"];
    assert!(count(&cluster_report(&[&small[..], &["--json"]].concat()), "handovers") > 0);
}

#[test]
fn handover_loses_nothing_over_connections_that_break() {
    let small = ["handover", "--faults", "--seconds", "3", "--clients", "20", "--rate", "30"];
    let found = cluster_report(&[&small[..], &["--json"]].concat());
    assert!(count(&found, "cuts") > 0 && count(&found, "handovers") > 0, "{found}");
}

#[test]
fn drain_leaves_nothing() {
    let found = cluster_report(&["drain", "--seconds", "1", "--sessions", "90", "--json"]);
    assert_eq!((count(&found, "left"), count(&found, "failed_stops")), (0, 0));
    assert_eq!(count(&found, "parked") + count(&found, "moved"), 30, "{found}");
}

#[test]
fn rolling_restarts_every_node_and_loses_nothing() {
    let small = ["rolling", "--seconds", "1", "--clients", "12", "--pace", "200", "--json"];
    let found = cluster_report(&small);
    assert!(count(&found, "restarts") >= 3 && count(&found, "moves") > 0, "{found}");
    assert_eq!((count(&found, "left"), count(&found, "failed_stops")), (0, 0));
}

#[test]
fn rolling_restarts_every_node_under_whole_games_and_every_winner_is_right() {
    let small = ["rolling", "--game", "omok", "--seconds", "3", "--clients", "6", "--json"];
    let found = report(&small);
    assert_eq!(found["game"], "omok");
    for field in ["restarts", "games", "moves", "match_moves"] {
        assert!(count(&found, field) >= 3, "{field}: {found}");
    }
    for field in ["wrong_games", "wrong_clocks", "unfinished", "lost_matches", "left"] {
        assert_eq!(count(&found, field), 0, "{field}: {found}");
    }
}

#[test]
fn storm_brings_every_session_back() {
    let found = cluster_report(&["storm", "--seconds", "1", "--sessions", "60", "--json"]);
    assert_eq!((count(&found, "hit"), count(&found, "not_back")), (20, 0), "{found}");
    assert!(found["back_max_ms"].as_f64().unwrap() > 0.0, "{found}");
}

#[test]
fn a_storm_of_a_killed_node_ends_no_crash_proof_session() {
    let small = ["storm", "--kill", "--seconds", "1", "--sessions", "60", "--json"];
    let found = cluster_report(&small);
    assert_eq!((count(&found, "hit"), count(&found, "not_back")), (20, 0), "{found}");
}

#[test]
fn p7_whatever_is_killed_stopped_or_cut_nothing_is_lost_and_nobody_ends() {
    let small = ["kill", "--seconds", "12", "--clients", "12", "--pace", "200", "--json"];
    let found = cluster_report(&small);
    let parts = ["kills", "stops", "cuts", "store_kills"].map(|field| count(&found, field));
    assert_eq!(parts.iter().sum::<u64>(), count(&found, "faults"), "{found}");
    assert!(count(&found, "faults") > 0, "{found}");
    assert_eq!((count(&found, "ended"), count(&found, "stale_accepted")), (0, 0), "{found}");
}

#[test]
fn a_node_that_was_frozen_beyond_its_lease_writes_nothing() {
    let small = ["freeze", "--seconds", "1", "--clients", "12", "--pace", "200", "--json"];
    let found = report(&small);
    assert_eq!(count(&found, "stops"), 1);
    // The sessions of the frozen node are lost, and say so; the others go on.
    assert!((1..12).contains(&count(&found, "ended")), "{found}");
    for field in ["ended_otherwise", "stale_accepted", "lost", "duplicated", "reordered"] {
        assert_eq!(count(&found, field), 0, "{field}: {found}");
    }
}

#[test]
fn queue_delivers_everything_once_and_in_order() {
    let small = ["queue", "--seconds", "1", "--producers", "4", "--window", "4", "--json"];
    let found = report(&small);
    assert_nothing_wrong(&found);
    assert_eq!((&found["store"], count(&found, "window")), (&"sled".into(), 4));
    for field in [
        "enqueues_per_s",
        "dequeued_per_s",
        "enqueues_per_s_window1",
        "disk_limit",
        "value",
        "limit",
        "ratio",
    ] {
        assert!(found[field].as_f64().unwrap() > 0.0, "{field}: {found}");
    }
}

#[test]
fn turns_are_answered_once_and_in_order() {
    let found = report(&["turns", "--seconds", "2", "--sessions", "20", "--json"]);
    assert_nothing_wrong(&found);
    // Each is a commit of its own.
    assert!(count(&found, "commits") >= count(&found, "sent"), "{found}");
    for field in ["turns_per_s", "disk_limit", "ratio", "paced_per_s", "turn_p50_ms"] {
        assert!(found[field].as_f64().unwrap() > 0.0, "{field}: {found}");
    }
}

#[test]
fn too_few_open_files_are_named_before_anything_starts() {
    let few = "ulimit -n 250 && exec \"$0\" echo --clients 100 --json";
    let output = Command::new("sh").args(["-c", few, LOAD]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.success(), output.stdout.len()), (false, 0));
    assert!(errors.contains("300 open files") && errors.contains("--clients"), "{errors}");
}

#[test]
fn an_option_out_of_range_is_refused_by_name() {
    let output = run(&["echo", "--window", "257", "--json"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.success(), output.stdout.len()), (false, 0));
    assert!(errors.contains("--window must be from 1 to 256, found 257"), "{errors}");
}

#[test]
fn a_bar_that_is_missed_fails_the_run_and_is_named_with_what_was_found() {
    let small = ["idle", "--seconds", "1", "--sessions", "10", "--json"];
    let bars = ["--bar", "sessions>=10", "--bar", "sessions<=9", "--bar", "sesions>=1"];
    let output = run(&[&small[..], &bars].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(serde_json::from_slice::<Value>(&output.stdout).unwrap().is_object());
    let expected = "load: bar missed: expected sessions at most 9, found 10\n\
                    load: bar missed: expected sesions at least 1, found no such field\n";
    assert_eq!(errors, expected);
}

#[test]
fn a_child_ends_when_its_parent_is_gone() {
    let mut child = Command::new(LOAD)
        .args(["serve-bare", "--threads", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert!(ready.contains("127.0.0.1:"), "{ready}");
    // What the kernel does when the parent ends, however it ends.
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn roles_are_hidden_from_help() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    assert!(help.contains("echo") && help.contains("idle") && help.contains("cut"));
    assert!(help.contains("handover") && help.contains("rolling") && help.contains("storm"));
    assert!(help.contains("queue") && help.contains("turns"));
    assert!(!help.contains("serve-") && !help.contains("drive-"), "{help}");
}
