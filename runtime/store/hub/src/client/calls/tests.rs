//! The machine, fed by hand.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const WAITS: Waits = Waits {
    call: Duration::from_secs(5),
    read: Duration::from_secs(10),
    commit: Duration::from_secs(20),
};

fn commit(key: &'static str) -> Request {
    Request::Commit { batch: Batch::new().put(key, "") }
}

fn get(key: &'static str) -> Request {
    Request::Get { key: key.into() }
}

/// A machine that was asked these, in order; each caller is its index.
fn asked(requests: impl IntoIterator<Item = Request>) -> Calls<usize> {
    let mut calls = Calls::new(WAITS);
    for (caller, request) in requests.into_iter().enumerate() {
        calls.handle_call(Duration::ZERO, Duration::ZERO, request, caller);
    }
    calls
}

fn connect(calls: &mut Calls<usize>, now: Duration) -> BytesMut {
    calls.handle_connected(now);
    let mut out = BytesMut::new();
    calls.poll_transmit(now, &mut out);
    out
}

/// The numbers of the calls in a batch.
fn numbers(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(head) = crate::Head::read(bytes, bytes.len()).unwrap() {
        let (frame, rest) = bytes.split_at(head.frame_bytes());
        match Frame::read(&frame[4..]).unwrap() {
            Frame::Get { call, .. } | Frame::Commit { call, .. } | Frame::Scan { call, .. } => {
                numbers.push(call);
            }
            other => panic!("{other:?}"),
        }
        bytes = rest;
    }
    numbers
}

fn answers(calls: &mut Calls<usize>) -> Vec<(usize, &'static str)> {
    let mut answers = Vec::new();
    while let Some((caller, answer)) = calls.poll_answer() {
        let what = match answer {
            Answer::Commit(Ok(())) => "done",
            Answer::Commit(Err(CommitError::Unknown { .. })) => "unknown",
            Answer::Commit(Err(CommitError::Down(_)))
            | Answer::Get(Err(GetError::Down(_)))
            | Answer::Scan(Err(ScanError::Down(_))) => "down",
            Answer::Get(Ok(_)) => "value",
            Answer::Scan(Ok(_)) => "page",
            other => panic!("{other:?}"),
        };
        answers.push((caller, what));
    }
    answers.sort_unstable();
    answers
}

#[test]
fn a_commit_that_was_sent_is_unknown_when_its_connection_breaks_and_a_read_is_asked_again() {
    let mut calls = asked([commit("a"), get("b"), commit("c")]);
    let out = connect(&mut calls, Duration::ZERO);
    assert_eq!(numbers(&out), [1, 2, 3]);
    calls.handle_written(out.len());
    calls.handle_answer(Duration::ZERO, Frame::Done { call: 3 }).unwrap();
    calls.handle_broken(Break::Read, "killed".into());
    assert_eq!(answers(&mut calls), [(0, "unknown"), (2, "done")]);
    assert_eq!(numbers(&connect(&mut calls, SECOND)), [2]);
}

#[test]
fn a_commit_of_which_a_byte_had_not_left_is_sent_again() {
    let mut calls = asked([commit("a"), commit("b")]);
    let out = connect(&mut calls, Duration::ZERO);
    calls.handle_written(out.len() - 1);
    calls.handle_broken(Break::Read, "killed".into());
    assert_eq!(answers(&mut calls), [(0, "unknown")]);
    assert_eq!(numbers(&connect(&mut calls, SECOND)), [2]);
}

#[test]
fn after_a_write_that_failed_nothing_of_its_batch_is_surely_unsent() {
    let mut calls = asked([commit("a"), get("b")]);
    connect(&mut calls, Duration::ZERO);
    calls.handle_call(Duration::ZERO, Duration::ZERO, commit("later"), 2);
    calls.handle_broken(Break::Write, "broken pipe".into());
    assert_eq!(answers(&mut calls), [(0, "unknown")]);
    assert_eq!(numbers(&connect(&mut calls, SECOND)), [2, 3]);
}

