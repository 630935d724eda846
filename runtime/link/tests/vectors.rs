//! The golden vectors: every frame and proof of the protocol, pinned byte for byte.
//!
//! `tests/vectors` is read by this crate and by the web client. The files are fixed: an entry that
//! changed is a protocol that changed. To add one, write it with an empty `hex` and run this test
//! with `THROUGHLINE_FILL_VECTORS=1`: the bytes are filled in by the encoder below, which shares
//! no code with the crate. Nothing else is ever written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "vectors/encode.rs"]
mod encode;
#[path = "vectors/files.rs"]
mod files;
#[path = "vectors/json.rs"]
mod json;

use std::collections::BTreeSet;

use serde_json::Value;
use throughline_link::{
    CloseCode, Frame, FrameError, Secret, Split, defaults::MAX_FRAME, proof, split, verify,
};

use self::files::{field, load, unhex};

/// Cuts the one frame that `bytes` hold, and reads it.
fn read(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    match split(bytes, MAX_FRAME)? {
        Split::Whole { kind, body, bytes: whole } => {
            assert_eq!(whole, bytes.len(), "one frame, and nothing behind it");
            Frame::read(kind, body)
        }
        Split::Incomplete(needed) => panic!("{needed} bytes are needed"),
    }
}

#[test]
fn every_frame_reads_as_pinned() {
    for vector in load("frames.json") {
        let bytes = unhex(field(&vector, "hex"));
        let frame = read(&bytes).unwrap_or_else(|error| panic!("{vector}: {error}"));
        assert_eq!(json::of_frame(&frame), vector["frame"], "{}", vector["name"]);
    }
}

#[test]
fn every_frame_is_written_as_pinned() {
    for vector in load("frames.json") {
        let bytes = unhex(field(&vector, "hex"));
        let mut written = Vec::new();
        read(&bytes).unwrap().write(&mut written);
        let same = written == bytes;
        // What a later version added is skipped, so it is not written again.
        assert_eq!(same, vector.get("decodeOnly").is_none(), "{}", vector["name"]);
    }
}

#[test]
fn an_independent_encoder_makes_the_same_bytes() {
    if std::env::var_os("THROUGHLINE_FILL_VECTORS").is_some() {
        files::fill("frames.json", &encode::frame);
    }
    for vector in load("frames.json") {
        if vector.get("decodeOnly").is_none() {
            assert_eq!(encode::frame(&vector["frame"]), field(&vector, "hex"), "{vector}");
        }
    }
}

#[test]
fn every_frame_needs_each_of_its_bytes() {
    for vector in load("frames.json") {
        let bytes = unhex(field(&vector, "hex"));
        for cut in 0..bytes.len() {
            let needed = if cut < 4 { 4 } else { bytes.len() };
            assert_eq!(split(&bytes[..cut], MAX_FRAME), Ok(Split::Incomplete(needed)));
        }
    }
}

#[test]
fn every_reject_is_refused_with_its_code() {
    for vector in load("rejects.json") {
        let bytes = unhex(field(&vector, "hex"));
        let error = match read(&bytes) {
            Err(error) => error,
            Ok(frame) => panic!("{} was read as {frame:?}", vector["name"]),
        };
        let found = (json::error_name(&error), u64::from(error.code().number()));
        let expected = (field(&vector, "error"), vector["code"].as_u64().unwrap());
        assert_eq!(found, expected, "{}", vector["name"]);
    }
}

#[test]
fn every_proof_is_as_pinned() {
    for vector in load("proofs.json") {
        let secret = Secret(unhex(field(&vector, "secret")).try_into().unwrap());
        let body = unhex(field(&vector, "body"));
        let expected = unhex(field(&vector, "proof")).try_into().unwrap();
        assert_eq!(proof(&secret, &body), expected, "{}", vector["name"]);
        assert!(verify(&secret, &body, &expected));
    }
}

#[test]
fn every_resume_proves_itself_with_its_secret_only() {
    let frames = load("frames.json");
    let mut seen = 0;
    for vector in load("proofs.json") {
        let Some(resume) = frames.iter().find(|frame| frame["name"] == vector["name"]) else {
            continue;
        };
        let bytes = unhex(field(resume, "hex"));
        let Ok(Frame::Resume(resume)) = read(&bytes) else { panic!("{vector} is no resume") };
        let mut secret = Secret(unhex(field(&vector, "secret")).try_into().unwrap());
        assert!(resume.is_proved(&secret));
        secret.0[31] ^= 1;
        assert!(!resume.is_proved(&secret));
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} resumes have their secret in proofs.json");
}

#[test]
fn every_frame_type_close_code_and_error_has_a_vector() {
    let frames = load("frames.json");
    let types: BTreeSet<_> = frames.iter().map(|vector| field(&vector["frame"], "type")).collect();
    assert_eq!(types.len(), 11, "{types:?}");
    for code in CloseCode::ALL {
        let name = format!("close-code-{}", code.number());
        assert!(frames.iter().any(|vector| vector["name"] == *name), "{name} is missing");
    }
    let rejects = load("rejects.json");
    let errors: BTreeSet<_> = rejects.iter().map(|vector| field(vector, "error")).collect();
    assert_eq!(errors.len(), 7, "{errors:?}");
    let all = frames.iter().chain(&rejects);
    let names: BTreeSet<_> = all.clone().map(|vector| field(vector, "name")).collect();
    assert_eq!(names.len(), all.count(), "a name is used twice");
}

#[test]
fn numbers_that_a_browser_reads_fit_its_numbers() {
    let exact = |text: &str| text.parse::<u64>().is_ok_and(|number| number < 1 << 53);
    for vector in load("frames.json") {
        let frame = vector["frame"].as_object().unwrap();
        for name in ["attempt", "received", "acked", "ack", "seq", "time"] {
            let fits = frame.get(name).and_then(Value::as_str).is_none_or(exact);
            assert!(fits, "{name} of {}", vector["name"]);
        }
    }
}
