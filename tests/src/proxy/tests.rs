//! The proxy over real sockets, in front of a plain echo.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

/// A test that hangs longer than this has failed.
const HANG: Duration = Duration::from_secs(60);

const WHILE: Duration = Duration::from_secs(5);

/// A plain echo on a free port; it ends with the test's runtime.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    address
}

async fn watched() -> (Proxy, mpsc::Receiver<Fired>, TcpStream) {
    let (proxy, fired) = Proxy::watched(echo().await, Faults::none()).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    // Once an answer came, the proxy carries the connection and hears what is injected.
    assert_eq!(round(&mut client, b"?").await, b"?");
    (proxy, fired, client)
}

/// Sends the bytes and reads as many.
async fn round(client: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut answer = vec![0; bytes.len()];
    let (mut reader, mut writer) = client.split();
    let both = async { tokio::join!(writer.write_all(bytes), reader.read_exact(&mut answer)) };
    let (sent, read) = timeout(HANG, both).await.unwrap();
    sent.unwrap();
    read.unwrap();
    answer
}

/// Reads to the end; the bytes, and how it ended.
async fn rest(client: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = timeout(HANG, client.read_to_end(&mut bytes)).await.unwrap();
    (bytes, end.err().map(|error| error.kind()))
}

async fn next(fired: &mut mpsc::Receiver<Fired>) -> Kind {
    timeout(HANG, fired.recv()).await.unwrap().unwrap().kind
}

#[tokio::test]
async fn bytes_and_ends_pass_unchanged_without_faults() {
    let (proxy, _fired, mut client) = watched().await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    assert_eq!(round(&mut client, &bytes).await, bytes);
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, (vec![], None));
    assert_eq!((proxy.counters().connections, proxy.counters().breaks()), (1, 0));
}

#[tokio::test]
async fn cut_all_closes_every_connection_and_lets_new_ones_pass() {
    let (proxy, mut fired, mut first) = watched().await;
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    round(&mut second, b"?").await;
    proxy.cut_all();
    assert_eq!(rest(&mut first).await.0, b"");
    assert_eq!(rest(&mut second).await.0, b"");
    assert_eq!((next(&mut fired).await, next(&mut fired).await), (Kind::Cut, Kind::Cut));
    assert_eq!((proxy.counters().of(Kind::Cut), proxy.counters().breaks()), (2, 2));
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(round(&mut third, b"again").await, b"again");
}

#[tokio::test]
async fn a_reset_reaches_the_client_inside_what_was_sent() {
    let (proxy, mut fired, mut client) = watched().await;
    proxy.inject(Fault::Reset { point: 2 });
    // What was injected and what is sent race for the connection, so some of it may still come
    // back. Nothing is sent after the reset: a write would take the error that the read is to see.
    let (mut sent, mut back) = (0, Vec::new());
    let end = loop {
        if back.len() == sent {
            client.write_all(b"frame").await.unwrap();
            sent += 5;
        }
        match timeout(HANG, client.read_buf(&mut back)).await.unwrap() {
            Ok(count) => assert_ne!(count, 0, "closed, not reset"),
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(end, ErrorKind::ConnectionReset);
    assert!(back.len() < sent && b"frame".repeat(sent).starts_with(&back));
    assert_eq!(next(&mut fired).await, Kind::Reset);
    assert_eq!(proxy.counters().of(Kind::Reset), 1);
}

#[tokio::test]
async fn a_black_hole_keeps_the_connection_open_and_swallows() {
    for way in [Way::Up, Way::Down, Way::Both] {
        let (proxy, mut fired, mut client) = watched().await;
        proxy.inject(Fault::BlackHole(way));
        let mut swallowed = None;
        while swallowed.is_none() {
            client.write_all(b"x").await.unwrap();
            tokio::select! {
                fault = fired.recv() => swallowed = fault,
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(swallowed.map(|fired| fired.kind), Some(Fault::BlackHole(way).kind()));
        // From here on everything vanishes, so nothing of this ever comes back.
        client.write_all(b"lost").await.unwrap();
        proxy.cut_all();
        let (bytes, _) = rest(&mut client).await;
        assert!(bytes.iter().all(|&byte| byte == b'x'));
        assert_eq!((proxy.counters().breaks(), proxy.counters().of(Kind::Cut)), (1, 0));
    }
}

#[tokio::test]
async fn passing_faults_change_when_bytes_come_and_never_which() {
    let by = Duration::from_millis(5);
    for fault in [
        Fault::Delay { by, lasting: WHILE },
        Fault::Throttle { bytes_per_s: 20_000, lasting: WHILE },
        Fault::Split { lasting: WHILE },
    ] {
        let (proxy, mut fired, mut client) = watched().await;
        proxy.inject(fault);
        let mut seen = None;
        for number in 0_u32.. {
            let bytes = number.to_be_bytes().repeat(250);
            assert_eq!(round(&mut client, &bytes).await, bytes);
            if let Ok(fired) = fired.try_recv() {
                seen = Some(fired.kind);
                break;
            }
        }
        assert_eq!(seen, Some(fault.kind()));
    }
}

#[tokio::test]
async fn new_faults_reach_open_connections() {
    let (proxy, mut fired, mut client) = watched().await;
    let at_once = Duration::ZERO..Duration::from_micros(1);
    proxy.set(Faults { every: at_once, ..Faults::only(1, Kind::Cut) });
    assert_eq!(rest(&mut client).await.0, b"");
    assert_eq!(next(&mut fired).await, Kind::Cut);
    proxy.set(Faults::none());
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(round(&mut client, b"calm").await, b"calm");
}

#[tokio::test]
async fn dropping_the_proxy_closes_its_connections() {
    let (proxy, _fired, mut client) = watched().await;
    drop(proxy);
    assert_eq!(rest(&mut client).await.0, b"");
}

#[tokio::test]
async fn a_target_that_is_gone_is_a_reset_for_the_client() {
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(gone, Faults::none()).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(rest(&mut client).await, (vec![], Some(ErrorKind::ConnectionReset)));
    assert_eq!(proxy.counters().connections, 0);
}
