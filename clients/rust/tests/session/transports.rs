//! The same session over every transport.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use throughline_client::{
    BoxStream, Client, ConnectError, Connecting, Connector, Event, Options, Target,
};
use throughline_link::LinkConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    message,
    node::{Act, Shared, TestNode, serve},
    options,
};

async fn echoes(mut client: Client) {
    for size in [0, 1, 1_000, 65_519] {
        let sent = vec![7; size];
        client.send(&sent).await.unwrap();
        assert_eq!(message(&mut client).await, sent, "{size} bytes");
    }
    assert_eq!(client.stats().received, 4);
    assert_eq!(client.stats().repairs, 0);
    assert!(client.server_time() > 1_700_000_000_000);
}

#[tokio::test]
async fn messages_travel_over_tcp() {
    let node = TestNode::start().await;
    echoes(Client::connect(options(&node)).await.unwrap()).await;
}

#[tokio::test]
async fn messages_travel_over_ipv6() {
    let node = TestNode::start_at("[::1]:0").await;
    let address = format!("[::1]:{}", node.address.port());
    echoes(Client::connect(Options::new([address]).kind("echo")).await.unwrap()).await;
}

#[tokio::test]
async fn messages_travel_over_websocket() {
    let node = TestNode::start().await;
    let address = format!("ws://{}/link", node.address);
    echoes(Client::connect(Options::new([address]).kind("echo")).await.unwrap()).await;
}

#[tokio::test]
async fn the_largest_frames_that_a_node_can_allow_travel_over_websocket() {
    let largest = 16 * 1024 * 1024;
    let config = LinkConfig {
        max_frame: largest,
        window_bytes: 2 * largest,
        retained_bytes: 2 * largest,
        ..LinkConfig::default()
    };
    let node = TestNode::start_with("127.0.0.1:0", config).await;
    let address = format!("ws://{}/link", node.address);
    let mut client = Client::connect(Options::new([address]).kind("echo")).await.unwrap();
    for size in [1_200_000, largest as usize - 17] {
        let sent = vec![7; size];
        client.send(&sent).await.unwrap();
        // Not `assert_eq`, which would print both.
        assert!(message(&mut client).await == sent, "{size} bytes");
    }
    assert_eq!(client.stats().repairs, 0);
}

#[tokio::test]
async fn a_text_message_breaks_a_websocket_and_is_repaired() {
    let node = TestNode::start().await;
    let address = format!("ws://{}/link", node.address);
    let mut client = Client::connect(Options::new([address]).kind("echo")).await.unwrap();
    node.act(Act::Text);
    assert_eq!(client.next().await, Event::RepairStarted);
    client.send("still here").await.unwrap();
    assert_eq!(message(&mut client).await, b"still here");
}

#[tokio::test]
async fn a_frame_that_spans_two_websocket_messages_breaks_the_connection_and_is_repaired() {
    let node = TestNode::start().await;
    let address = format!("ws://{}/link", node.address);
    let mut client = Client::connect(Options::new([address]).kind("echo")).await.unwrap();
    node.act(Act::Raw(vec![0, 0, 0, 9, 0x11]));
    assert_eq!(client.next().await, Event::RepairStarted);
    client.send("still here").await.unwrap();
    assert_eq!(message(&mut client).await, b"still here");
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_is_dead() {
    let node = TestNode::start().await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let options = Options::new([dead.to_string(), node.address.to_string()]).kind("echo");
    echoes(Client::connect(options).await.unwrap()).await;
}

#[tokio::test]
async fn what_is_no_node_is_given_up_after_all_tries() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let tries = Options::new([address]).kind("echo").tries(2);
    match Client::connect(tries).await {
        Err(ConnectError::Failed { tries: 2, last, saved: None }) => {
            assert_eq!(last.kind(), io::ErrorKind::InvalidData, "{last}");
        }
        other => panic!("{other:?}"),
    }
}

/// A connector without a network.
#[derive(Clone)]
pub(crate) struct Pipes(pub(crate) Arc<Shared>);

