//! What the vectors of `tests/vectors` do not show: how odd input is read.

use super::*;
use crate::extension;

fn refused(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![0x01, 0x41, 0, 0, 0, 0, 0, 0];
    for (tag, bytes) in extensions {
        extension::write(&mut body, *tag, bytes);
    }
    body
}

fn close(text: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 10];
    body.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    body.extend_from_slice(text);
    body
}

#[test]
fn a_length_is_checked_before_the_frame_is_there() {
    let limit = FrameError::TooLarge { length: 101, limit: 100 };
    assert_eq!(split(&[0, 0, 0, 101], 100), Err(limit));
    assert_eq!(split(&[0, 0, 0, 100], 100), Ok(Split::Incomplete(104)));
    assert_eq!(split(&[0, 0, 0, 0], 100), Err(FrameError::Empty));
    assert_eq!(split(&[0, 0, 0], 100), Ok(Split::Incomplete(4)));
}

#[test]
fn only_the_first_frame_of_a_buffer_is_cut_off() {
    let mut buffer = Vec::new();
    Frame::Ack(1).write(&mut buffer);
    Frame::Ack(2).write(&mut buffer);
    let Ok(Split::Whole { kind, body, bytes }) = split(&buffer, 100) else { panic!() };
    assert_eq!(Frame::read(kind, body), Ok(Frame::Ack(1)));
    assert_eq!(bytes, 13);
}

#[test]
fn an_unknown_close_code_is_read_by_its_hundred() {
    for (number, code) in [(199, CloseCode::Ended), (299, CloseCode::ProtocolError)] {
        let mut body = close(b"");
        body[..2].copy_from_slice(&u16::to_be_bytes(number));
        let Ok(Frame::Close(close)) = Frame::read(wire::CLOSE, &body) else { panic!() };
        assert_eq!(close.code, code);
    }
}

#[test]
fn a_text_for_a_person_is_cut_where_it_is_no_text_or_too_long() {
    let long = "x".repeat(1_023) + "\u{20AC}";
    let cases =
        [(&b"fine\xC3\x28gone"[..], "fine"), (b"\xFF", ""), (long.as_bytes(), &long[..1_023])];
    for (bytes, text) in cases {
        let body = close(bytes);
        let Ok(Frame::Close(close)) = Frame::read(wire::CLOSE, &body) else { panic!() };
        assert_eq!(close.text, text);
    }
}

#[test]
fn a_text_too_long_is_cut_between_characters_when_it_is_written() {
    let text = "\u{20AC}".repeat(400);
    let mut out = Vec::new();
    Frame::Close(Close { code: CloseCode::Ended, ack: 0, text: &text }).write(&mut out);
    let Ok(Frame::Close(close)) = Frame::read(wire::CLOSE, &out[5..]) else { panic!() };
    assert_eq!(close.text.len(), 1_023);
}

#[test]
fn addresses_beyond_the_eighth_are_not_written_and_those_too_long_are_cut() {
    let addresses: Vec<_> = (0..9).map(|number| "a".repeat(250 + number)).collect();
    let mut out = Vec::new();
    Restarting::write_parts(&mut out, 1, &addresses);
    let Ok(Frame::Restarting(restarting)) = Frame::read(wire::RESTARTING, &out[5..]) else {
        panic!()
    };
    let lengths: Vec<_> = restarting.addresses.iter().map(str::len).collect();
    assert_eq!(lengths, [250, 251, 252, 253, 254, 255, 255, 255]);
}

#[test]
fn of_addresses_elsewhere_the_first_eight_that_are_texts_count() {
    let names: Vec<_> = (0..10).map(|number| format!("h{number}")).collect();
    let mut extensions = vec![(wire::TAG_ELSEWHERE, &b"\xFF"[..])];
    extensions.extend(names.iter().map(|name| (wire::TAG_ELSEWHERE, name.as_bytes())));
    let body = refused(&extensions);
    let Ok(Frame::Refused(refused)) = Frame::read(wire::REFUSED, &body) else { panic!() };
    assert_eq!(refused.elsewhere().collect::<Vec<_>>(), names[..8]);
}

#[test]
fn a_game_code_of_another_length_is_none() {
    let cases = [(&[0, 7][..], Some(7)), (&[7], None), (&[0, 0, 7], None)];
    for (bytes, code) in cases {
        let body = refused(&[(wire::TAG_GAME_CODE, bytes)]);
        let Ok(Frame::Refused(refused)) = Frame::read(wire::REFUSED, &body) else { panic!() };
        assert_eq!(refused.game_code(), code);
    }
}

#[test]
fn of_a_tag_that_comes_twice_the_first_counts() {
    let body = refused(&[(wire::TAG_GAME_CODE, &[0, 1]), (wire::TAG_GAME_CODE, &[0, 2])]);
    let Ok(Frame::Refused(refused)) = Frame::read(wire::REFUSED, &body) else { panic!() };
    assert_eq!(refused.game_code(), Some(1));
}

#[test]
fn an_unknown_required_tag_is_found_behind_others() {
    let body = refused(&[(0x7001, b"skipped"), (0x8001, b"")]);
    let Ok(Frame::Refused(refused)) = Frame::read(wire::REFUSED, &body) else { panic!() };
    assert_eq!(refused.extensions.unknown_required(), Some(0x8001));
}
