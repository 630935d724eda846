//! A client that a task drives.

use std::time::Duration;

use throughline_client::{Client, ClientHandle, CloseCode, Event, Events, Options, SendError};
use throughline_link::LinkConfig;

use crate::{
    connect,
    node::{Act, Shared, TestNode},
    options,
    transports::Pipes,
    until,
};

/// Sends until neither the window nor the way to the task has room; how many there are.
async fn fill(handle: &ClientHandle) -> usize {
    let mut sent = 0;
    // The window, the way to the task, and the one message that the task holds.
    while sent < 256 + 256 + 1 {
        match handle.try_send(sent.to_string().into_bytes()) {
            Ok(()) => sent += 1,
            Err(error) => {
                assert_eq!(error, SendError::WouldBlock);
                tokio::task::yield_now().await;
            }
        }
    }
    sent
}

/// A client in the middle of an outage that it has given up, with nowhere left to send to.
async fn given_up(node: &TestNode) -> (ClientHandle, Events, usize) {
    let client = Client::connect(options(node).tries(1)).await.unwrap();
    let (handle, mut events) = client.spawn();
    node.close(true);
    assert_eq!(events.next().await, Some(Event::RepairStarted));
    let sent = fill(&handle).await;
    assert_eq!(events.next().await, Some(Event::RepairFailed));
    assert_eq!(handle.try_send("more"), Err(SendError::WouldBlock));
    (handle, events, sent)
}

#[tokio::test]
async fn a_retry_does_not_wait_behind_messages_that_wait_for_it() {
    let node = TestNode::start().await;
    let (handle, mut events, sent) = given_up(&node).await;
    node.close(false);
    handle.retry().await;
    assert!(matches!(events.next().await, Some(Event::Repaired { .. })));
    for number in 0..sent {
        let message = number.to_string().into_bytes();
        assert_eq!(events.next().await, Some(Event::Message(message.into())));
    }
}

#[tokio::test]
async fn a_client_that_gave_up_is_exported_cut_and_left_while_messages_wait() {
    let node = TestNode::start().await;
    let (handle, mut events, _) = given_up(&node).await;
    assert!(handle.export().await.is_some_and(|state| !state.is_empty()));
    handle.cut().await;
    handle.leave().await;
    let left = Event::Ended(CloseCode::Left, String::new());
    assert_eq!(events.next().await, Some(left));
    assert_eq!(events.next().await, None);
    assert_eq!(handle.send("more").await, Err(SendError::Ended));
}

// In virtual time: the time that leaving takes at most passes only when nothing else can happen.
#[tokio::test(start_paused = true)]
async fn what_was_sent_before_leaving_goes_first_though_the_window_is_full() {
    let node = TestNode::within(Shared::new(LinkConfig::default()));
    let options = Options::new(["tls://node:1"]).kind("echo").connector(Pipes(node.shared.clone()));
    let (handle, mut events) = Client::connect(options).await.unwrap().spawn();
    let id = handle.session_id();
    node.hold(true);
    let sent = fill(&handle).await;
    until(|| node.received(id).len() == 256).await;
    // Read, so that the acks among the answers are.
    let reading = async {
        node.hold(false);
        while events.next().await.is_some() {}
    };
    tokio::join!(handle.leave(), reading);
    until(|| node.end_code(id) == Some(CloseCode::Left)).await;
    assert_eq!(node.received(id).len(), sent);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_handles_nothing_does_not_keep_a_client_from_leaving() {
    let node = TestNode::within(Shared::new(LinkConfig::default()));
    let options = Options::new(["tls://node:1"]).kind("echo").connector(Pipes(node.shared.clone()));
    let (handle, mut events) = Client::connect(options).await.unwrap().spawn();
    node.hold(true);
    fill(&handle).await;
    let began = tokio::time::Instant::now();
    handle.leave().await;
    assert!(began.elapsed() <= Duration::from_millis(2_100), "{:?}", began.elapsed());
    let left = Event::Ended(CloseCode::Left, String::new());
    assert_eq!(events.next().await, Some(left));
}

#[tokio::test]
async fn a_task_drives_a_session_through_breaks() {
    let node = TestNode::start().await;
    let (handle, mut events) = connect(&node).await.spawn();
    let sender = handle.clone();
    let sending = tokio::spawn(async move {
        for number in 0..5_000_u32 {
            sender.send(number.to_be_bytes().to_vec()).await.unwrap();
            if number % 500 == 250 {
                sender.cut().await;
            }
        }
    });
    let mut expected = 0_u32;
    while expected < 5_000 {
        match events.next().await.unwrap() {
            Event::Message(bytes) => {
                assert_eq!(bytes[..], expected.to_be_bytes());
                expected += 1;
            }
            Event::RepairStarted | Event::Repaired { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    sending.await.unwrap();
    until(|| handle.stats().repairs >= 10).await;
    handle.leave().await;
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::Ended(CloseCode::Left, String::new())));
    assert_eq!(handle.send("more").await, Err(SendError::Ended));
}

#[tokio::test]
async fn what_the_application_has_not_taken_is_not_acknowledged() {
    let node = TestNode::start().await;
    let (handle, mut events) = connect(&node).await.spawn();
    let id = handle.session_id();
    for number in 0..600_u32 {
        node.act(Act::Push(number.to_be_bytes().to_vec()));
        until(|| node.unacked(id) == number as usize + 1).await;
    }
    for number in 0..600_u32 {
        assert_eq!(events.next().await, Some(Event::Message(number.to_be_bytes().to_vec().into())));
    }
    until(|| node.unacked(id) == 0).await;
}

#[tokio::test]
async fn dropping_the_events_ends_the_task() {
    let node = TestNode::start().await;
    let (handle, events) = connect(&node).await.spawn();
    drop(events);
    while handle.send("x").await.is_ok() {}
    let too_large = handle.try_send(vec![0; 65_520]);
    assert!(matches!(too_large, Err(SendError::TooLarge { .. })));
}
