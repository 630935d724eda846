//! What the crate read, in the form of the vectors.

use serde_json::{Value, json};
use throughline_link::{Extensions, Frame, FrameError, Hello, Refused, Resume, Welcome};

use crate::files::hex;

/// The fields of a frame.
pub(crate) fn of_frame(frame: &Frame<'_>) -> Value {
    match frame {
        Frame::Hello(hello) => of_hello(hello),
        Frame::Resume(resume) => of_resume(resume),
        Frame::Welcome(welcome) => of_welcome(welcome),
        Frame::Refused(refused) => of_refused(refused),
        Frame::Data(data) => json!({
            "type": "data",
            "seq": data.seq.to_string(),
            "ack": data.ack.to_string(),
            "payload": hex(data.payload),
        }),
        Frame::Ack(ack) => json!({ "type": "ack", "ack": ack.to_string() }),
        Frame::Ping(token) => json!({ "type": "ping", "token": token.to_string() }),
        Frame::Pong { token, time } => {
            json!({ "type": "pong", "token": token.to_string(), "time": time.to_string() })
        }
        Frame::Restarting(restarting) => json!({
            "type": "restarting",
            "reconnectInMs": restarting.reconnect_in_ms,
            "addresses": restarting.addresses.iter().collect::<Vec<_>>(),
        }),
        Frame::Close(close) => json!({
            "type": "close",
            "code": close.code.number(),
            "ack": close.ack.to_string(),
            "text": close.text,
        }),
        Frame::Ignored(number) => json!({ "type": "ignored", "number": number }),
        other => panic!("{other:?} has no form here yet"),
    }
}

fn of_hello(hello: &Hello<'_>) -> Value {
    json!({
        "type": "hello",
        "versionMin": hello.version_min,
        "versionMax": hello.version_max,
        "kind": hello.kind,
        "login": hex(hello.login),
        "extensions": of_extensions(&hello.extensions),
    })
}

fn of_resume(resume: &Resume<'_>) -> Value {
    json!({
        "type": "resume",
        "versionMin": resume.version_min,
        "versionMax": resume.version_max,
        "sessionId": resume.session_id.to_string(),
        "attempt": resume.attempt.to_string(),
        "received": resume.received.to_string(),
        "acked": resume.acked.to_string(),
        "extensions": of_extensions(&resume.extensions),
        "proof": hex(&resume.proof),
    })
}

fn of_welcome(welcome: &Welcome<'_>) -> Value {
    json!({
        "type": "welcome",
        "version": welcome.version,
        "resumed": welcome.resumed,
        "sessionId": welcome.session_id.to_string(),
        "secret": welcome.secret.as_ref().map(|secret| hex(&secret.0)),
        "attempt": welcome.attempt.to_string(),
        "received": welcome.received.to_string(),
        "ack": welcome.ack.to_string(),
        "time": welcome.time.to_string(),
        "heartbeatMs": welcome.heartbeat_ms,
        "timeoutMs": welcome.timeout_ms,
        "windowMessages": welcome.window_messages,
        "windowBytes": welcome.window_bytes,
        "maxFrame": welcome.max_frame,
        "extensions": of_extensions(&welcome.extensions),
    })
}

fn of_refused(refused: &Refused<'_>) -> Value {
    json!({
        "type": "refused",
        "code": refused.code.number(),
        "retryAfterMs": refused.retry_after_ms,
        "text": refused.text,
        "extensions": of_extensions(&refused.extensions),
    })
}

fn of_extensions(extensions: &Extensions<'_>) -> Value {
    extensions.iter().map(|one| json!({ "tag": one.tag, "hex": hex(one.bytes) })).collect()
}

/// The name of an error, as the rejects spell it.
pub(crate) fn error_name(error: &FrameError) -> &'static str {
    match error {
        FrameError::Empty => "Empty",
        FrameError::TooLarge { .. } => "TooLarge",
        FrameError::WrongMagic => "WrongMagic",
        FrameError::UnsupportedVersion { .. } => "UnsupportedVersion",
        FrameError::Short { .. } => "Short",
        FrameError::BadField { .. } => "BadField",
        FrameError::UnknownType(_) => "UnknownType",
        other => panic!("{other:?} has no name here yet"),
    }
}
