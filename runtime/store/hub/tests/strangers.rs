//! What a hub and a client do with bytes that they must not get: raw bytes, real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use bytes::BytesMut;
use throughline_store::MemoryStore;
use throughline_store_hub::{
    Address, ConnectError, Frame, Head, Hub, HubStore, Options, Secret, wire,
};

fn secret() -> Secret {
    Secret::new(*b"the secret of these tests").unwrap()
}

async fn serve() -> (Hub, TcpStream) {
    let address = "127.0.0.1:0".parse().unwrap();
    let hub = Hub::serve(Arc::new(MemoryStore::new()), secret(), &[address]).await.unwrap();
    let Address::Tcp(address) = hub.addresses()[0] else { panic!("not TCP") };
    let stream = TcpStream::connect(address).unwrap();
    (hub, stream)
}

fn written(frame: &Frame) -> BytesMut {
    let mut bytes = BytesMut::new();
    frame.write(&mut bytes);
    bytes
}

fn receive(stream: &mut TcpStream) -> Frame {
    let mut length = [0; Head::LENGTH_BYTES];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).unwrap();
    Frame::read(&body).unwrap()
}

/// Sends these bytes as a stranger; what the hub says before it closes the connection.
async fn say(bytes: Vec<u8>) -> (Frame, Hub) {
    let (hub, mut stream) = serve().await;
    let heard = tokio::task::spawn_blocking(move || {
        stream.write_all(&bytes).unwrap();
        let heard = receive(&mut stream);
        // Closed, or reset where bytes of ours were left unread.
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        heard
    });
    (heard.await.unwrap(), hub)
}

fn hello(version_min: u8, version_max: u8) -> Frame {
    Frame::Hello { version_min, version_max, nonce: [1; 32] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stranger_is_refused_before_memory_is_taken_for_a_frame() {
    // Four gigabytes, an HTTP request, a call without a handshake, a frame without a type.
    let call = written(&Frame::Get { call: 1, key: "k".into() }).to_vec();
    let cases = [vec![0xff; 4], b"GET / HTTP/1.1\r\n\r\n".to_vec(), call, vec![0; 4]];
    for bytes in cases {
        let (heard, hub) = say(bytes).await;
        assert!(matches!(heard, Frame::Refused { code: wire::REFUSED_MALFORMED, .. }), "{heard:?}");
        assert_eq!((hub.counts().refused, hub.counts().welcomed), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_of_another_version_is_told_so() {
    let newer = wire::VERSION_MAX + 1;
    let (heard, _hub) = say(written(&hello(newer, u8::MAX)).to_vec()).await;
    assert!(matches!(heard, Frame::Refused { code: wire::REFUSED_VERSION, .. }), "{heard:?}");
    let (heard, _hub) = say(written(&hello(0, 0)).to_vec()).await;
    assert!(matches!(heard, Frame::Refused { code: wire::REFUSED_VERSION, .. }), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_hubs_own_words_sent_back_prove_nothing() {
    let (hub, mut stream) = serve().await;
    let heard = tokio::task::spawn_blocking(move || {
        stream.write_all(&written(&hello(1, 1))).unwrap();
        let Frame::Challenge { version: 1, nonce } = receive(&mut stream) else {
            panic!("no challenge")
        };
        stream.write_all(&written(&Frame::Proof { proof: nonce })).unwrap();
        receive(&mut stream)
    });
    let heard = heard.await.unwrap();
    assert!(matches!(heard, Frame::Refused { code: wire::REFUSED_SECRET, .. }), "{heard:?}");
    assert_eq!(hub.counts().wrong_secrets, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_does_not_trust_a_hub_that_cannot_prove_the_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    let impostor = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let hello = receive(&mut stream);
        assert!(matches!(hello, Frame::Hello { .. }), "{hello:?}");
        let challenge = Frame::Challenge { version: 1, nonce: [2; 32] };
        stream.write_all(&written(&challenge)).unwrap();
        let Frame::Proof { proof } = receive(&mut stream) else { panic!("no proof") };
        // The best that it has: the client's own.
        stream.write_all(&written(&Frame::Welcome { proof })).unwrap();
    });
    let refused = HubStore::connect(Options::new(address, secret())).await;
    assert!(matches!(refused, Err(ConnectError::NotTheHub { .. })), "{refused:?}");
    impostor.await.unwrap();
}
