//! Nodes are played by listeners; the balancer is real, and so are all connections.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::listen::header_of_client;

use super::rotation::Finding;
use super::*;

/// What a node looks like from outside.
struct Played {
    http: TcpListener,
    link: TcpListener,
    addresses: NodeAddresses,
    is_ready: Arc<AtomicBool>,
    /// What each health check was answered, sent right before the answer.
    answers: mpsc::UnboundedReceiver<bool>,
    _admin: JoinSet<()>,
}

impl Played {
    async fn node(is_ready: bool) -> Self {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (http, link, admin) =
            (bind().await.unwrap(), bind().await.unwrap(), bind().await.unwrap());
        let addresses = NodeAddresses {
            http: http.local_addr().unwrap(),
            link: link.local_addr().unwrap(),
            admin: admin.local_addr().unwrap(),
        };
        let is_ready = Arc::new(AtomicBool::new(is_ready));
        let (sender, answers) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(answer_checks(admin, Arc::clone(&is_ready), sender));
        Self { http, link, addresses, is_ready, answers, _admin: tasks }
    }

    /// Says from now on whether it is ready; returns when the balancer has noted it.
    async fn say_ready(&mut self, is_ready: bool) {
        self.is_ready.store(is_ready, Ordering::Relaxed);
        // A check begins only after the one before it was noted.
        for _ in 0..2 {
            while self.answers.recv().await.unwrap() != is_ready {}
        }
    }

    /// The next connection to its link address, and the client that the header tells.
    async fn accept(&self) -> (TcpStream, SocketAddr) {
        accept(&self.link).await
    }
}

