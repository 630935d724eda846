//! Connections that break, and nodes that come back.

use super::*;

#[tokio::test]
async fn a_call_whose_connection_breaks_after_it_left_is_unknown_and_not_sent_again() {
    let (a, (listener, address)) = (Node::start(A, Manner::Echo), listen().await);
    let call = a.peers.call(B, &address, "first".into(), HANG);
    let mut stream = accept_as(B, &listener).await;
    assert!(matches!(next(&mut stream).await, Frame::Call { .. }));
    drop(stream);
    let error = within(call).await.unwrap_err();
    assert!(matches!(error, CallError::Broken { .. }) && error.is_unknown(), "{error}");

    let second = a.peers.call(B, &address, "second".into(), HANG);
    let mut stream = accept_as(B, &listener).await;
    let Frame::Call { call, payload, .. } = next(&mut stream).await else { panic!("no call") };
    assert_eq!(payload, "second");
    stream.send(&Frame::Answer { call, payload }).await.unwrap();
    assert_eq!(within(second).await, Ok("second".into()));
}

#[tokio::test]
async fn a_call_waits_while_a_broken_connection_is_made_anew() {
    let (a, (listener, address)) = (Node::start(A, Manner::Echo), listen().await);
    let call = a.peers.call(B, &address, "x".into(), HANG);
    // The first try ends before the handshake does.
    drop(within(listener.accept()).await.unwrap());
    let mut stream = accept_as(B, &listener).await;
    let Frame::Call { call: number, payload, .. } = next(&mut stream).await else {
        panic!("no call")
    };
    stream.send(&Frame::Answer { call: number, payload }).await.unwrap();
    assert_eq!(within(call).await, Ok("x".into()));
}

#[tokio::test]
async fn a_node_that_is_not_there_is_unreachable_before_the_deadline() {
    let (a, (listener, address)) = (Node::start(A, Manner::Echo), listen().await);
    drop(listener);
    let error = a.call(B, &address, "x").await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }) && !error.is_unknown(), "{error}");
    let error = a.call(B, "not an address", "x").await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
    assert_eq!(a.peers.counts().connections, 0);
}

#[tokio::test]
async fn another_incarnation_at_the_address_handles_nothing() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Echo));
    let former = Member { incarnation: 19, ..B };
    assert_eq!(a.call(former, &b.address, "x").await, Err(CallError::WrongPeer));
    assert_eq!(b.begun(), []);
    assert_eq!(a.call(B, &b.address, "x").await, Ok("x".into()));
}

#[tokio::test]
async fn a_node_that_restarts_at_its_address_is_found_as_its_new_incarnation() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Hold));
    let call = a.peers.call(B, &b.address, "left".into(), HANG);
    b.has_begun(1).await;
    b.peers.close();
    let error = within(call).await.unwrap_err();
    assert!(matches!(error, CallError::Broken { .. }), "{error}");

    let again = Member { incarnation: 21, ..B };
    let restart = async {
        loop {
            let config = PeerConfig { listen: Some(b.address.parse().unwrap()), ..config() };
            match Node::with(config, again, Manner::Echo) {
                Ok(node) => return node,
                // The former listener goes with the next turn of its task.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let c = within(restart).await;
    assert_eq!(a.call(B, &c.address, "x").await, Err(CallError::WrongPeer));
    assert_eq!(a.call(again, &c.address, "y").await, Ok("y".into()));
    assert_eq!(c.begun(), [(A, "y".into())]);
}

#[tokio::test]
async fn a_node_that_rejoins_closes_all_connections_and_makes_them_anew() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Hold));
    assert_eq!(b.call(A, &a.address, "x").await, Ok("x".into()));
    let call = a.peers.call(B, &b.address, "x".into(), HANG);
    b.has_begun(1).await;
    let again = Member { incarnation: 11, ..A };
    a.peers.set_me(again);
    let error = within(call).await.unwrap_err();
    assert!(matches!(error, CallError::Broken { .. }), "{error}");
    a.peers.tell(B, &b.address, "tell".into());
    b.has_begun(2).await;
    assert_eq!(b.begun()[1], (again, "tell".into()));
    // Others know it by its new name alone. The call may meet the connection before it closes.
    let error = b.call(A, &a.address, "x").await.unwrap_err();
    assert!(matches!(error, CallError::WrongPeer | CallError::Broken { .. }), "{error}");
    assert_eq!(b.call(A, &a.address, "x").await, Err(CallError::WrongPeer));
    assert_eq!(b.call(again, &a.address, "y").await, Ok("y".into()));
    assert_eq!(a.begun(), [(B, "x".into()), (B, "y".into())]);
}

