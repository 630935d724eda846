//! Who knows no secret gets nowhere.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::peers::limits::{FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX};
use crate::peers::wire;

/// Says these bytes to the node, and hears all it answers before it closes the connection.
async fn say(node: &Node, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(&node.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    // A reset is an end, too.
    let _ = within(socket.read_to_end(&mut heard)).await;
    heard
}

async fn is_refused(other: PeerConfig) {
    let (a, b) = (Node::with(other, A, Manner::Echo).unwrap(), Node::start(B, Manner::Echo));
    a.peers.tell(B, &b.address, "x".into());
    for (from, to, to_member) in [(&a, &b, B), (&b, &a, A)] {
        let error = from.call(to_member, &to.address, "x").await.unwrap_err();
        let CallError::Unreachable { reason } = error else { panic!("{error}") };
        assert!(reason.contains("refuses the proof"), "{reason}");
        assert_eq!(to.begun(), []);
        let counts = to.peers.counts();
        assert!(counts.refused > 0 && counts.connections == 0, "{counts:?}");
    }
}

#[tokio::test]
async fn a_stranger_without_the_secret_gets_nowhere() {
    is_refused(PeerConfig { secret: Some([8; 16].into()), ..config() }).await;
}

#[tokio::test]
async fn a_node_of_another_cluster_is_refused() {
    is_refused(PeerConfig { cluster: "theirs".to_owned(), ..config() }).await;
}

#[tokio::test]
async fn garbage_and_oversize_frames_are_refused_before_memory_is_taken() {
    let b = Node::start(B, Manner::Echo);
    let too_long = u32::try_from(HANDSHAKE_BYTES_MAX + 1).unwrap().to_be_bytes();
    let mut call = bytes::BytesMut::new();
    Frame::Call { call: 1, deadline: u64::MAX, payload: "x".into() }.write(&mut call);
    let cases: [&[u8]; 5] = [&[0xff; 4], &too_long, &[0; 4], b"GET / HTTP/1.1\r\n\r\n", &call];
    let mut refused = bytes::BytesMut::new();
    Frame::Refused { code: wire::REFUSED_MALFORMED }.write(&mut refused);
    for bytes in cases {
        let heard = say(&b, bytes).await;
        // What it had not read makes the connection end with a reset, which may overtake this.
        assert!(heard.is_empty() || heard == refused, "{heard:?}");
    }
    assert_eq!(b.peers.counts().refused, 5);
    assert_eq!(b.begun(), []);
    let a = Node::start(A, Manner::Echo);
    assert_eq!(a.call(B, &b.address, "x").await, Ok("x".into()));
}

#[tokio::test]
async fn a_known_node_that_sends_what_is_no_frame_is_cut_off() {
    let b = Node::start(B, Manner::Echo);
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes();
    let cases: [&[u8]; 4] =
        [&too_long, &[0, 0, 0, 0], &[0, 0, 0, 1, 0x7f], &[0, 0, 0, 2, wire::CALL, 0]];
    for bytes in cases {
        let mut stream = dial_as(A, B, &b.address).await;
        stream.out.extend_from_slice(bytes);
        stream.send(&Frame::Ping).await.unwrap();
        closed(&mut stream).await;
    }
    assert_eq!(b.begun(), []);
}

#[tokio::test]
async fn a_recorded_proof_is_worth_nothing() {
    let a = Node::start(A, Manner::Echo);
    let (listener, address) = listen().await;
    let call = a.peers.call(B, &address, "x".into(), HANG);
    // A stranger at the address of B passes the words of A to the real one, and keeps them.
    let b = Node::start(B, Manner::Echo);
    let (mut dialer, _) = within(listener.accept()).await.unwrap();
    let mut real = TcpStream::connect(&b.address).await.unwrap();
    let mut hello = [0; 43];
    within(dialer.read_exact(&mut hello)).await.unwrap();
    real.write_all(&hello).await.unwrap();
    let mut challenge = [0; 38];
    within(real.read_exact(&mut challenge)).await.unwrap();
    dialer.write_all(&challenge).await.unwrap();
    let mut proof = [0; 61];
    within(dialer.read_exact(&mut proof)).await.unwrap();
    drop((dialer, listener));
    // Said again, they do not fit the nonce of another connection.
    let heard = say(&b, &[&hello[..], &proof].concat()).await;
    assert_eq!(heard[38..], [0, 0, 0, 2, wire::REFUSED, wire::REFUSED_PROOF]);
    assert_eq!(b.peers.counts().connections, 0);
    assert!(!within(call).await.unwrap_err().is_unknown());
}

#[tokio::test]
async fn a_node_that_listens_has_a_secret_long_enough() {
    let none = PeerConfig { secret: None, ..config() };
    assert!(matches!(Node::with(none, A, Manner::Echo).err(), Some(PeerError::NoSecret)));
    let short = PeerConfig { secret: Some([1; 15].into()), ..config() };
    let error = Node::with(short, A, Manner::Echo).err();
    assert!(matches!(error, Some(PeerError::SecretTooShort { bytes: 15 })));

    let alone = PeerConfig { secret: None, listen: None, ..config() };
    let alone = Node::with(alone, A, Manner::Echo).unwrap();
    assert_eq!(alone.peers.local_address(), None);
    let error = alone.call(B, "127.0.0.1:1", "x").await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
}