impl Connector for Pipes {
    fn connect(&self, target: Target) -> Connecting {
        assert!(target.tls && target.host == "node");
        let (ours, theirs) = tokio::io::duplex(4096);
        self.0.accepted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(Arc::clone(&self.0), Box::new(theirs), false));
        Box::pin(async move { Ok(Box::new(ours) as BoxStream) })
    }

    fn brings_tls(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_connector_of_the_application_carries_the_link() {
    let shared = Shared::new(LinkConfig::default());
    let options = Options::new(["tls://node:1"]).kind("echo").connector(Pipes(shared));
    echoes(Client::connect(options).await.unwrap()).await;
}

/// Reads for ever and says nothing after the Welcome.
#[derive(Clone)]
struct Falls(Pipes);

impl Connector for Falls {
    fn connect(&self, target: Target) -> Connecting {
        let (ours, mut middle) = tokio::io::duplex(4096);
        let node = self.0.connect(target);
        let first = self.0.0.accepted.load(Ordering::SeqCst) == 1;
        tokio::spawn(async move {
            let mut node = node.await.unwrap();
            if first {
                // Long enough for the handshake; then nothing passes, and nothing closes.
                let passing = tokio::io::copy_bidirectional(&mut middle, &mut node);
                let _ = tokio::time::timeout(Duration::from_secs(1), passing).await;
                std::future::pending::<()>().await;
            }
            let _ = tokio::io::copy_bidirectional(&mut middle, &mut node).await;
        });
        Box::pin(async move { Ok(Box::new(ours) as BoxStream) })
    }

    fn brings_tls(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn silence_of_two_heartbeats_is_a_break() {
    let start = tokio::time::Instant::now();
    let pipes = Pipes(Shared::new(LinkConfig::default()));
    let options = Options::new(["tls://node:1"]).kind("echo").connector(Falls(pipes));
    let mut client = Client::connect(options).await.unwrap();
    assert_eq!(client.next().await, Event::RepairStarted);
    assert!(start.elapsed() <= Duration::from_millis(5_100), "{:?}", start.elapsed());
    client.send("still here").await.unwrap();
    assert_eq!(message(&mut client).await, b"still here");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_an_idle_session_for_an_hour() {
    let pipes = Pipes(Shared::new(LinkConfig::default()));
    let options = Options::new(["tls://node:1"]).kind("echo").connector(pipes.clone());
    let mut client = Client::connect(options).await.unwrap();
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, client.next()).await.is_err(), "nothing happens");
    assert!(client.rtt().is_some());
    assert_eq!(client.stats().repairs, 0);
    assert_eq!(pipes.0.accepted.load(Ordering::SeqCst), 1);
}

/// What the node says comes later, by so much for each byte: a Pong sooner than a message.
#[derive(Clone)]
struct Far(Pipes, Duration);

impl Connector for Far {
    fn connect(&self, target: Target) -> Connecting {
        let (ours, middle) = tokio::io::duplex(4096);
        let (node, way) = (self.0.connect(target), self.1);
        tokio::spawn(async move {
            let (mut from_node, mut to_node) = tokio::io::split(node.await.unwrap());
            let (mut from_client, mut to_client) = tokio::io::split(middle);
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_node).await });
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = from_node.read(&mut bytes).await {
                tokio::time::sleep(way * u32::try_from(read).unwrap()).await;
                to_client.write_all(&bytes[..read]).await.unwrap();
            }
        });
        Box::pin(async move { Ok(Box::new(ours) as BoxStream) })
    }

    fn brings_tls(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_awaited_from_when_its_message_left_however_long_nothing_was_said() {
    let pipes = Pipes(Shared::new(LinkConfig::default()));
    let far = Far(pipes, Duration::from_millis(10));
    let options = Options::new(["tls://node:1"]).kind("echo").connector(far);
    let mut client = Client::connect(options).await.unwrap();
    // Around the moments at which a Ping is due.
    for ms in (2_300..2_700).step_by(7) {
        let quiet = tokio::time::timeout(Duration::from_millis(ms), client.next()).await;
        assert!(quiet.is_err(), "{ms} ms: {quiet:?}");
        client.send("still here").await.unwrap();
        assert_eq!(message(&mut client).await, b"still here", "{ms} ms");
    }
    assert_eq!(client.stats().repairs, 0);
}
