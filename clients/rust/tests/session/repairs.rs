//! Connections that break.

use throughline_client::{Client, CloseCode, ConnectError, Event};

use crate::{
    connect, message,
    node::{Act, TestNode},
    options,
};

/// Sends and receives numbers, one window of them under way, while connections break.
async fn count_to(client: &mut Client, count: u32, cut_every: u32) -> u64 {
    let (mut sent, mut received, mut repairs) = (0, 0, 0);
    while received < count {
        while sent < count && client.try_send(sent.to_be_bytes()).is_ok() {
            sent += 1;
        }
        match client.next().await {
            Event::Message(bytes) => {
                assert_eq!(bytes[..], received.to_be_bytes(), "in order, exactly once");
                received += 1;
                if received % cut_every == 0 {
                    client.cut();
                }
            }
            Event::RepairStarted => {}
            Event::Repaired { .. } => repairs += 1,
            other => panic!("{other:?}"),
        }
    }
    repairs
}

fn numbers(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|number| number.to_be_bytes().to_vec()).collect()
}

#[tokio::test]
async fn fifty_cuts_by_the_client_lose_and_repeat_nothing() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    let repairs = count_to(&mut client, 5_200, 100).await;
    assert!(repairs >= 50, "{repairs}");
    assert_eq!(node.received(client.session_id()), numbers(5_200));
}

#[tokio::test]
async fn fifty_cuts_inside_a_frame_lose_and_repeat_nothing() {
    let node = TestNode::start().await;
    // Every window of 256 messages breaks a connection while its echoes are written.
    node.cut_every(64);
    let mut client = Client::connect(options(&node).tries(1_000)).await.unwrap();
    let repairs = count_to(&mut client, 25_600, u32::MAX).await;
    assert!(repairs >= 50, "{repairs}");
    assert_eq!(node.received(client.session_id()), numbers(25_600));
}

#[tokio::test]
async fn fifty_cuts_over_websocket_lose_and_repeat_nothing() {
    let node = TestNode::start().await;
    let address = format!("ws://{}/link", node.address);
    let options = throughline_client::Options::new([address]).kind("echo");
    let mut client = Client::connect(options).await.unwrap();
    let repairs = count_to(&mut client, 5_200, 100).await;
    assert!(repairs >= 50, "{repairs}");
    assert_eq!(node.received(client.session_id()), numbers(5_200));
}

#[tokio::test]
async fn only_retry_tries_again_after_a_failed_repair() {
    let node = TestNode::start().await;
    let mut client = Client::connect(options(&node).tries(3)).await.unwrap();
    client.send("before").await.unwrap();
    assert_eq!(message(&mut client).await, b"before");
    node.close(true);
    assert_eq!(client.next().await, Event::RepairStarted);
    assert_eq!(client.next().await, Event::RepairFailed);
    client.send("meanwhile").await.unwrap();
    node.close(false);
    client.retry();
    assert!(matches!(client.next().await, Event::Repaired { .. }));
    assert_eq!(message(&mut client).await, b"meanwhile");
}

#[tokio::test]
async fn a_window_that_is_full_does_not_wait_for_a_repair_that_failed() {
    let node = TestNode::start().await;
    let mut client = Client::connect(options(&node).tries(1)).await.unwrap();
    node.close(true);
    while client.send("more").await.is_ok() {}
    assert_eq!(client.next().await, Event::RepairStarted);
    assert_eq!(client.next().await, Event::RepairFailed);
}

#[tokio::test]
async fn a_refusal_that_may_be_retried_is_waited_for() {
    let node = TestNode::start().await;
    node.refuse_next(CloseCode::Overloaded, 30, "busy", None);
    node.refuse_next(CloseCode::NotYet, 0, "", None);
    let mut client = Client::connect(options(&node).tries(1)).await.unwrap();
    // A connection that was of no use would count as a try.
    client.send("at last").await.unwrap();
    assert_eq!(message(&mut client).await, b"at last");
    node.refuse_next(CloseCode::StoreDown, 10, "", None);
    client.cut();
    client.send("after all").await.unwrap();
    assert_eq!(message(&mut client).await, b"after all");
    assert_eq!(client.stats().repairs, 1);
}

#[tokio::test]
async fn a_restarting_node_is_left_and_found_again() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    node.act(Act::Restarting(20, vec![]));
    assert!(matches!(client.next().await, Event::Restarting { .. }));
    assert_eq!(client.next().await, Event::RepairStarted);
    assert!(matches!(client.next().await, Event::Repaired { .. }));
}

#[tokio::test]
async fn an_exported_session_goes_on_in_another_client() {
    let node = TestNode::start().await;
    let mut first = connect(&node).await;
    node.hold(true);
    first.send("one").await.unwrap();
    first.send("two").await.unwrap();
    first.flush().await;
    crate::until(|| node.received(first.session_id()).len() == 2).await;
    first.send("three").await.unwrap();
    let (id, state) = (first.session_id(), first.export());
    drop(first);
    node.hold(false);
    let mut second = Client::resume(options(&node), &state).await.unwrap();
    assert_eq!(second.session_id(), id);
    second.send("four").await.unwrap();
    for expected in [b"one".as_slice(), b"two", b"three", b"four"] {
        assert_eq!(message(&mut second).await, expected);
    }
    let all = ["one", "two", "three", "four"].map(Vec::from);
    assert_eq!(node.received(id), all);
}

#[tokio::test]
async fn a_resume_that_fails_gives_back_what_to_resume_with() {
    let node = TestNode::start().await;
    let first = connect(&node).await;
    let (id, state) = (first.session_id(), first.export());
    drop(first);
    node.close(true);
    let failed = Client::resume(options(&node).tries(2), &state).await;
    let Err(ConnectError::Failed { tries: 2, saved: Some(saved), .. }) = failed else {
        panic!("{failed:?}");
    };
    node.close(false);
    let second = Client::resume(options(&node), saved.as_bytes()).await.unwrap();
    assert_eq!(second.session_id(), id);
}
