//! How a session does not begin, and how it ends.

use throughline_client::{Client, CloseCode, ConnectError, Event, SendError};

use crate::{
    connect, message,
    node::{Act, TestNode},
    options, until,
};

#[tokio::test]
async fn a_refused_login_tells_code_text_and_the_games_own_number() {
    let node = TestNode::start().await;
    node.refuse_next(CloseCode::LoginRefused, 0, "no such player", Some(7));
    match Client::connect(options(&node)).await {
        Err(ConnectError::Refused { code, text, game_code }) => {
            assert_eq!(code, CloseCode::LoginRefused);
            assert_eq!((text.as_str(), game_code), ("no such player", Some(7)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_end_comes_after_every_message_and_stays() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    client.send("first").await.unwrap();
    assert_eq!(message(&mut client).await, b"first");
    node.act(Act::Push(b"last".to_vec()));
    node.act(Act::End(CloseCode::Kicked));
    assert_eq!(client.next().await, Event::Message(b"last".as_slice().into()));
    for _ in 0..3 {
        assert_eq!(client.next().await, Event::Ended(CloseCode::Kicked, String::new()));
    }
    assert_eq!(client.try_next(), None);
    assert_eq!(client.send("more").await, Err(SendError::Ended));
    // So that it need not remember the session.
    until(|| node.is_over(client.session_id())).await;
}

#[tokio::test]
async fn leaving_writes_what_was_sent_and_tells_the_node() {
    for scheme in ["tcp", "ws"] {
        let node = TestNode::start().await;
        let address = format!("{scheme}://{}", node.address);
        let options = throughline_client::Options::new([address]).kind("echo");
        let mut client = Client::connect(options).await.unwrap();
        for number in 0..100_u8 {
            client.try_send([number; 1_000]).unwrap();
        }
        client.leave().await;
        assert_eq!(client.next().await, Event::Ended(CloseCode::Left, String::new()));
        let id = client.session_id();
        until(|| node.end_code(id) == Some(CloseCode::Left)).await;
        assert_eq!(node.received(id).len(), 100, "{scheme}");
    }
}

#[tokio::test]
async fn leaving_without_a_connection_ends_at_once() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    client.cut();
    client.leave().await;
    assert_eq!(client.next().await, Event::RepairStarted);
    assert_eq!(client.next().await, Event::Ended(CloseCode::Left, String::new()));
}

#[tokio::test]
async fn of_two_clients_of_one_session_the_later_one_goes_on() {
    let node = TestNode::start().await;
    let mut first = connect(&node).await;
    let mut second = Client::resume(options(&node), &first.export()).await.unwrap();
    assert!(matches!(first.next().await, Event::Ended(CloseCode::TakenOver, _)));
    second.send("mine").await.unwrap();
    assert_eq!(message(&mut second).await, b"mine");
}
