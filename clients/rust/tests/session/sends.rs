//! Limits of sending.

use throughline_client::{Event, SendError};

use crate::{connect, message, node::TestNode, until};

#[tokio::test]
async fn a_full_window_says_so_and_goes_on_when_the_node_has_handled() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    node.hold(true);
    for _ in 0..256 {
        client.try_send("x").unwrap();
    }
    assert_eq!(client.try_send("x"), Err(SendError::WouldBlock));
    client.flush().await;
    until(|| node.received(client.session_id()).len() == 256).await;
    node.hold(false);
    client.send("the last").await.unwrap();
    for _ in 0..256 {
        assert_eq!(message(&mut client).await, b"x");
    }
    assert_eq!(message(&mut client).await, b"the last");
}

#[tokio::test]
async fn sending_without_taking_is_refused_before_it_waits_for_ever() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    let mut sent = 0_u32;
    let refused = loop {
        match client.send(sent.to_be_bytes()).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SendError::WouldBlock);
    assert!(sent >= 512, "a window of events and one of messages, not {sent}");
    for number in 0..sent {
        assert_eq!(message(&mut client).await, number.to_be_bytes());
    }
}

#[tokio::test]
async fn a_message_that_fits_no_frame_is_refused_and_nothing_is_sent() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    let error = SendError::TooLarge { bytes: 65_520, limit: 65_519 };
    assert_eq!(client.try_send(vec![0; 65_520]), Err(error));
    assert_eq!(client.send(vec![0; 65_520]).await, Err(error));
    assert_eq!(client.stats().sent, 0);
}

#[tokio::test]
async fn a_batch_is_taken_without_waiting_in_between() {
    let node = TestNode::start().await;
    let mut client = connect(&node).await;
    for number in 0..100_u8 {
        client.try_send([number]).unwrap();
    }
    let (mut received, mut waits) = (0, 0);
    while received < 100 {
        let mut event = Some(client.next().await);
        waits += 1;
        while let Some(taken) = event {
            assert_eq!(taken, Event::Message(vec![received].into()));
            received += 1;
            event = client.try_next();
        }
    }
    assert!(waits < 100, "{waits}");
    let id = client.session_id();
    // Taken is handled: the acks leave while the client is driven.
    while node.unacked(id) > 0 {
        let tick = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(tick, client.next()).await.is_err());
    }
}
