use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n";

fn client() -> SocketAddr {
    "192.0.2.7:5000".parse().unwrap()
}

/// A connection: the load balancer's end, and the node's.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    proxy.set_nodelay(true).unwrap();
    (proxy, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn what_follows_the_header_stays_in_the_stream() {
    let server = "127.0.0.1:80".parse().unwrap();
    for header in [LINE.to_vec(), header_of_client(client(), server)] {
        let (mut proxy, mut node) = connection().await;
        proxy.write_all(&[&header[..], b"GET / HTTP/1.1\r\n"].concat()).await.unwrap();
        proxy.shutdown().await.unwrap();
        assert_eq!(read_header(&mut node).await.unwrap(), Some(client()));
        let mut rest = Vec::new();
        node.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"GET / HTTP/1.1\r\n");
    }
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    let server = "127.0.0.1:80".parse().unwrap();
    for header in [LINE.to_vec(), header_of_client(client(), server)] {
        let (mut proxy, mut node) = connection().await;
        let writing = async {
            for byte in &header {
                proxy.write_all(&[*byte]).await.unwrap();
                // The reader's turn.
                tokio::task::yield_now().await;
            }
            proxy.write_all(b"x").await.unwrap();
        };
        let (read, ()) = tokio::join!(read_header(&mut node), writing);
        assert_eq!(read.unwrap(), Some(client()));
        assert_eq!(node.read_u8().await.unwrap(), b'x');
    }
}

#[tokio::test]
async fn a_health_check_speaks_for_itself() {
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let (mut proxy, mut node) = connection().await;
        proxy.write_all(header).await.unwrap();
        assert_eq!(read_header(&mut node).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_connection_that_only_opens_and_closes_is_not_held_against_anybody() {
    let (proxy, mut node) = connection().await;
    drop(proxy);
    assert!(matches!(read_header(&mut node).await, Err(Unproxied::Silent)));
}

#[tokio::test]
async fn a_header_that_is_cut_off_or_wrong_is_refused() {
    let (mut proxy, mut node) = connection().await;
    proxy.write_all(&LINE[..20]).await.unwrap();
    drop(proxy);
    assert!(matches!(read_header(&mut node).await, Err(Unproxied::Cut)));
    let (mut proxy, mut node) = connection().await;
    proxy.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let read = read_header(&mut node).await;
    assert!(matches!(read, Err(Unproxied::Header(HeaderError::Missing))));
}
