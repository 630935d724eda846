//! In virtual time.

use std::time::Duration;

use super::*;

const START: Instant = Instant::from_micros(10_000_000);

fn after(time: Duration) -> Instant {
    START + time
}

fn call(call: u64, payload: &'static [u8]) -> Frame {
    Frame::Call { call, deadline: u64::MAX, payload: Bytes::from_static(payload) }
}

fn sent(serving: &mut Serving, now: Instant) -> Vec<Frame> {
    let mut out = BytesMut::new();
    serving.poll_transmit(now, &mut out);
    serving.handle_written(now, out.len());
    let mut frames = Vec::new();
    while let Some(frame) = crate::peers::frame::take(&mut out, usize::MAX).unwrap() {
        frames.push(frame);
    }
    frames
}

#[test]
fn a_call_is_handled_and_answered_by_its_number() {
    let mut serving = Serving::new(START);
    for number in [7, 8, 9] {
        let asked = serving.handle_frame(START, call(number, b"q")).unwrap();
        assert_eq!(asked, Asked::Call { call: number, payload: "q".into() });
    }
    serving.handle_answer(9, Some("a".into())).unwrap();
    serving.handle_answer(7, None).unwrap();
    let answers = [
        Frame::Answer { call: 9, payload: "a".into() },
        Frame::Failed { call: 7, code: wire::FAILED_NOT_HANDLED },
    ];
    assert_eq!(sent(&mut serving, START), answers);
    assert!(sent(&mut serving, START).is_empty());
}

#[test]
fn an_expired_call_is_not_begun() {
    let mut serving = Serving::new(START);
    let deadline = START.as_micros();
    let frame = Frame::Call { call: 1, deadline, payload: "q".into() };
    assert_eq!(serving.handle_frame(START, frame), Ok(Asked::Nothing));
    let failed = Frame::Failed { call: 1, code: wire::FAILED_EXPIRED };
    assert_eq!(sent(&mut serving, START), [failed]);
}

/// As many calls as are admitted; the first unused number.
fn fill(serving: &mut Serving, mut number: u64) -> u64 {
    while serving.admits(20) {
        serving.handle_frame(START, call(number, b"")).unwrap();
        number += 1;
    }
    number
}

#[test]
fn the_window_is_bounded_by_calls_and_opens_once_answers_are_seen_to_be_small() {
    let mut serving = Serving::new(START);
    let count = fill(&mut serving, 0);
    assert_eq!(count, (ANSWER_BYTES_PAUSE / ANSWER_BYTES_EXPECTED) as u64);
    for number in 0..100 {
        serving.handle_answer(number, Some("small".into())).unwrap();
    }
    sent(&mut serving, START);
    let count = fill(&mut serving, count);
    assert_eq!(count, 100 + WINDOW_CALLS_MAX as u64);
    // An answer makes room when it leaves.
    serving.handle_answer(100, Some(Bytes::new())).unwrap();
    assert!(!serving.admits(20));
    sent(&mut serving, START);
    assert!(serving.admits(20));
}

#[test]
fn the_window_is_bounded_by_bytes_and_the_largest_frame_always_gets_in() {
    static MIB: [u8; 1 << 20] = [0; 1 << 20];
    let mut serving = Serving::new(START);
    assert!(serving.admits(HANDLED_BYTES_MAX + 1));
    for number in 0..16 {
        assert!(serving.admits(MIB.len()));
        serving.handle_frame(START, call(number, &MIB)).unwrap();
    }
    assert!(!serving.admits(1));
    serving.handle_answer(0, None).unwrap();
    assert!(serving.admits(MIB.len()));
}

#[test]
fn a_node_that_does_not_read_its_answers_is_paused() {
    let mut serving = Serving::new(START);
    let answer = Bytes::from(vec![0; 1 << 20]);
    let mut count = fill(&mut serving, 0);
    for number in 0..count - 1 {
        serving.handle_answer(number, None).unwrap();
    }
    serving.handle_answer(count - 1, Some(answer.clone())).unwrap();
    sent(&mut serving, START);
    // From here on nothing leaves.
    let start = count;
    while serving.admits(20) {
        serving.handle_frame(START, call(count, b"")).unwrap();
        serving.handle_answer(count, Some(answer.clone())).unwrap();
        count += 1;
    }
    assert_eq!((count - start) as usize, ANSWER_BYTES_PAUSE / answer.len());
    assert!(serving.answer_bytes <= ANSWER_BYTES_PAUSE);
}

