//! In virtual time. The caller of each call is its name.

use std::time::Duration;

use super::*;
use crate::peers::frame::take;

const START: Instant = Instant::from_micros(10_000_000);
const SECOND: Duration = Duration::from_secs(1);

type Answers = Vec<(&'static str, Result<Bytes, CallError>)>;

fn connected() -> Link<&'static str> {
    let mut link = Link::new(START, 1);
    link.handle_tell(START, "first".into(), "first");
    assert_eq!(link.poll_wish(START), Wish::Dial);
    assert_eq!(link.poll_wish(START), Wish::Stay);
    link.handle_connected(START, 0);
    assert_eq!(sent(&mut link), [Frame::Tell { payload: "first".into() }]);
    link
}

fn ask(link: &mut Link<&'static str>, name: &'static str) {
    link.handle_call(name.into(), START + SECOND, name);
}

/// A batch, of which so many bytes leave.
fn sent_bytes(link: &mut Link<&'static str>, bytes: usize) -> Vec<Frame> {
    let mut out = BytesMut::new();
    link.poll_transmit(&mut out);
    link.handle_written(bytes.min(out.len()));
    let mut frames = Vec::new();
    while let Some(frame) = take(&mut out, usize::MAX).unwrap() {
        frames.push(frame);
    }
    frames
}

fn sent(link: &mut Link<&'static str>) -> Vec<Frame> {
    sent_bytes(link, usize::MAX)
}

fn payloads(frames: &[Frame]) -> Vec<&[u8]> {
    let payload = |frame| match frame {
        &Frame::Call { ref payload, .. } | &Frame::Tell { ref payload } => &**payload,
        other => panic!("not a message: {other:?}"),
    };
    frames.iter().map(payload).collect()
}

fn answers(link: &mut Link<&'static str>) -> Answers {
    std::iter::from_fn(|| link.poll_answer()).collect()
}

fn broken(reason: &str) -> Result<Bytes, CallError> {
    Err(CallError::Broken { reason: reason.to_owned() })
}

fn unreachable_for(reason: &str) -> Result<Bytes, CallError> {
    Err(CallError::Unreachable { reason: reason.to_owned() })
}

fn no_dial() -> DialError {
    DialError::Io("refused".to_owned())
}

#[test]
fn calls_are_answered_in_any_order() {
    let mut link = connected();
    ["a", "b", "c"].into_iter().for_each(|name| ask(&mut link, name));
    let frames = sent(&mut link);
    assert_eq!(payloads(&frames), [b"a", b"b", b"c"]);
    let Frame::Call { call, .. } = frames[2] else { panic!("no call") };
    link.handle_frame(START, Frame::Answer { call, payload: "C".into() }).unwrap();
    let failed = Frame::Failed { call: call - 1, code: wire::FAILED_NOT_HANDLED };
    link.handle_frame(START, failed).unwrap();
    assert_eq!(answers(&mut link), [("c", Ok("C".into())), ("b", Err(CallError::NotHandled))]);
}

#[test]
fn a_call_that_left_is_unknown_and_one_that_did_not_goes_by_the_next_connection() {
    let mut link = connected();
    ask(&mut link, "left");
    sent(&mut link);
    ask(&mut link, "partly");
    ask(&mut link, "not");
    // All but the last byte of the first of the two.
    sent_bytes(&mut link, 4 + 17 + 6 - 1);
    ask(&mut link, "later");
    link.handle_broken(START, Break::Read, "cut".to_owned());
    assert_eq!(answers(&mut link), [("left", broken("cut"))]);
    assert_eq!(link.poll_wish(START), Wish::Dial);
    link.handle_connected(START, 0);
    assert_eq!(payloads(&sent(&mut link)), [&b"partly"[..], b"not", b"later"]);
}

#[test]
fn no_message_is_sent_twice() {
    let mut link = connected();
    ask(&mut link, "call");
    link.handle_tell(START, "tell".into(), "tell");
    sent_bytes(&mut link, 0);
    // How much of it left is not known.
    link.handle_broken(START, Break::Write, "cut".to_owned());
    assert_eq!(answers(&mut link), [("call", broken("cut"))]);
    assert_eq!(link.poll_dropped(), 1);
    link.handle_connected(START, 0);
    assert!(sent(&mut link).is_empty());
    assert!(link.is_empty());
}

#[test]
fn an_answer_after_the_deadline_or_to_nothing_sent_is_dropped() {
    let mut link = connected();
    ask(&mut link, "late");
    let Frame::Call { call, .. } = sent(&mut link)[0] else { panic!("no call") };
    link.handle_timeout(START + SECOND);
    assert_eq!(answers(&mut link), [("late", Err(CallError::TimedOut))]);
    ask(&mut link, "unsent");
    for call in [call, call + 1, 99] {
        link.handle_frame(START, Frame::Answer { call, payload: "x".into() }).unwrap();
    }
    assert!(answers(&mut link).is_empty());
}

#[test]
fn a_deadline_says_whether_the_call_had_left() {
    let mut link: Link<&str> = Link::new(START, 1);
    ask(&mut link, "away");
    assert_eq!(link.poll_timeout(), Some(START));
    link.handle_timeout(START + SECOND);
    assert_eq!(answers(&mut link), [("away", unreachable_for("not connected yet"))]);

    let mut link = connected();
    for _ in 0..WINDOW_CALLS_MAX {
        ask(&mut link, "window");
    }
    ask(&mut link, "behind");
    let mut count = 0;
    while let frames = sent(&mut link)
        && !frames.is_empty()
    {
        count += frames.len();
    }
    assert_eq!(count, WINDOW_CALLS_MAX);
    link.handle_timeout(START + SECOND);
    let answers = answers(&mut link);
    assert_eq!(answers.len(), WINDOW_CALLS_MAX + 1);
    for (name, answer) in answers {
        let expected = if name == "window" { CallError::TimedOut } else { CallError::Overloaded };
        assert_eq!(answer, Err(expected), "{name}");
    }
}

