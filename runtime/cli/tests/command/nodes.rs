//! The commands for nodes, against what is no node. What nodes answer is in `live`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::Value;

use crate::{fails, throughline};

/// An address where nobody listens: its port was free a moment ago, and is not given out again
/// while so many others are free.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Answers every request on this address with these bytes.
fn answering(answer: impl Into<Vec<u8>>) -> String {
    let (listener, answer) = (TcpListener::bind("127.0.0.1:0").unwrap(), answer.into());
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        }
    });
    address
}

/// A whole answer with this body.
fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_node_that_is_not_there_is_named_with_what_to_check() {
    let address = nobody();
    let commands: [&[&str]; 9] = [
        &["status"],
        &["sessions", "list"],
        &["sessions", "kick", "00112233445566778899aabbccddeeff"],
        &["announce", "hello"],
        &["maintenance", "on"],
        &["maintenance", "off"],
        &["drain", "start", "--wait"],
        &["drain", "status"],
        &["drain", "stop"],
    ];
    for command in commands {
        let (_, error) = fails(&[command, &["--admin", &address]].concat());
        assert!(error.contains(&address), "{command:?}: {error}");
        assert!(error.contains("admin.listen") && error.contains("--admin"), "{error}");
    }
}

#[test]
fn with_json_the_failure_is_a_document_too() {
    let address = nobody();
    let (out, _) = fails(&["status", "--json", "--admin", &address]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["admin"], address.as_str());
    assert!(document["error"].as_str().unwrap().contains(&address));
}

#[test]
fn one_table_shows_every_node_that_was_asked() {
    let status = http("200 OK", r#"{"node":7,"state":"serving","sessions":12,"x":1}"#);
    let (there, gone) = (answering(status), nobody());
    let (table, error) = fails(&["status", "--admin", &there, "--admin", &gone]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("node") && lines[1].starts_with("n7"), "{table}");
    assert!(lines[1].contains("12") && lines[1].ends_with(&there), "{table}");
    assert!(lines[2].contains("no answer") && lines[2].ends_with(&gone), "{table}");
    assert!(error.contains(&gone) && !error.contains(&there), "{error}");
}

#[test]
fn what_is_no_node_is_told_apart_from_one() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"no".to_owned();
    for (answer, said) in [
        (http("200 OK", "<html></html>"), "no admin listener"),
        (http("404 Not Found", "no such page"), "no admin listener"),
        (http("200 OK", "[]"), "no admin listener"),
        (http("200 OK", r#"{"node":"x"}"#), "no admin listener"),
        (cut, "before its answer was whole"),
        ("SSH-2.0-x\r\n".to_owned(), "before its answer was whole"),
    ] {
        let address = answering(answer);
        let (_, error) = fails(&["status", "--admin", &address]);
        assert!(error.contains(&address) && error.contains(said), "{error}");
    }
}

#[test]
fn what_a_node_refuses_is_said_in_its_own_words() {
    let refusal = http("400 Bad Request", r#"{"error":"an announcement has some text"}"#);
    let (_, error) = fails(&["announce", "", "--admin", &answering(refusal)]);
    assert!(error.contains("says no: an announcement has some text"), "{error}");
}

#[test]
fn a_drain_of_several_nodes_at_once_is_refused() {
    let (one, two) = (nobody(), nobody());
    let output = throughline(&["drain", "start", "--admin", &one, "--admin", &two]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("one after the other"), "{error}");
}