async fn answer_checks(
    admin: TcpListener,
    is_ready: Arc<AtomicBool>,
    answers: mpsc::UnboundedSender<bool>,
) {
    loop {
        let (mut stream, _) = admin.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let is_ready = is_ready.load(Ordering::Relaxed);
        let _ = answers.send(is_ready);
        let status = if is_ready { "200 OK" } else { "503 Service Unavailable" };
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\nwhy\n").as_bytes()).await;
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let (mut stream, _) = listener.accept().await.unwrap();
    // Both addresses are IPv4 here.
    let mut header = [0; 28];
    stream.read_exact(&mut header).await.unwrap();
    let client = SocketAddr::from((
        <[u8; 4]>::try_from(&header[16..20]).unwrap(),
        u16::from_be_bytes([header[24], header[25]]),
    ));
    let server = SocketAddr::from((
        <[u8; 4]>::try_from(&header[20..24]).unwrap(),
        u16::from_be_bytes([header[26], header[27]]),
    ));
    assert_eq!(header[..], header_of_client(client, server)[..]);
    (stream, client)
}

/// A balancer that runs until this is dropped.
struct Running {
    http: SocketAddr,
    link: SocketAddr,
    rotation: Arc<Rotation>,
    _task: JoinSet<()>,
}

/// Starts a balancer. Nodes that are ready are known to be so from the beginning.
fn balance(nodes: &[&Played], from: Option<&str>) -> Running {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let balancer = Balancer::bind(&BalancerOptions {
        http: any,
        link: any,
        nodes: nodes.iter().map(|node| node.addresses).collect(),
        from: from.map(|from| from.parse().unwrap()),
    })
    .unwrap();
    let (http, link) = (balancer.http_address(), balancer.link_address());
    let rotation = Arc::clone(&balancer.rotation);
    for (index, node) in nodes.iter().enumerate() {
        if node.is_ready.load(Ordering::Relaxed) {
            rotation.note(index, Finding::Ready);
        }
    }
    let mut task = JoinSet::new();
    task.spawn(async move { balancer.serve(std::future::pending()).await.unwrap() });
    Running { http, link, rotation, _task: task }
}

impl Running {
    async fn client(&self) -> TcpStream {
        TcpStream::connect(self.link).await.unwrap()
    }
}

/// Which of the nodes the next connection comes to.
async fn next_of(nodes: &[&Played]) -> usize {
    let accepts = nodes.iter().enumerate().map(|(index, node)| {
        Box::pin(async move {
            node.accept().await;
            index
        })
    });
    futures_util::future::select_all(accepts).await.0
}

#[tokio::test]
async fn connections_go_to_all_nodes_in_turn() {
    let nodes = [Played::node(true).await, Played::node(true).await, Played::node(true).await];
    let nodes = [&nodes[0], &nodes[1], &nodes[2]];
    let balancer = balance(&nodes, None);
    let mut turns = Vec::new();
    for _ in 0..6 {
        let _client = balancer.client().await;
        turns.push(next_of(&nodes).await);
    }
    assert_eq!(turns[..3], turns[3..]);
    turns.sort_unstable();
    assert_eq!(turns, [0, 0, 1, 1, 2, 2]);
}

#[tokio::test]
async fn the_node_learns_where_the_client_is_on_both_listeners() {
    let node = Played::node(true).await;
    let balancer = balance(&[&node], None);
    for (at, listener) in [(balancer.http, &node.http), (balancer.link, &node.link)] {
        let mut client = TcpStream::connect(at).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let (mut served, peer) = accept(listener).await;
        assert_eq!(peer, client.local_addr().unwrap());
        let mut word = [0; 4];
        served.read_exact(&mut word).await.unwrap();
        served.write_all(&word).await.unwrap();
        client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nodes_are_reached_from_the_address_that_was_named() {
    let node = Played::node(true).await;
    let balancer = balance(&[&node], Some("127.0.0.2"));
    let _client = balancer.client().await;
    let (served, _) = node.accept().await;
    assert_eq!(served.peer_addr().unwrap().ip().to_string(), "127.0.0.2");
}

#[tokio::test]
async fn a_node_that_is_gone_costs_no_client_its_connection() {
    let [gone, stays] = [Played::node(true).await, Played::node(true).await];
    let balancer = balance(&[&gone, &stays], None);
    drop(gone);
    for _ in 0..4 {
        let _client = balancer.client().await;
        stays.accept().await;
    }
}

#[tokio::test]
async fn a_draining_node_keeps_its_connections_and_gets_no_more() {
    let [mut drains, stays] = [Played::node(true).await, Played::node(true).await];
    let balancer = balance(&[&drains, &stays], None);
    let mut clients = Vec::new();
    let mut served = None;
    while served.is_none() {
        clients.push(balancer.client().await);
        tokio::select! {
            (stream, _) = drains.accept() => served = Some(stream),
            _ = stays.accept() => {}
        }
    }
    drains.say_ready(false).await;
    for _ in 0..4 {
        let _client = balancer.client().await;
        stays.accept().await;
    }
    let (mut old, mut served) = (clients.pop().unwrap(), served.unwrap());
    old.write_all(b"still here").await.unwrap();
    let mut words = [0; 10];
    served.read_exact(&mut words).await.unwrap();
    assert_eq!(&words, b"still here");
    drains.say_ready(true).await;
    let nodes = [&drains, &stays];
    let mut turns = Vec::new();
    for _ in 0..2 {
        let _client = balancer.client().await;
        turns.push(next_of(&nodes).await);
    }
    turns.sort_unstable();
    assert_eq!(turns, [0, 1], "it is back");
}

#[tokio::test]
async fn with_no_node_ready_a_page_says_so_and_links_are_closed() {
    let node = Played::node(false).await;
    let balancer = balance(&[&node], None);
    let mut http = TcpStream::connect(balancer.http).await.unwrap();
    let mut link = balancer.client().await;
    http.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (mut page, mut nothing) = (String::new(), Vec::new());
    let (of_http, of_link) =
        tokio::join!(http.read_to_string(&mut page), link.read_to_end(&mut nothing));
    of_http.unwrap();
    of_link.unwrap();
    assert!(page.starts_with("HTTP/1.1 503 "), "{page}");
    assert!(page.contains("\r\nRetry-After: 1\r\n") && page.contains("No node"), "{page}");
    let body = page.split_once("\r\n\r\n").unwrap().1;
    assert!(page.contains(&format!("Content-Length: {}\r\n", body.len())), "{page}");
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_client_is_held_until_a_node_is_ready() {
    let node = Played::node(false).await;
    let balancer = balance(&[&node], None);
    let client = balancer.client().await;
    node.is_ready.store(true, Ordering::Relaxed);
    balancer.rotation.note(0, Finding::Ready);
    assert_eq!(node.accept().await.1, client.local_addr().unwrap());
}

#[tokio::test]
async fn half_a_close_is_passed_on_and_the_other_half_goes_on() {
    let node = Played::node(true).await;
    let balancer = balance(&[&node], None);
    let mut client = balancer.client().await;
    let (mut served, _) = node.accept().await;
    client.write_all(b"last words").await.unwrap();
    client.shutdown().await.unwrap();
    let mut heard = Vec::new();
    served.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"last words");
    served.write_all(b"an answer").await.unwrap();
    drop(served);
    heard.clear();
    client.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"an answer");
}

#[tokio::test]
async fn a_reset_is_passed_on_as_a_reset_both_ways() {
    let node = Played::node(true).await;
    let balancer = balance(&[&node], None);
    for is_of_client in [true, false] {
        let client = balancer.client().await;
        let (served, _) = node.accept().await;
        let (breaks, mut sees) = if is_of_client { (client, served) } else { (served, client) };
        breaks.set_zero_linger().unwrap();
        drop(breaks);
        let error = sees.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn what_a_node_said_before_it_closed_arrives_though_the_client_still_talks() {
    let node = Played::node(true).await;
    let balancer = balance(&[&node], None);
    let mut client = balancer.client().await;
    let (mut served, _) = node.accept().await;
    served.write_all(b"goodbye").await.unwrap();
    drop(served);
    let mut heard = [0; 7];
    // Into a closed connection, so that one direction breaks.
    let _ = client.write_all(&[b'x'; 100_000]).await;
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"goodbye");
}

#[tokio::test]
async fn more_than_the_buffers_hold_arrives_whole_both_ways_at_once() {
    let node = Played::node(true).await;
    let balancer = balance(&[&node], None);
    let mut client = balancer.client().await;
    let (mut served, _) = node.accept().await;
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|number| (number % 251) as u8).collect();
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let (mut from_client, mut to_client) = client.split();
    let (mut from_served, mut to_served) = served.split();
    tokio::join!(
        async {
            to_client.write_all(&bytes).await.unwrap();
            to_client.shutdown().await.unwrap();
        },
        async {
            to_served.write_all(&bytes).await.unwrap();
            to_served.shutdown().await.unwrap();
        },
        async { from_client.read_to_end(&mut down).await.unwrap() },
        async { from_served.read_to_end(&mut up).await.unwrap() },
    );
    assert!(up == bytes && down == bytes);
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_flag_that_changes_it() {
    let node = Played::node(true).await;
    let options = BalancerOptions {
        http: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        link: node.addresses.link,
        nodes: vec![node.addresses],
        from: None,
    };
    let text = Balancer::bind(&options).unwrap_err().to_string();
    assert!(text.contains("--link") && text.contains(&node.addresses.link.to_string()), "{text}");
}
