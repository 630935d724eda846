//! A client that a task drives.

use throughline_client::{CloseCode, Event, SendError};

use crate::{
    connect,
    node::{Act, TestNode},
    until,
};

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