#[tokio::test]
async fn a_node_that_falls_silent_is_given_up() {
    let by_the_dialer = async {
        let (a, (listener, address)) = (Node::start(A, Manner::Echo), listen().await);
        let call = a.peers.call(B, &address, "x".into(), HANG);
        let _stream = accept_as(B, &listener).await;
        let error = within(call).await.unwrap_err();
        assert_eq!(error, CallError::Broken { reason: "it is silent".to_owned() });
    };
    let by_the_acceptor = async {
        let b = Node::start(B, Manner::Echo);
        let mut stream = dial_as(A, B, &b.address).await;
        closed(&mut stream).await;
        assert_eq!(b.peers.counts().connections, 0);
    };
    tokio::join!(by_the_dialer, by_the_acceptor);
}

#[tokio::test]
async fn a_node_has_one_connection_even_if_its_former_one_is_half_open() {
    let b = Node::start(B, Manner::Echo);
    let mut former = dial_as(A, B, &b.address).await;
    let mut latter = dial_as(A, B, &b.address).await;
    closed(&mut former).await;
    let call = Frame::Call { call: 1, deadline: u64::MAX, payload: "x".into() };
    latter.send(&call).await.unwrap();
    assert_eq!(next(&mut latter).await, Frame::Answer { call: 1, payload: "x".into() });
    assert_eq!(b.peers.counts().connections, 1);
}

#[tokio::test]
async fn a_closed_node_lets_go_of_everything() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Hold));
    let call = a.peers.call(B, &b.address, "x".into(), HANG);
    b.has_begun(1).await;
    let mut stream = dial_as(B, A, &a.address).await;
    a.peers.close();
    assert!(within(call).await.unwrap_err().is_unknown());
    closed(&mut stream).await;
    let error = a.call(B, &b.address, "x").await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
    a.peers.tell(B, &b.address, "x".into());
    assert_eq!(a.peers.counts().dropped, 1);
    // Nothing keeps what handles its calls.
    let Node { served, peers, .. } = a;
    let let_go = async {
        while Arc::strong_count(&served) > 1 {
            tokio::task::yield_now().await;
        }
    };
    within(let_go).await;
    assert_eq!(peers.counts().connections, 0);
    // An answer that comes now goes nowhere.
    b.held().into_iter().for_each(|answer| answer.answer("late".into()));
}

#[tokio::test]
async fn a_node_that_stops_answers_what_it_has_begun() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Hold));
    let call = a.peers.call(B, &b.address, "x".into(), HANG);
    b.has_begun(1).await;
    b.peers.close();
    b.held().into_iter().for_each(|answer| answer.answer("late, and not too late".into()));
    within(b.peers.finish()).await;
    assert_eq!(within(call).await, Ok("late, and not too late".into()));
}

#[tokio::test]
async fn a_call_that_comes_after_the_last_one_of_a_node_that_stops_was_surely_not_handled() {
    let (a, (listener, address)) = (Node::start(A, Manner::Echo), listen().await);
    let calls: Vec<_> = (0..2).map(|_| a.peers.call(B, &address, "x".into(), HANG)).collect();
    let mut stream = accept_as(B, &listener).await;
    let Frame::Call { call: first, .. } = next(&mut stream).await else { panic!("no call") };
    let Frame::Call { call: second, .. } = next(&mut stream).await else { panic!("no call") };
    stream.send(&Frame::Answer { call: first, payload: "y".into() }).await.unwrap();
    stream.send(&Frame::Goodbye { last: first }).await.unwrap();
    assert!(second > first);
    let mut answers = Vec::new();
    for call in calls {
        answers.push(within(call).await);
    }
    assert_eq!(answers, [Ok("y".into()), Err(CallError::NotHandled)]);
}