#[test]
fn a_first_window_of_large_snapshots_is_sent_and_a_larger_one_closes_the_connection() {
    let mut serving = Serving::new(START);
    let count = fill(&mut serving, 0);
    let snapshot = Bytes::from(vec![0; 256 * 1024]);
    for number in 0..count {
        serving.handle_answer(number, Some(snapshot.clone())).unwrap();
    }
    let mut serving = Serving::new(START);
    let count = fill(&mut serving, 0);
    let large = Bytes::from(vec![0; 512 * 1024]);
    let fault = (0..count).find_map(|n| serving.handle_answer(n, Some(large.clone())).err());
    assert_eq!(fault, Some(Fault::TooSlow));
}

#[test]
fn an_answer_too_large_for_a_frame_is_told_as_handled() {
    let mut serving = Serving::new(START);
    serving.handle_frame(START, call(1, b"")).unwrap();
    let answer = Bytes::from(vec![0; PAYLOAD_BYTES_MAX + 1]);
    serving.handle_answer(1, Some(answer)).unwrap();
    let failed = Frame::Failed { call: 1, code: wire::FAILED_TOO_LARGE };
    assert_eq!(sent(&mut serving, START), [failed]);
}

#[test]
fn a_half_open_connection_is_found() {
    let mut serving = Serving::new(START);
    serving.handle_frame(after(HEARTBEAT), Frame::Ping).unwrap();
    let silent = after(HEARTBEAT) + SILENCE_MAX;
    let before = Instant::from_micros(silent.as_micros() - 1);
    assert_eq!(serving.handle_timeout(before, true), Ok(()));
    assert_eq!(serving.handle_timeout(silent, true), Err(Fault::Silent));
    // While this side does not read, the silence is its own.
    assert_eq!(serving.handle_timeout(silent, false), Ok(()));
    assert_eq!(serving.handle_timeout(silent + HEARTBEAT, true), Ok(()));
}

#[test]
fn a_node_that_takes_no_byte_is_closed() {
    let mut serving = Serving::new(START);
    serving.handle_frame(START, call(1, b"")).unwrap();
    serving.handle_answer(1, Some("a".into())).unwrap();
    let mut out = BytesMut::new();
    serving.poll_transmit(START, &mut out);
    let mut now = START;
    while now < after(STALL_TIMEOUT) {
        serving.handle_frame(now, Frame::Ping).unwrap();
        assert_eq!(serving.handle_timeout(now, true), Ok(()));
        now = now + HEARTBEAT;
    }
    serving.handle_frame(now, Frame::Ping).unwrap();
    assert_eq!(serving.handle_timeout(now, true), Err(Fault::Stalled));
}

#[test]
fn it_says_that_it_lives_with_its_clock() {
    let mut serving = Serving::new(START);
    assert!(sent(&mut serving, START).is_empty());
    let now = serving.poll_timeout();
    assert_eq!(now, after(HEARTBEAT));
    serving.handle_timeout(now, true).unwrap();
    assert_eq!(sent(&mut serving, now), [Frame::Alive { clock: now.as_micros() }]);
    assert_eq!(serving.poll_timeout(), after(2 * HEARTBEAT));
}

#[test]
fn frames_of_the_other_side_and_calls_twice_are_faults() {
    let mut serving = Serving::new(START);
    assert_eq!(serving.handle_frame(START, Frame::Ignored), Ok(Asked::Nothing));
    for frame in [Frame::Alive { clock: 1 }, Frame::Refused { code: 1 }] {
        assert_eq!(serving.handle_frame(START, frame), Err(Fault::Misplaced));
    }
    serving.handle_frame(START, call(1, b"")).unwrap();
    assert_eq!(serving.handle_frame(START, call(1, b"")), Err(Fault::Misplaced));
}
