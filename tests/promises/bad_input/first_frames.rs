//! Connections that begin with something else than a good Hello or Resume.

use throughline_client::CloseCode;
use throughline_link::wire;

use crate::{
    game,
    player::Neighbour,
    raw::{self, Seen, Wire},
    watch,
};

/// A Hello with this preamble and these extensions, of the parrot.
fn hello(preamble: &[u8], extensions: &[u8]) -> Vec<u8> {
    let body = [preamble, b"\x06parrot\0\0\0\x03ann", extensions].concat();
    raw::frame(wire::HELLO, &body)
}

fn cases() -> Vec<(&'static str, Vec<u8>, CloseCode)> {
    let extensions =
        |tag: u16, count: usize| [&tag.to_be_bytes()[..], &[0, 0]].concat().repeat(count);
    let garbage: Vec<u8> =
        (0..2_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 1).collect();
    vec![
        ("wrong magic", hello(b"TLNX\x01\x01", b""), CloseCode::NotLink),
        ("magic of a resume", raw::frame(wire::RESUME, &[0; 80]), CloseCode::NotLink),
        ("later version", hello(b"TLNK\x02\x09", b""), CloseCode::UnsupportedVersion),
        ("version 0", hello(b"TLNK\x00\x00", b""), CloseCode::UnsupportedVersion),
        ("required extension", hello(b"TLNK\x01\x01", &extensions(0x8001, 1)), {
            CloseCode::UnknownExtension
        }),
        ("17 extensions", hello(b"TLNK\x01\x01", &extensions(0x0099, 17)), CloseCode::BadHandshake),
        ("half an extension", hello(b"TLNK\x01\x01", &[0, 1, 0]), CloseCode::BadHandshake),
        ("no end", raw::frame(wire::HELLO, b"TLNK\x01\x01\x06par"), CloseCode::BadHandshake),
        ("login that lies", raw::frame(wire::HELLO, b"TLNK\x01\x01\x01k\xff\xff\xff\xff"), {
            CloseCode::BadHandshake
        }),
        ("no kind", raw::hello("", b"ann"), CloseCode::BadHandshake),
        ("kind that is no text", raw::frame(wire::HELLO, b"TLNK\x01\x01\x02\xff\xff\0\0\0\0"), {
            CloseCode::BadHandshake
        }),
        ("unknown kind", raw::hello("penguin", b"ann"), CloseCode::UnknownKind),
        ("short resume", raw::frame(wire::RESUME, b"TLNK\x01\x01abc"), CloseCode::BadHandshake),
        ("data first", raw::frame(wire::DATA, &[0; 16]), CloseCode::ProtocolError),
        ("unknown type", raw::frame(0x42, b"abc"), CloseCode::ProtocolError),
        ("length 0", vec![0; 4], CloseCode::BadHandshake),
        ("length of 4 GiB", vec![0xff; 4], CloseCode::LoginTooLarge),
        ("garbage", garbage, CloseCode::LoginTooLarge),
    ]
}

#[tokio::test]
async fn every_bad_first_frame_gets_its_code_and_is_counted() {
    let node = game::node(|_| {});
    let neighbour = Neighbour::join(&node).await;
    for (what, bytes, code) in cases() {
        let before = node.counters().refused(code);
        for (name, mut wire) in Wire::each(&node).await {
            wire.write(&bytes).await;
            let seen = wire.next().await;
            // Codes of the 200s are said with Close, refusals with Refused.
            let found = match seen {
                Seen::Close { code, .. } if (200..300).contains(&code) => code,
                Seen::Refused { code, .. } if (300..400).contains(&code) => code,
                other => panic!("{what} over {name}: {other:?}"),
            };
            assert_eq!(found, code.number(), "{what} over {name}");
            match wire.next().await {
                Seen::End(Some(status)) => assert_eq!(status, 4_000 + code.number(), "{what}"),
                seen => assert_eq!((seen, name), (Seen::End(None), "tcp"), "{what}"),
            }
        }
        assert_eq!(node.counters().refused(code) - before, 2, "{what}");
        neighbour.is_served().await;
    }
}

#[tokio::test]
async fn a_text_message_instead_of_a_hello_is_refused() {
    let node = game::node(|_| {});
    let mut wire = Wire::web(node.http_addresses()[0]).await;
    wire.write_text("hello").await;
    assert_eq!(wire.code().await, CloseCode::TextFrame.number());
    watch::until("the count", || node.counters().refused(CloseCode::TextFrame) == 1).await;
}

#[tokio::test]
async fn http_and_tls_on_the_link_port_are_answered_in_their_own_words() {
    let node = game::node(|_| {});
    let neighbour = Neighbour::join(&node).await;
    let mut http = Wire::tcp(node.link_addresses()[0]).await;
    http.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = String::from_utf8(http.bytes_to_the_end().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
    // The beginning of a TLS ClientHello.
    let mut tls = Wire::tcp(node.link_addresses()[0]).await;
    tls.write(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
    let alert = tls.bytes_to_the_end().await;
    assert_eq!((alert[0], alert.len()), (0x15, 7), "a TLS alert");
    watch::until("the count", || node.counters().refused(CloseCode::NotLink) == 2).await;
    neighbour.is_served().await;
}

#[tokio::test]
async fn a_login_that_comes_too_late_is_refused_and_the_client_may_come_again() {
    let node = game::node(|config| {
        config.session.login_deadline = std::time::Duration::from_millis(100);
    });
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    wire.write(&raw::hello("parrot", b"hang")).await;
    match wire.next().await {
        Seen::Refused { code, retry_after_ms, .. } => {
            assert_eq!(code, CloseCode::HandshakeTimeout.number());
            assert!(retry_after_ms > 0);
        }
        other => panic!("{other:?}"),
    }
    watch::until("the count", || {
        node.counters().refused(CloseCode::HandshakeTimeout) == 1 && node.counts().1 == 0
    })
    .await;
}

#[tokio::test]
async fn what_follows_a_hello_too_early_harms_nobody() {
    let node = game::node(|_| {});
    let neighbour = Neighbour::join(&node).await;
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    // A Data frame that does not wait for its Welcome: not allowed, and not answered with harm.
    let early = raw::frame(wire::DATA, &[&1_u64.to_be_bytes()[..], &[0; 8], b"{}"].concat());
    wire.write(&[raw::hello("parrot", b"bob"), early].concat()).await;
    wire.welcome().await;
    neighbour.is_served().await;
}
