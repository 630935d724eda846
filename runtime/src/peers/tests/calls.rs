//! Calls and tells between nodes that are well.

use futures_util::FutureExt;

use super::*;
use crate::peers::limits::{
    ANSWER_BYTES_EXPECTED, ANSWER_BYTES_PAUSE, LINK_UNITS_MAX, PAYLOAD_BYTES_MAX,
};
use crate::peers::wire;

#[tokio::test]
async fn a_call_is_answered_and_a_tell_arrives_in_order() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Echo));
    a.peers.tell(B, &b.address, "first".into());
    assert_eq!(a.call(B, &b.address, "second").await, Ok("second".into()));
    assert_eq!(b.begun(), [(A, "first".into()), (A, "second".into())]);
    // The other way, over a connection of its own.
    assert_eq!(b.call(A, &a.address, "back").await, Ok("back".into()));
    let counts = a.peers.counts();
    assert_eq!((counts.calls, counts.tells, counts.handled, counts.dropped), (1, 1, 1, 0));
    assert_eq!((counts.connections, b.peers.counts().connections), (2, 2));
}

#[tokio::test]
async fn ten_thousand_calls_share_one_connection() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Echo));
    let call = |number: u32| {
        let payload = Bytes::copy_from_slice(&number.to_be_bytes());
        a.peers.call(B, &b.address, payload, HANG)
    };
    let calls: Vec<_> = (0..10_000).map(call).collect();
    for (number, call) in (0_u32..).zip(calls) {
        assert_eq!(within(call).await.unwrap(), number.to_be_bytes().as_slice());
    }
    assert_eq!((a.peers.counts().connections, b.peers.counts().connections), (1, 1));
    assert_eq!(b.begun().len(), 10_000);
}

#[tokio::test]
async fn what_waits_for_a_node_is_bounded_and_more_is_overloaded_at_once() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Hold));
    let call = || a.peers.call(B, &b.address, "x".into(), HANG);
    let calls: Vec<_> = (0..LINK_UNITS_MAX).map(|_| call()).collect();
    assert_eq!(call().now_or_never(), Some(Err(CallError::Overloaded)));
    a.peers.tell(B, &b.address, "x".into());
    assert_eq!(a.peers.counts().dropped, 1);
    // Another node is not affected.
    let c = Node::start(Member { node: NodeId(3), incarnation: 30 }, Manner::Echo);
    let to = Member { node: NodeId(3), incarnation: 30 };
    assert_eq!(a.call(to, &c.address, "x").await, Ok("x".into()));
    // A first window is begun, and no more, until some of it is answered.
    let window = ANSWER_BYTES_PAUSE / ANSWER_BYTES_EXPECTED;
    b.has_begun(window).await;
    assert_eq!(a.call(to, &c.address, "x").await, Ok("x".into()));
    assert_eq!(b.begun().len(), window);
    b.peers.close();
    for call in calls {
        let error = within(call).await.unwrap_err();
        assert!(matches!(error, CallError::Broken { .. } | CallError::Unreachable { .. }));
    }
    assert_eq!(b.begun().len(), window);
}

#[tokio::test]
async fn a_node_that_does_not_read_its_answers_does_not_grow_memory() {
    const ANSWER: usize = 256 * 1024;
    let b = Node::start(B, Manner::Answer(ANSWER));
    let mut stream = dial_as(A, B, &b.address).await;
    for call in 0..500 {
        stream.send(&Frame::Call { call, deadline: u64::MAX, payload: "x".into() }).await.unwrap();
    }
    b.has_begun(ANSWER_BYTES_PAUSE / ANSWER).await;
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    // What the sockets of both sides hold, and what is held for them: not 125 MiB.
    assert!(b.begun().len() < 250, "{}", b.begun().len());
    let mut count = 0;
    while count < 500 {
        stream.send(&Frame::Ping).await.unwrap();
        within(stream.ready(true)).await.unwrap();
        stream.try_read().unwrap();
        while let Some(frame) = frame::take(&mut stream.input, limits::FRAME_BYTES_MAX).unwrap() {
            count += usize::from(matches!(frame, Frame::Answer { .. }));
        }
    }
}

