//! Messages that are no message of the game, in CBOR and in JSON.

use throughline_client::test_client::{CodecError, MessageCodec};
use throughline_client::{CloseCode, Options, TestClient};

use crate::{
    game,
    kinds::Tree,
    player::{self, Neighbour, join},
    watch,
};

#[derive(Debug)]
struct Cbor;

impl MessageCodec for Cbor {
    fn encode<T: serde::Serialize + ?Sized>(&self, message: &T) -> Result<Vec<u8>, CodecError> {
        let mut bytes = Vec::new();
        ciborium::into_writer(message, &mut bytes)?;
        Ok(bytes)
    }

    fn decode<T: serde::de::DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        Ok(ciborium::from_reader(bytes)?)
    }
}

async fn tin(node: &throughline::RunningNode, name: &str) -> TestClient<Cbor> {
    let options = Options::new([node.link_addresses()[0].to_string()]).kind("tin").login(name);
    TestClient::with_codec(options, Cbor).await.unwrap()
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    // One well-formed value, then something behind it.
    let trailing = vec![0x80, 0x80];
    vec![
        ("lengths that lie", [0x9a, 0xff, 0xff, 0xff, 0xff].repeat(400)),
        ("a length beyond the end", vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("nested too deep", [vec![0x81; 10_000], vec![0x80]].concat()),
        ("endless", vec![0x9f; 1_000]),
        ("bytes behind the value", trailing),
        ("another type", vec![0x63, b'a', b'b', b'c']),
        ("nothing", Vec::new()),
        ("a text that is none", vec![0x62, 0xff, 0xff]),
    ]
}

#[tokio::test]
async fn a_cbor_bomb_is_a_bad_message_and_harms_nobody() {
    let node = game::node(|config| config.node.workers = 1);
    let neighbour = Neighbour::join(&node).await;
    for (count, (what, bytes)) in bombs().into_iter().enumerate() {
        let mut bob = tin(&node, "bob").await;
        bob.send_bytes(&bytes).await.unwrap();
        let ended = watch::soon(what, bob.receive::<String>(watch::PATIENCE)).await.unwrap_err();
        assert!(ended.to_string().contains("BadMessage"), "{what}: {ended}");
        assert_eq!(node.counters().ended(CloseCode::BadMessage), count as u64 + 1, "{what}");
        neighbour.is_served().await;
    }
}

#[tokio::test]
async fn a_game_may_answer_what_it_cannot_read_and_loses_nothing() {
    let node = game::node(|_| {});
    let mut ann = tin(&node, "patient").await;
    for (what, bytes) in bombs() {
        ann.send_bytes(&bytes).await.unwrap();
        assert_eq!(ann.receive::<String>(watch::PATIENCE).await.unwrap(), "unreadable", "{what}");
    }
    ann.send(&Tree(vec![Tree(Vec::new()); 3])).await.unwrap();
    assert_eq!(ann.receive::<String>(watch::PATIENCE).await.unwrap(), "3 branches");
}

#[tokio::test]
async fn a_json_message_that_is_none_ends_its_session_as_a_bad_message() {
    let node = game::node(|_| {});
    let neighbour = Neighbour::join(&node).await;
    let deep = "[".repeat(50_000);
    let messages = ["", "{}", r#"{"Say":-1}"#, r#"{"Say":1}{"Say":2}"#, "\"Nonsense\"", &deep];
    for message in messages {
        let mut bob = join(&node, "bob").await;
        bob.send_bytes(message).await.unwrap();
        assert_eq!(player::end_of(&mut bob).await, CloseCode::BadMessage, "{message:.40}");
        neighbour.is_served().await;
    }
}