#[test]
fn a_call_carries_its_deadline_on_the_other_nodes_clock() {
    let mut link: Link<&str> = Link::new(START, 1);
    ask(&mut link, "call");
    link.poll_wish(START);
    link.handle_connected(START, 1_000);
    let deadline = 1_000 + 1_000_000;
    assert!(matches!(sent(&mut link)[0], Frame::Call { deadline: d, .. } if d == deadline));
}

#[test]
fn a_dead_node_costs_no_caller_its_deadline() {
    let mut link: Link<&str> = Link::new(START, 1);
    ask(&mut link, "call");
    link.handle_tell(START, "tell".into(), "tell");
    let mut now = START;
    let mut dials = 0;
    while link.answers.is_empty() {
        match link.poll_wish(now) {
            Wish::Dial => {
                dials += 1;
                link.handle_dial_failed(now, &no_dial());
            }
            _ => now = link.poll_timeout().unwrap(),
        }
        assert!(dials < 1_000, "no end");
    }
    assert!(now < START + AWAY_GRACE + BACKOFF_MAX && dials > 1, "{now:?}, {dials}");
    assert_eq!(answers(&mut link), [("call", unreachable_for("refused"))]);
    assert_eq!(link.poll_dropped(), 1);
    // The next caller does not wait for the grace again, and does not make dialing faster.
    ask(&mut link, "next");
    if link.poll_wish(now) != Wish::Dial {
        now = link.poll_timeout().unwrap();
        assert_eq!(link.poll_wish(now), Wish::Dial);
    }
    link.handle_dial_failed(now, &no_dial());
    assert_eq!(answers(&mut link), [("next", unreachable_for("refused"))]);
}

#[test]
fn a_node_that_restarted_is_not_asked_what_its_former_incarnation_was() {
    let mut link: Link<&str> = Link::new(START, 1);
    ask(&mut link, "call");
    assert_eq!(link.poll_wish(START), Wish::Dial);
    link.handle_dial_failed(START, &DialError::WrongPeer);
    assert_eq!(answers(&mut link), [("call", Err(CallError::WrongPeer))]);
}

#[test]
fn a_half_open_connection_is_found() {
    let mut link = connected();
    let mut now = START;
    let mut pings = 0;
    while link.poll_wish(now) == Wish::Stay {
        now = link.poll_timeout().unwrap();
        link.handle_timeout(now);
        pings += sent(&mut link).iter().filter(|frame| **frame == Frame::Ping).count();
    }
    assert_eq!((now, pings), (START + SILENCE_MAX, 3));
    assert_eq!(link.poll_wish(now), Wish::GiveUp);
    // Anything that comes is a sign of life.
    link.handle_frame(now, Frame::Alive { clock: 1 }).unwrap();
    assert_eq!(link.poll_wish(now), Wish::Stay);
}

#[test]
fn an_idle_connection_is_kept_and_a_broken_one_not_made_anew_for_nothing() {
    let mut link = connected();
    link.handle_broken(START, Break::Read, "cut".to_owned());
    assert_eq!(link.poll_wish(START), Wish::Stay);
    let forgotten = link.poll_timeout().unwrap();
    assert_eq!(forgotten, START + LINGER);
    assert_eq!(link.poll_wish(forgotten), Wish::Forget);
}

#[test]
fn what_has_expired_does_not_fill_the_queue() {
    let mut link = connected();
    for _ in 0..WINDOW_CALLS_MAX {
        link.handle_call("x".into(), START + 3600 * SECOND, "window");
    }
    while !sent(&mut link).is_empty() {}
    let mut now = START;
    for _ in 0..100 {
        for _ in 0..1_000 {
            link.handle_call("x".into(), now + SECOND, "expires");
        }
        now = now + SECOND;
        link.handle_timeout(now);
        assert!(link.queue.len() <= 2 * WINDOW_CALLS_MAX, "{}", link.queue.len());
    }
    assert_eq!(answers(&mut link).len(), 100_000);
}

#[test]
fn a_closed_link_says_of_each_call_what_is_known() {
    let mut link = connected();
    ask(&mut link, "left");
    sent(&mut link);
    ask(&mut link, "not");
    link.handle_closed("stopped");
    let mut answers = answers(&mut link);
    answers.sort_by_key(|(name, _)| *name);
    assert_eq!(answers, [("left", broken("stopped")), ("not", unreachable_for("stopped"))]);
}

#[test]
fn frames_of_a_later_version_are_ignored_and_misplaced_ones_are_not() {
    let mut link = connected();
    assert_eq!(link.handle_frame(START, Frame::Ignored), Ok(()));
    for frame in [Frame::Ping, Frame::Tell { payload: "x".into() }, Frame::Refused { code: 1 }] {
        assert_eq!(link.handle_frame(START, frame), Err(Misplaced));
    }
    ask(&mut link, "call");
    let Frame::Call { call, .. } = sent(&mut link)[0] else { panic!("no call") };
    link.handle_frame(START, Frame::Failed { call, code: 99 }).unwrap();
    assert_eq!(answers(&mut link), [("call", broken("it failed, with the code 99"))]);
}
