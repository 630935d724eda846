//! Where clients come in.

use throughline::{Config, Node, Page};
use throughline_client::CloseCode;

use crate::{
    game, journal,
    player::{self, join_with, options},
    raw::{self, Wire},
};

#[tokio::test]
async fn several_listeners_at_once_serve_the_same_sessions() {
    let node = game::node(|config| {
        let free = |text: &str| text.parse().unwrap();
        config.listen.http = vec![free("127.0.0.1:0"), free("[::1]:0")];
        config.listen.link = vec![free("127.0.0.1:0"), free("127.0.0.1:0"), free("[::1]:0")];
    });
    let mut places: Vec<_> = node.link_addresses().iter().map(ToString::to_string).collect();
    places.extend(node.http_addresses().iter().copied().map(player::web));
    assert_eq!(places.len(), 5);
    assert!(places.iter().any(|place| place.starts_with("[::1]:")));
    let mut players = Vec::new();
    for place in &places {
        players.push(join_with(options(place, "ann")).await);
    }
    for player in &mut players {
        player::is_served(player).await;
    }
    assert_eq!(node.counts(), (5, 5));
}

#[tokio::test]
async fn a_session_goes_from_one_listener_and_transport_to_another() {
    let node = game::node(|config| config.listen.link.push("[::1]:0".parse().unwrap()));
    let (_wire, seat) = Wire::session(node.link_addresses()[0], "parrot", "ann").await;
    let mut places = vec![Wire::tcp(node.link_addresses()[1]).await];
    places.push(Wire::web(node.http_addresses()[0]).await);
    for (attempt, wire) in (1..).zip(&mut places) {
        wire.write(&seat.resume(attempt, 0, 0)).await;
        assert_eq!(wire.welcome().await.id, seat.id);
    }
    journal::noted(seat.id, "repaired from ::1").await;
}

#[tokio::test]
async fn the_advertised_address_is_told() {
    // Each client is told the one that it can use.
    let own = ["node-1.example:7778", "wss://node-1.example/link"];
    let node = game::node(|config| config.listen.advertise = own.map(String::from).into());
    for ((_, mut wire), own) in Wire::each(&node).await.into_iter().zip(own) {
        let seat = wire.log_in("parrot", "ann").await;
        assert_eq!(seat.address.as_deref(), Some(own));
    }
    let silent = game::node(|_| {});
    let (_, seat) = Wire::session(silent.link_addresses()[0], "parrot", "ann").await;
    assert_eq!(seat.address, None);
}

#[tokio::test]
async fn a_node_serves_only_the_kinds_it_is_told_to() {
    let node = game::node(|config| config.listen.kinds = vec!["tin".into()]);
    let mut wire = Wire::tcp(node.link_addresses()[0]).await;
    wire.write(&raw::hello("parrot", b"ann")).await;
    assert_eq!(wire.code().await, 306);
    Wire::session(node.link_addresses()[0], "tin", "ann").await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_flag_that_changes_it() {
    let node = game::node(|_| {});
    let taken = node.link_addresses()[0];
    let error = game::builder(|config| config.listen.link = vec![taken]).start().unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&taken.to_string()) && text.contains("--listen.link"), "{text}");
}

#[tokio::test]
async fn a_node_that_cannot_be_right_does_not_start() {
    let error = Node::builder(Config::default()).start().unwrap_err().to_string();
    assert!(error.contains("no session kind"), "{error}");
    let twice = game::builder(|_| {}).sessions::<crate::kinds::Tin>().start();
    assert!(twice.unwrap_err().to_string().contains("`tin` is registered twice"));
    let unknown = game::builder(|config| config.listen.kinds = vec!["penguin".into()]).start();
    assert!(unknown.unwrap_err().to_string().contains("penguin"));
    let wrong = game::builder(|config| config.link.retained_messages = 1).start();
    assert!(wrong.unwrap_err().to_string().contains("link.retained-messages"));
}

const PAGE: Page =
    Page { path: "/index.html", mime: "text/html; charset=utf-8", bytes: b"<title>parrot</title>" };

async fn request(address: std::net::SocketAddr, head: &str) -> String {
    let mut wire = Wire::tcp(address).await;
    wire.write(format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).await;
    String::from_utf8(wire.bytes_to_the_end().await).unwrap()
}

#[tokio::test]
async fn pages_are_served_beside_the_links() {
    let node = game::builder(|_| {}).pages(&[PAGE]).start().unwrap();
    let address = node.http_addresses()[0];
    for path in ["/", "/index.html"] {
        let page = request(address, &format!("GET {path} HTTP/1.1")).await;
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        assert!(page.ends_with("<title>parrot</title>"), "{page}");
    }
    let client = request(address, "GET /throughline/client.js HTTP/1.1").await;
    assert!(client.starts_with("HTTP/1.1 200 ") && client.contains("text/javascript"), "{client}");
    for (head, status) in [
        ("GET /nothing HTTP/1.1", "404"),
        ("GET /../Cargo.toml HTTP/1.1", "404"),
        ("POST / HTTP/1.1", "405"),
        ("GET /link HTTP/1.1", "426"),
    ] {
        let answer = request(address, head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
}

#[tokio::test]
async fn visitors_of_pages_keep_no_player_out() {
    let node = game::builder(|config| config.limits.handshakes = 2).pages(&[PAGE]).start().unwrap();
    let mut visitors = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::tcp(node.http_addresses()[0]).await;
        wire.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        wire.skip_text("<title>parrot</title>").await;
        visitors.push(wire);
    }
    for place in [node.link_addresses()[0].to_string(), player::web(node.http_addresses()[0])] {
        player::is_served(&mut join_with(options(place, "ann")).await).await;
    }
    assert_eq!(node.counters().refused(CloseCode::Overloaded), 0);
    // They are still served, too.
    for wire in &mut visitors {
        wire.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        wire.skip_text("<title>parrot</title>").await;
    }
}
