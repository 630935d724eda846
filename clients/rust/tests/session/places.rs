//! Where a client goes: other nodes of the same cluster.

use std::{sync::Arc, time::Duration};

use throughline_client::{
    AddressError, AddressOrder, Client, CloseCode, ConnectError, Event, SendError,
};
use throughline_link::LinkConfig;
use tokio::net::TcpListener;

use crate::{
    connect, message,
    node::{Act, TestNode},
    options,
};

/// An address at which nothing listens: the port is reserved for what nobody runs any more.
const DEAD: &str = "127.0.0.1:1";

async fn advertising(advertise: String) -> TestNode {
    let config = LinkConfig { advertise: Some(advertise), ..LinkConfig::default() };
    TestNode::start_with("127.0.0.1:0", config).await
}

async fn echoes(client: &mut Client, text: &str) {
    client.send(text).await.unwrap();
    assert_eq!(message(client).await, text.as_bytes());
}

#[tokio::test]
async fn a_client_whose_node_is_gone_comes_back_through_the_balancer() {
    let node = advertising(DEAD.to_owned()).await;
    // The dead address is no try: one is enough.
    let mut client = Client::connect(options(&node).tries(1)).await.unwrap();
    echoes(&mut client, "before").await;
    client.cut();
    echoes(&mut client, "after").await;
    assert_eq!((node.count(), client.stats().repairs), (2, 1));
}

#[tokio::test]
async fn an_advertised_address_that_cannot_be_used_is_passed_over() {
    let node = advertising("tls://node-3.example:7778".to_owned()).await;
    let mut client = Client::connect(options(&node).tries(1)).await.unwrap();
    echoes(&mut client, "before").await;
    client.cut();
    echoes(&mut client, "after").await;
}

#[tokio::test]
async fn the_order_of_the_addresses_is_an_option() {
    for (order, expected) in
        [(AddressOrder::AdvertisedFirst, (1, 1)), (AddressOrder::ConfiguredOnly, (2, 0))]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = advertising(listener.local_addr().unwrap().to_string()).await;
        let own = TestNode::listen(listener, Arc::clone(&node.shared));
        let mut client = Client::connect(options(&node).address_order(order)).await.unwrap();
        echoes(&mut client, "before").await;
        client.cut();
        echoes(&mut client, "after").await;
        assert_eq!((node.count(), own.count()), expected, "{order:?}");
    }
}

#[tokio::test]
async fn a_node_that_restarts_sends_its_clients_to_another() {
    let node = TestNode::start().await;
    let other = node.another().await;
    let mut client = connect(&node).await;
    node.act(Act::Restarting(20, vec![DEAD.to_owned(), other.address.to_string()]));
    assert!(matches!(client.next().await, Event::Restarting { .. }));
    assert_eq!(client.next().await, Event::RepairStarted);
    assert!(matches!(client.next().await, Event::Repaired { .. }));
    echoes(&mut client, "here").await;
    assert_eq!((node.count(), other.count()), (1, 1));
}

#[tokio::test]
async fn a_connection_that_closes_before_the_restart_is_repaired_at_once() {
    let node = TestNode::start().await;
    let other = node.another().await;
    let mut client = connect(&node).await;
    // In an hour: a client that waited for it would not be back within this test.
    node.act(Act::Restarting(3_600_000, vec![other.address.to_string()]));
    assert!(matches!(client.next().await, Event::Restarting { .. }));
    client.send("on its way").await.unwrap();
    node.act(Act::Cut);
    assert_eq!(message(&mut client).await, b"on its way");
    assert_eq!(other.count(), 1);
}

#[tokio::test]
async fn a_resume_is_refused_for_good_only_with_a_final_reason() {
    for code in [CloseCode::Lost, CloseCode::Ended, CloseCode::Unknown, CloseCode::BadProof] {
        let node = TestNode::start().await;
        let mut client = connect(&node).await;
        echoes(&mut client, "before").await;
        node.refuse_next(CloseCode::NotYet, 1, "", None);
        node.refuse_next(code, 0, "for good", None);
        client.cut();
        assert_eq!(client.next().await, Event::RepairStarted);
        assert_eq!(client.next().await, Event::Ended(code, "for good".to_owned()));
        assert_eq!(client.send("more").await, Err(SendError::Ended));
        assert_eq!(node.count(), 3);
    }
}

