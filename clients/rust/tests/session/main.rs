//! A client against a node on loopback sockets: what a game sees of breaks, refusals and limits.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod ends;
mod node;
mod places;
mod repairs;
mod sends;
mod spawned;
mod test_client;
mod transports;

use std::time::Duration;

use throughline_client::{Client, Event, Options};

use node::TestNode;

/// Options that repair fast, for a node on loopback.
fn options(node: &TestNode) -> Options {
    Options::new([node.address.to_string()])
        .kind("echo")
        .login("ann")
        .backoff(Duration::from_millis(1), Duration::from_millis(10))
}

async fn connect(node: &TestNode) -> Client {
    Client::connect(options(node)).await.unwrap()
}

/// The next message, whatever happens to the connection before it.
async fn message(client: &mut Client) -> Vec<u8> {
    loop {
        match client.next().await {
            Event::Message(bytes) => return bytes.to_vec(),
            Event::RepairStarted | Event::Repaired { .. } | Event::Restarting { .. } => {}
            other => panic!("a message was expected, not {other:?}"),
        }
    }
}

/// Waits for the node to have seen what a test is about; it is another task.
async fn until(mut seen: impl FnMut() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(10);
    while !seen() {
        assert!(tokio::time::Instant::now() < patience, "the node did not see it in 10 s");
        tokio::task::yield_now().await;
    }
}