#[tokio::test]
async fn the_largest_payload_passes_both_ways_and_a_larger_one_neither() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Echo));
    let largest = Bytes::from(vec![5; PAYLOAD_BYTES_MAX]);
    let answer = within(a.peers.call(B, &b.address, largest.clone(), HANG)).await;
    assert!(answer == Ok(largest));
    let bytes = PAYLOAD_BYTES_MAX + 1;
    let larger = Bytes::from(vec![5; bytes]);
    let answer = within(a.peers.call(B, &b.address, larger, HANG)).await;
    assert_eq!(answer, Err(CallError::TooLarge { bytes }));

    let b = Node::start(B, Manner::Answer(bytes));
    let error = a.call(B, &b.address, "x").await.unwrap_err();
    assert!(error.is_unknown(), "{error}");
    assert_eq!(b.begun().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_was_surely_not_handled() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::GiveUp));
    assert_eq!(a.call(B, &b.address, "x").await, Err(CallError::NotHandled));
}

#[tokio::test]
async fn messages_of_a_refused_incarnation_are_not_handled() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Refuse(A)));
    a.peers.tell(B, &b.address, "tell".into());
    assert_eq!(a.call(B, &b.address, "call").await, Err(CallError::NotHandled));
    assert_eq!(b.begun(), []);
    assert_eq!(b.peers.counts().refused_messages, 2);
    // It joins again.
    let again = Member { incarnation: 11, ..A };
    a.peers.set_me(again);
    assert_eq!(a.call(B, &b.address, "call").await, Ok("call".into()));
    assert_eq!(b.begun(), [(again, "call".into())]);
}

#[tokio::test]
async fn a_mere_question_is_answered_to_a_refused_incarnation() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Refuse(A)));
    assert_eq!(a.call(B, &b.address, QUESTION).await, Ok(QUESTION.into()));
    a.peers.tell(B, &b.address, QUESTION.into());
    assert_eq!(a.call(B, &b.address, "call").await, Err(CallError::NotHandled));
    assert_eq!(b.begun(), [(A, QUESTION.into())], "a tell is no question");
}

#[tokio::test]
async fn an_expired_call_is_not_begun() {
    let b = Node::start(B, Manner::Echo);
    let mut stream = dial_as(A, B, &b.address).await;
    stream.send(&Frame::Call { call: 1, deadline: 0, payload: "x".into() }).await.unwrap();
    let failed = Frame::Failed { call: 1, code: wire::FAILED_EXPIRED };
    assert_eq!(next(&mut stream).await, failed);
    assert_eq!(b.begun(), []);
}

#[tokio::test]
async fn a_deadline_ends_a_call_that_is_not_answered() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Hold));
    let call = a.peers.call(B, &b.address, "x".into(), Duration::from_secs(2));
    b.has_begun(1).await;
    assert_eq!(within(call).await, Err(CallError::TimedOut));
    // The answer comes too late, and harms nothing.
    b.held().into_iter().for_each(|answer| answer.answer("late".into()));
    a.peers.tell(B, &b.address, "x".into());
    b.has_begun(2).await;
}

#[tokio::test]
async fn a_frame_of_a_later_version_is_ignored() {
    let b = Node::start(B, Manner::Echo);
    let mut stream = dial_as(A, B, &b.address).await;
    stream.send(&Frame::Ignored).await.unwrap();
    let call = Frame::Call { call: 1, deadline: u64::MAX, payload: "x".into() };
    stream.send(&call).await.unwrap();
    assert_eq!(next(&mut stream).await, Frame::Answer { call: 1, payload: "x".into() });

    let (a, (listener, address)) = (Node::start(A, Manner::Echo), listen().await);
    let call = a.peers.call(B, &address, "x".into(), HANG);
    let mut stream = accept_as(B, &listener).await;
    stream.send(&Frame::Ignored).await.unwrap();
    let Frame::Call { call: number, .. } = next(&mut stream).await else { panic!("no call") };
    stream.send(&Frame::Answer { call: number, payload: "y".into() }).await.unwrap();
    assert_eq!(within(call).await, Ok("y".into()));
}

#[tokio::test]
async fn calls_are_made_from_any_thread() {
    let (a, b) = (Node::start(A, Manner::Echo), Node::start(B, Manner::Echo));
    let (peers, address) = (a.peers.clone(), b.address.clone());
    let caller = tokio::task::spawn_blocking(move || {
        Handle::current().block_on(peers.call(B, &address, "x".into(), HANG))
    });
    assert_eq!(within(caller).await.unwrap(), Ok("x".into()));
}
