//! The client for tests: it says what came instead of what was expected.

use std::time::Duration;

use throughline_client::{CloseCode, Event, TestClient, test_client::TestError};

use crate::{
    node::{Act, TestNode},
    options,
};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn typed_messages_are_sent_received_and_expected_over_cuts() {
    let node = TestNode::start().await;
    let mut ann = TestClient::connect(options(&node)).await.unwrap();
    ann.send(&("move", 3)).await.unwrap();
    ann.cut();
    let echo: (String, u32) = ann.receive(SOON).await.unwrap();
    assert_eq!(echo, ("move".to_owned(), 3));
    for number in 0..5_u32 {
        ann.send(&number).await.unwrap();
    }
    assert_eq!(ann.expect(|&number: &u32| number == 3).await.unwrap(), 3);
    assert_eq!(ann.receive::<u32>(SOON).await.unwrap(), 4);
    ann.send_bytes([0, 159]).await.unwrap();
    assert!(matches!(ann.receive::<u32>(SOON).await, Err(TestError::Decode { .. })));
    assert!(ann.stats().repairs >= 1);
}

#[tokio::test]
async fn what_does_not_come_is_an_error_that_says_what_did() {
    let node = TestNode::start().await;
    let mut ann = TestClient::connect(options(&node)).await.unwrap();
    let tick = Duration::from_millis(1);
    let error = ann.receive_bytes(tick).await.unwrap_err();
    assert_eq!(error.to_string(), "waited 1ms in vain; 0 other messages came, the last: none");
    assert_eq!(ann.next_event(tick).await, None);
    node.act(Act::End(CloseCode::Idle));
    assert!(matches!(ann.next_event(SOON).await, Some(Event::Ended(CloseCode::Idle, _))));
    assert!(matches!(ann.receive_bytes(SOON).await, Err(TestError::Ended(CloseCode::Idle, _))));
}