#[test]
fn calls_wait_for_a_hub_that_is_away_then_nothing_of_them_was_written() {
    let mut calls = asked([commit("a"), get("b"), Request::Scan { scan: Scan::all() }]);
    assert!(calls.poll_timeout().is_some());
    assert!(!calls.handle_timeout(WAITS.call - SECOND));
    assert_eq!(answers(&mut calls), []);
    assert!(!calls.handle_timeout(WAITS.call));
    assert_eq!(answers(&mut calls), [(0, "down"), (1, "down"), (2, "down")]);
    assert_eq!(calls.poll_timeout(), None);
    // A call that waited elsewhere for as long is answered at once.
    calls.handle_call(WAITS.call, Duration::ZERO, commit("c"), 3);
    assert_eq!(answers(&mut calls), [(3, "down")]);
    assert!(numbers(&connect(&mut calls, WAITS.call)).is_empty());
}

#[test]
fn a_hub_that_answers_nothing_is_given_up_and_its_commits_are_unknown() {
    let mut calls = asked([commit("a"), get("b")]);
    let out = connect(&mut calls, Duration::ZERO);
    calls.handle_written(out.len());
    assert!(calls.handle_timeout(WAITS.read));
    assert_eq!(answers(&mut calls), [(1, "down")]);
    assert!(calls.handle_timeout(WAITS.commit));
    assert_eq!(answers(&mut calls), [(0, "unknown")]);
}

#[test]
fn a_slow_call_among_answered_ones_expires_alone() {
    let mut calls = asked([commit("a")]);
    connect(&mut calls, Duration::ZERO);
    calls.handle_call(SECOND, SECOND, get("b"), 1);
    calls.handle_answer(2 * SECOND, Frame::Value { call: 2, value: None }).unwrap();
    assert!(!calls.handle_timeout(WAITS.commit));
    assert_eq!(answers(&mut calls), [(0, "unknown"), (1, "value")]);
    // Its answer comes too late, and belongs to nobody.
    assert_eq!(calls.handle_answer(WAITS.commit, Frame::Done { call: 1 }), Ok(()));
    assert_eq!(answers(&mut calls), []);
}

#[test]
fn a_read_that_was_asked_again_keeps_its_first_deadline() {
    let mut calls = asked([get("a")]);
    for second in 1..9 {
        connect(&mut calls, second * SECOND);
        calls.handle_broken(Break::Read, "killed".into());
    }
    calls.handle_timeout(WAITS.read);
    assert_eq!(answers(&mut calls), [(0, "down")]);
}

#[test]
fn an_answer_of_another_kind_ends_the_connection() {
    let mut calls = asked([get("a"), commit("b")]);
    connect(&mut calls, Duration::ZERO);
    let done = calls.handle_answer(Duration::ZERO, Frame::Done { call: 1 });
    assert_eq!(done, Err(Violation::Kind));
    let value = calls.handle_answer(Duration::ZERO, Frame::Value { call: 2, value: None });
    assert_eq!(value, Err(Violation::Kind));
    let asked = calls.handle_answer(Duration::ZERO, Frame::Unwatch { watch: 1 });
    assert_eq!(asked, Err(Violation::Misplaced));
}

#[test]
fn a_page_is_cut_to_the_bounds_of_its_scan() {
    let mut calls = asked([Request::Scan { scan: Scan::all().entries_max(1) }]);
    connect(&mut calls, Duration::ZERO);
    let entry = |key: &'static str| Entry { key: key.into(), value: Bytes::new() };
    let entries = vec![entry("a"), entry("b")];
    let page = Frame::Page { call: 1, entries, next: None };
    calls.handle_answer(Duration::ZERO, page).unwrap();
    let Some((0, Answer::Scan(Ok(page)))) = calls.poll_answer() else { panic!("no page") };
    assert_eq!(page.next(), Some(&"b".into()));
    assert_eq!(page.entries(), [entry("a")]);
}
