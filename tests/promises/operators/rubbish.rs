//! What no operator sends.

use super::http::{ask, get, post, send};
use super::{node, ready};
use crate::player;

#[tokio::test]
async fn an_unknown_path_gets_the_list_of_what_there_is() {
    let (_node, admin) = node(|_| {});
    let answer = get(admin, "/metrics.html").await;
    assert_eq!(answer.status, 404);
    let there_is = answer.json()["there_is"].to_string();
    for place in ["GET /healthz", "GET /status", "POST /announce", "POST /drain/stop"] {
        assert!(there_is.contains(place), "{place} is missing in {there_is}");
    }
}

#[tokio::test]
async fn a_wrong_method_gets_the_right_one() {
    let (_node, admin) = node(|_| {});
    for (method, path, allowed) in [
        ("POST", "/status", "allow: get"),
        ("GET", "/announce", "allow: post"),
        ("PUT", "/drain", "allow: get, post"),
        ("GET", "/maintenance", "allow: post, delete"),
    ] {
        let answer = ask(admin, method, path, &[], "").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.head.contains(allowed), "{}", answer.head);
    }
}

#[tokio::test]
async fn bad_parameters_are_refused_with_what_was_expected() {
    let (_node, admin) = node(|_| {});
    for (path, expected) in [
        ("/sessions/7/kick", "32 hexadecimal digits"),
        ("/sessions/00112233445566778899aabbccddeeff/kick?reason=x", "kicked or ended"),
        ("/maintenance?retry-after=-1s", "such as 5s"),
        ("/maintenance?after=1s", "retry-after"),
        ("/drain?rate=fast", "a number"),
    ] {
        let answer = post(admin, path, "").await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.error().contains(expected), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn an_announcement_has_some_text_and_not_too_much() {
    let (_node, admin) = node(|_| {});
    assert_eq!(post(admin, "/announce", "").await.status, 400);
    assert_eq!(post(admin, "/announce", " \n").await.status, 400);
    assert_eq!(post(admin, "/announce", &"x".repeat(4 * 1024)).await.status, 200);
    let answer = post(admin, "/announce", &"x".repeat(4 * 1024 + 1)).await;
    assert_eq!(answer.status, 413);
    assert!(answer.error().contains("4096"), "{answer:?}");
    let mut bytes = b"POST /announce HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\
        Connection: close\r\n\r\n"
        .to_vec();
    bytes.extend([0xff, 0xfe]);
    let answer = send(admin, &bytes).await;
    assert_eq!(answer.status, 400);
    assert!(answer.error().contains("UTF-8"), "{answer:?}");
}

#[tokio::test]
async fn a_page_in_a_browser_can_order_nothing() {
    let (node, admin) = node(|_| {});
    let mut ann = player::join(&node, "ann").await;
    let kick = format!("/sessions/{}/kick", ann.client().session_id());
    for header in [
        "Origin: https://example.com",
        "Origin: null",
        "Origin: http://127.0.0.1:7779",
        "Host: example.com",
        "Host: example.com:7779",
        "Host: 127.0.0.1.example.com",
    ] {
        for (method, path) in
            [("POST", kick.as_str()), ("POST", "/maintenance"), ("GET", "/status")]
        {
            let answer = ask(admin, method, path, &[header], "").await;
            assert_eq!(answer.status, 403, "{header} {method} {path}");
        }
    }
    player::is_served(&mut ann).await;
    player::is_served(&mut player::join(&node, "bob").await).await;
    assert_eq!(ask(admin, "POST", &kick, &["Host: localhost:80"], "").await.status, 200);
}

#[tokio::test]
async fn what_is_no_request_disturbs_nobody() {
    let (_node, admin) = node(|_| {});
    ready(admin).await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20 * 1024));
    for bytes in [&b"\0\0\0\0\r\n\r\n"[..], b"GET\r\n\r\n", long.as_bytes()] {
        let answer = send(admin, bytes).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(get(admin, "/healthz").await.status, 200);
}

#[tokio::test]
async fn one_connection_too_many_is_turned_away_and_the_others_are_served() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// What the listener takes at once.
    const CONNECTIONS_MAX: usize = 64;
    const ASK: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

    let (_node, admin) = node(|_| {});
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        // Answered, so it has its place, and stays open.
        stream.write_all(ASK).await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        held.push(stream);
    }
    let mut bytes = Vec::new();
    let mut extra = TcpStream::connect(admin).await.unwrap();
    extra.read_to_end(&mut bytes).await.unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 503"), "{}", bytes.escape_ascii());
    for stream in &mut held {
        stream.write_all(ASK).await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
    }
}
