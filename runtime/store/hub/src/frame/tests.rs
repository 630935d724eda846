//! Round trips, pinned bytes, and bytes that are no frame.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use throughline_store::{BatchError, Corruption, KeyError, Outage, Refusal};

use super::*;

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn batch() -> impl Strategy<Value = Batch> {
    let pair = || (bytes(20), proptest::option::of(bytes(100)));
    (vec(pair(), 0..8), vec(pair(), 0..8)).prop_map(|(checks, writes)| {
        let mut batch = Batch::new();
        for (key, value) in checks {
            batch = match value {
                Some(value) => batch.check_equals(key, value),
                None => batch.check_absent(key),
            };
        }
        for (key, value) in writes {
            batch = match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        batch
    })
}

fn scan() -> impl Strategy<Value = Scan> {
    (bytes(20), proptest::option::of(bytes(20)), 2..5000_usize, 0..9_000_000_usize).prop_map(
        |(from, to, entries, bytes)| Scan::range(from, to).entries_max(entries).bytes_max(bytes),
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    let number = 0..1_000_000_usize;
    prop_oneof![
        (".{0,50}", any::<u32>()).prop_map(|(reason, millis)| {
            let retry_after = Duration::from_millis(millis.into());
            Failure::Down(Outage { reason, retry_after })
        }),
        ".{0,50}".prop_map(|reason| Failure::Unknown { reason }),
        ".{0,50}".prop_map(|detail| Failure::Corrupt(Corruption { detail })),
        (0..4096_usize, bytes(20)).prop_map(|(check, key)| Failure::Check(Refusal { check, key })),
        Just(Failure::Key(KeyError::Empty)),
        number.clone().prop_map(|bytes| Failure::Key(KeyError::TooLarge { bytes })),
        Just(Failure::Batch(BatchError::Key(KeyError::Empty))),
        (number.clone(), bytes(20))
            .prop_map(|(bytes, key)| Failure::Batch(BatchError::ValueTooLarge { key, bytes })),
        number.clone().prop_map(|count| Failure::Batch(BatchError::TooManyChecks { count })),
        number.clone().prop_map(|count| Failure::Batch(BatchError::TooManyWrites { count })),
        number.prop_map(|bytes| Failure::Batch(BatchError::TooLarge { bytes })),
        bytes(20).prop_map(|key| Failure::Batch(BatchError::WrittenTwice { key })),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let entry = (bytes(20), bytes(100)).prop_map(|(key, value)| Entry { key, value });
    let nonce = any::<[u8; 32]>();
    prop_oneof![
        (any::<(u8, u8)>(), nonce).prop_map(|((version_min, version_max), nonce)| {
            Frame::Hello { version_min, version_max, nonce }
        }),
        (any::<u8>(), nonce).prop_map(|(version, nonce)| Frame::Challenge { version, nonce }),
        nonce.prop_map(|proof| Frame::Proof { proof }),
        nonce.prop_map(|proof| Frame::Welcome { proof }),
        (any::<u8>(), ".{0,50}").prop_map(|(code, text)| Frame::Refused { code, text }),
        (any::<u64>(), bytes(20)).prop_map(|(call, key)| Frame::Get { call, key }),
        (any::<u64>(), scan()).prop_map(|(call, scan)| Frame::Scan { call, scan }),
        (any::<u64>(), batch()).prop_map(|(call, batch)| Frame::Commit { call, batch }),
        (any::<u32>(), bytes(20)).prop_map(|(watch, prefix)| Frame::Watch { watch, prefix }),
        any::<u32>().prop_map(|watch| Frame::Unwatch { watch }),
        (any::<u64>(), proptest::option::of(bytes(200)))
            .prop_map(|(call, value)| Frame::Value { call, value }),
        (any::<u64>(), vec(entry, 0..8), proptest::option::of(bytes(20)))
            .prop_map(|(call, entries, next)| Frame::Page { call, entries, next }),
        any::<u64>().prop_map(|call| Frame::Done { call }),
        (any::<u64>(), failure()).prop_map(|(call, failure)| Frame::Failed { call, failure }),
        any::<u32>().prop_map(|watch| Frame::Hint { watch }),
        any::<u32>().prop_map(|watch| Frame::WatchRefused { watch }),
    ]
}

fn written(frame: &Frame) -> BytesMut {
    let mut out = BytesMut::new();
    frame.write(&mut out);
    out
}

proptest! {
    #[test]
    fn a_frame_reads_back_what_was_written(frame in any_frame()) {
        let bytes = written(&frame);
        let head = Head::read(&bytes, bytes.len()).unwrap().unwrap();
        prop_assert_eq!(head.frame_bytes(), bytes.len());
        prop_assert_eq!(Frame::read(&bytes[4..]), Ok(frame));
    }

    #[test]
    fn any_bytes_give_a_frame_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = Frame::read(&bytes) {
            prop_assert!(Frame::read(&written(&frame)[4..]).is_ok());
        }
        let _ = Head::read(&bytes, 100);
    }

    #[test]
    fn a_frame_that_was_cut_or_has_a_tail_is_refused(frame in any_frame(), tail in any::<u8>()) {
        let mut bytes = written(&frame);
        for length in 4..bytes.len() {
            prop_assert!(Frame::read(&bytes[4..length]).is_err(), "cut at {}", length);
        }
        bytes.put_u8(tail);
        prop_assert_eq!(Frame::read(&bytes[4..]), Err(FrameError::Trailing));
    }

    #[test]
    fn a_flipped_bit_never_panics(frame in any_frame(), at in any::<prop::sample::Index>()) {
        let mut bytes = written(&frame);
        let bit = at.index(8 * (bytes.len() - 4));
        bytes[4 + bit / 8] ^= 1 << (bit % 8);
        let _ = Frame::read(&bytes[4..]);
    }
}

#[test]
fn the_length_is_checked_before_the_type_has_come() {
    assert_eq!(Head::read(&[0, 0, 1], 9), Ok(None));
    assert_eq!(Head::read(&[0, 0, 0, 9], 9), Ok(None));
    assert_eq!(Head::read(&[0, 0, 0, 0], 9), Err(FrameError::Empty));
    let too_long = FrameError::TooLong { bytes: u32::MAX as usize, limit: 9 };
    assert_eq!(Head::read(&[0xff; 4], 9), Err(too_long));
    let head = Head::read(&[0, 0, 0, 9, 0x10], 9).unwrap().unwrap();
    assert_eq!((head.kind, head.frame_bytes()), (wire::GET, 13));
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let text = "\u{e9}".repeat(TEXT_BYTES_MAX);
    let bytes = written(&Frame::Refused { code: 1, text });
    let Ok(Frame::Refused { text, .. }) = Frame::read(&bytes[4..]) else { panic!("no refusal") };
    assert_eq!(text.len(), TEXT_BYTES_MAX);
}

/// The examples of `docs/hub.md`, byte for byte.
#[test]
fn the_bytes_on_the_wire_are_those_of_the_documentation() {
    let commit = Batch::new().check_equals("a", "1").check_absent("b").put("a", "2").delete("c");
    let check = Failure::Check(Refusal { check: 1, key: "b".into() });
    let reason = "away".to_owned();
    let down = Failure::Down(Outage { reason, retry_after: Duration::from_millis(500) });
    let entry = Entry { key: "a".into(), value: "1".into() };
    let frames = [
        (Frame::Get { call: 1, key: "a".into() }, "0000000c 10 0000000000000001 0001 61"),
        (
            Frame::Scan { call: 2, scan: Scan::prefix("a").entries_max(2).bytes_max(1000) },
            "00000018 11 0000000000000002 00000002 000003e8 0001 61 01 0001 62",
        ),
        (
            Frame::Commit { call: 3, batch: commit },
            "00000027 12 0000000000000003 0002 0002 01 0001 61 00000001 31 00 0001 62 \
             01 0001 61 00000001 32 00 0001 63",
        ),
        (Frame::Watch { watch: 4, prefix: "a".into() }, "00000008 13 00000004 0001 61"),
        (Frame::Unwatch { watch: 4 }, "00000005 14 00000004"),
        (
            Frame::Value { call: 1, value: Some("1".into()) },
            "0000000f 20 0000000000000001 01 00000001 31",
        ),
        (Frame::Value { call: 1, value: None }, "0000000a 20 0000000000000001 00"),
        (
            Frame::Page { call: 2, entries: vec![entry], next: Some("b".into()) },
            "00000017 21 0000000000000002 01 0001 62 0001 0001 61 00000001 31",
        ),
        (Frame::Done { call: 3 }, "00000009 22 0000000000000003"),
        (Frame::Failed { call: 3, failure: check }, "0000000f 23 0000000000000003 04 0001 0001 62"),
        (
            Frame::Failed { call: 3, failure: down },
            "00000014 23 0000000000000003 01 000001f4 0004 61776179",
        ),
        (Frame::Hint { watch: 4 }, "00000005 24 00000004"),
        (Frame::WatchRefused { watch: 4 }, "00000005 25 00000004"),
    ];
    for (frame, expected) in frames {
        let found: String = written(&frame).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, expected.replace(' ', ""), "{frame:?}");
    }
}
