//! Clients that come through a load balancer, which tells where they are in a PROXY header.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::SinkExt;
use throughline::RunningNode;
use throughline_client::CloseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    game, journal,
    raw::{self, Seen, Wire},
    watch,
};

const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A header of version 1 for a client at this address.
fn line(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 203.0.113.1 5000 443\r\n").into_bytes()
}

/// A header of version 2 for a client at this address, with a name that nobody asked for.
fn binary(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13".to_vec();
    header.extend(client);
    header.extend([203, 0, 113, 1]);
    header.extend([5000_u16.to_be_bytes(), 443_u16.to_be_bytes()].concat());
    header.extend(b"\x02\0\x04play");
    header
}

fn trusting(config: &mut throughline::Config) {
    config.listen.proxy_from = vec!["127.0.0.0/8".into(), "::1".into()];
}

async fn connect(node: &RunningNode, header: &[u8]) -> Wire {
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    wire.write(header).await;
    wire
}

/// What the HTTP listener answers to these bytes, until it closes.
async fn answer(node: &RunningNode, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(node.http_addresses()[0]).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is refused may end with a reset.
    let _ = watch::soon("an answer", stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_address_in_the_header_is_the_clients() {
    let node = game::node(trusting);
    for header in [line("192.0.2.7"), binary([192, 0, 2, 7])] {
        let mut wire = connect(&node, &header).await;
        let seat = wire.log_in("parrot", "ann").await;
        let mut back = connect(&node, &[header, seat.resume(1, 0, 0)].concat()).await;
        assert!(back.welcome().await.resumed);
        journal::noted(seat.id, "repaired from 192.0.2.7").await;
    }
    let mut unknown = connect(&node, b"PROXY UNKNOWN\r\n").await;
    let seat = unknown.log_in("parrot", "ann").await;
    let mut back = connect(&node, &[LOCAL, &seat.resume(1, 0, 0)[..]].concat()).await;
    assert!(back.welcome().await.resumed);
    journal::noted(seat.id, "repaired from 127.0.0.1").await;
}

#[tokio::test]
async fn admission_goes_by_the_address_in_the_header() {
    let (sender, mut peers) = mpsc::unbounded_channel();
    let node = game::builder(|config| {
        trusting(config);
        config.limits.connections_per_address = 1;
    })
    .admit(move |arrival| {
        sender.send(arrival.peer).unwrap();
        Ok(())
    })
    .start()
    .unwrap();
    let mut first = connect(&node, &line("192.0.2.7")).await;
    first.log_in("parrot", "ann").await;
    assert_eq!(peers.recv().await, Some(SocketAddr::from(([192, 0, 2, 7], 5000))));
    let mut second = connect(&node, &binary([192, 0, 2, 7])).await;
    assert_eq!(second.code().await, CloseCode::Overloaded.number());
    let at = node.http_addresses()[0];
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(&binary([192, 0, 2, 8])).await.unwrap();
    let upgraded = tokio_tungstenite::client_async(format!("ws://{at}/link"), stream).await;
    let mut web = upgraded.unwrap().0;
    web.send(Message::binary(raw::hello("parrot", b"bob"))).await.unwrap();
    let peer = watch::soon("a login over WebSocket", peers.recv()).await;
    assert_eq!(peer, Some(SocketAddr::from(([192, 0, 2, 8], 5000))));
}

#[tokio::test]
async fn a_load_balancers_health_checks_are_answered() {
    let node = game::node(trusting);
    let ask = b"GET / HTTP/1.0\r\n\r\n";
    for header in [LOCAL, b"PROXY UNKNOWN\r\n", &line("192.0.2.7"), &binary([192, 0, 2, 7])] {
        let page = answer(&node, &[header, ask].concat()).await;
        assert!(page.starts_with("HTTP/1.0 "), "{page}");
    }
    // The simplest ones only open and close.
    drop(Wire::tcp(node.link_addresses()[0]).await);
    drop(TcpStream::connect(node.http_addresses()[0]).await.unwrap());
    let mut wire = connect(&node, LOCAL).await;
    wire.log_in("parrot", "ann").await;
    for code in CloseCode::ALL {
        assert_eq!(node.counters().refused(*code), 0, "{code}");
    }
}

#[tokio::test]
async fn p10_a_trusted_address_without_a_good_header_gets_no_further() {
    let node = game::node(trusting);
    let hello = raw::hello("parrot", b"ann");
    let bad: [&[u8]; 4] =
        [&hello, b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 nowhere\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31"];
    for (count, bytes) in (1..).zip(bad) {
        let mut wire = connect(&node, bytes).await;
        assert_eq!(wire.next().await, Seen::End(None));
        assert_eq!(answer(&node, bytes).await, "");
        assert_eq!(node.counters().refused(CloseCode::NotLink), count * 2);
    }
    assert_eq!(node.counts(), (0, 0));
}

#[tokio::test]
async fn a_header_is_not_waited_for_beyond_the_time_of_a_handshake() {
    let node = game::node(|config| {
        trusting(config);
        config.limits.handshake_time = Duration::from_millis(200);
    });
    let mut wire = connect(&node, b"PROXY TCP4 ").await;
    assert_eq!(wire.next().await, Seen::End(None));
    assert_eq!(answer(&node, b"").await, "");
    assert_eq!(node.counters().refused(CloseCode::HandshakeTimeout), 2);
}

#[tokio::test]
async fn p10_nobody_else_is_believed() {
    let node = game::node(|config| config.listen.proxy_from = vec!["10.0.0.0/8".into()]);
    for header in [line("192.0.2.7"), binary([192, 0, 2, 7])] {
        let mut wire = connect(&node, &header).await;
        wire.write(&raw::hello("parrot", b"ann")).await;
        assert!(matches!(wire.next().await, Seen::Refused { .. } | Seen::Close { .. }));
        let page = answer(&node, &[&header[..], b"GET / HTTP/1.0\r\n\r\n"].concat()).await;
        assert!(page.is_empty() || page.starts_with("HTTP/1.1 400 "), "{page}");
    }
    assert_eq!(node.counts(), (0, 0));
}

#[tokio::test]
async fn what_is_no_network_is_refused_with_the_settings_name() {
    let wrong = |config: &mut throughline::Config| {
        config.listen.proxy_from = vec!["10.0.0.0/40".into()];
    };
    let text = game::builder(wrong).start().unwrap_err().to_string();
    assert!(text.contains("listen.proxy-from") && text.contains("10.0.0.0/40"), "{text}");
}