#[tokio::test]
async fn refusals_of_a_login_have_their_time_too() {
    let node = TestNode::start().await;
    for _ in 0..1_000 {
        node.refuse_next(CloseCode::StoreDown, 1, "", None);
    }
    let short = options(&node).tries(1).total_time(Duration::from_millis(100));
    let failed = Client::connect(short).await;
    assert!(matches!(failed, Err(ConnectError::Failed { .. })), "{failed:?}");
}

#[tokio::test]
async fn fifty_moves_lose_and_repeat_nothing() {
    let node = TestNode::start().await;
    let nodes = [node.another().await, node.another().await];
    let mut client = connect(&node).await;
    let (mut sent, mut received) = (0_u32, 0_u32);
    for turn in 0..50 {
        while sent < (turn + 1) * 100 && client.try_send(sent.to_be_bytes()).is_ok() {
            sent += 1;
        }
        // What is under way, both ways, is lost with the connection.
        client.flush().await;
        client.move_to(nodes[turn as usize % 2].address.to_string()).unwrap();
        while received < sent {
            assert_eq!(message(&mut client).await, received.to_be_bytes());
            received += 1;
            if received % 90 == 0 {
                break;
            }
        }
    }
    while received < sent {
        assert_eq!(message(&mut client).await, received.to_be_bytes());
        received += 1;
    }
    assert_eq!((node.count(), nodes[0].count(), nodes[1].count()), (1, 25, 25));
    let all: Vec<_> = (0..sent).map(|number| number.to_be_bytes().to_vec()).collect();
    assert_eq!(node.received(client.session_id()), all);
}

#[tokio::test]
async fn what_an_old_connection_still_holds_is_not_read_after_a_move() {
    let node = TestNode::start().await;
    let other = node.another().await;
    let mut client = connect(&node).await;
    let id = client.session_id();
    echoes(&mut client, "x").await;
    for number in 0..100_u32 {
        node.act(Act::Push(number.to_be_bytes().to_vec()));
        crate::until(|| node.unacked(id) > number as usize).await;
    }
    // One is taken, so others are in the client's buffer; the node writes them all again.
    assert_eq!(message(&mut client).await, 0_u32.to_be_bytes());
    client.move_to(other.address.to_string()).unwrap();
    for number in 1..100_u32 {
        assert_eq!(message(&mut client).await, number.to_be_bytes());
    }
    assert_eq!((other.count(), client.stats().received), (1, 101));
}

#[tokio::test]
async fn a_move_to_a_node_that_is_gone_is_a_repair_like_any_other() {
    let node = TestNode::start().await;
    let mut client = Client::connect(options(&node).tries(1)).await.unwrap();
    client.move_to(DEAD).unwrap();
    echoes(&mut client, "still here").await;
    let refused = client.move_to("tls://node:1");
    assert_eq!(refused, Err(AddressError::NoTls));
    echoes(&mut client, "and here").await;
    assert_eq!((node.count(), client.stats().repairs), (2, 1));
}

#[tokio::test]
async fn a_handle_moves_its_session() {
    let node = TestNode::start().await;
    let other = node.another().await;
    let (handle, mut events) = connect(&node).await.spawn();
    handle.send("one").await.unwrap();
    handle.move_to(other.address.to_string()).await.unwrap();
    assert_eq!(handle.move_to("nowhere").await, Err(AddressError::NoPort));
    handle.send("two").await.unwrap();
    let mut messages = Vec::new();
    while messages.len() < 2 {
        if let Event::Message(bytes) = events.next().await.unwrap() {
            messages.push(bytes);
        }
    }
    assert_eq!(messages, ["one", "two"]);
    assert_eq!((node.count(), other.count()), (1, 1));
    handle.leave().await;
    while events.next().await.is_some() {}
    assert_eq!(handle.move_to(other.address.to_string()).await, Ok(()));
}
