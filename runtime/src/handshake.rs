//! The beginning of a connection: its first frame, and who takes it from there.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use throughline_link::{
    Close, CloseCode, Frame, FrameError, Hello, Refused, Resume, SessionId, Split, split, wire,
};

use crate::{
    actor::Resuming,
    admission::{ConnectionPermit, Permit},
    arrive,
    kinds::{Newcomer, Rejected, later, overloaded, refusal},
    node::{Shared, suits},
    session::{Arrival, Refusal},
    transport::{Read, Transport},
    worker::Worker,
};

/// How long a session's worker has to take a resumed connection.
pub(crate) const MOVE_TIME: std::time::Duration = std::time::Duration::from_secs(5);

/// A connection that has said nothing yet.
pub(crate) struct Stranger {
    pub(crate) transport: Transport,
    pub(crate) peer: SocketAddr,
    pub(crate) permit: ConnectionPermit,
    /// Counts against the limit of handshakes until the first frame was dealt with.
    pub(crate) handshake: Permit,
}

/// The first frame, as bytes.
enum First {
    Hello(Vec<u8>),
    Resume(Vec<u8>),
}

/// Why a connection gets no session.
enum Rejection {
    /// Not worth a word: the peer has gone.
    Gone,
    /// It is told, in a frame.
    Refusal(Refusal),
    /// It speaks another protocol, and is told in that one.
    Foreign(&'static [u8], &'static str),
}

/// Reads the first frame, and hands the connection to a new session or to the one it resumes.
pub(crate) async fn meet(worker: Rc<Worker>, stranger: Stranger) {
    let Stranger { mut transport, peer, permit, handshake } = stranger;
    let node = Arc::clone(&worker.node);
    let time = node.config.limits.handshake_time;
    let first = match tokio::time::timeout(time, read_first(&mut transport, &node)).await {
        Ok(first) => first,
        Err(_) => Err(Rejection::Refusal(later(CloseCode::HandshakeTimeout, "say Hello sooner"))),
    };
    let rejected = match first {
        Ok(First::Hello(body)) => {
            greet(worker, transport, peer, permit, &body).await.map_err(|rejected| *rejected)
        }
        Ok(First::Resume(body)) => {
            // From here on it counts as one of those that look for their session.
            drop(handshake);
            let resumed = match judge_resume(&body) {
                Ok(id) => {
                    let resuming = Resuming { transport, peer, body, permit };
                    arrive::resume(worker, resuming, id).await
                }
                Err(refusal) => Err(Box::new(Rejected { transport, peer, refusal })),
            };
            if let Err(rejected) = resumed {
                reject(&node, *rejected).await;
            }
            return;
        }
        Err(Rejection::Gone) => return,
        Err(Rejection::Refusal(refusal)) => Err(Rejected { transport, peer, refusal }),
        Err(Rejection::Foreign(answer, what)) => {
            node.note_refused(peer, &refusal(CloseCode::NotLink, what));
            let goodbye = transport.write_last(answer, CloseCode::NotLink);
            let _ = tokio::time::timeout(MOVE_TIME, goodbye).await;
            return;
        }
    };
    if let Err(rejected) = rejected {
        reject(&node, rejected).await;
    }
    drop(handshake);
}

pub(crate) async fn reject(node: &Shared, rejected: Rejected) {
    let Rejected { mut transport, peer, mut refusal } = rejected;
    if refusal.code == CloseCode::GoElsewhere {
        let all = std::mem::take(&mut refusal.elsewhere);
        refusal.elsewhere = suits(&all, transport.is_websocket()).cloned().collect();
    }
    node.note_refused(peer, &refusal);
    let bytes = refusal_frame(&refusal);
    let last = async {
        transport.write_last(&bytes, refusal.code).await?;
        // Read until the peer closes, or the refusal may be lost to a reset.
        let mut sink = [0; 1024];
        while !matches!(transport.read(&mut sink).await?, Read::End) {}
        Ok::<_, std::io::Error>(())
    };
    let _ = tokio::time::timeout(MOVE_TIME, last).await;
}

/// How a no is said. The codes of a connection, such as NotLink, are said with Close.
pub(crate) fn refusal_frame(refusal: &Refusal) -> Vec<u8> {
    let Refusal { code, game_code, text, retry_after, elsewhere, .. } = refusal;
    let mut bytes = Vec::new();
    if (200..300).contains(&code.number()) {
        Frame::Close(Close { code: *code, ack: 0, text }).write(&mut bytes);
    } else {
        let millis = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
        Refused::write_no(&mut bytes, *code, millis, text, *game_code, elsewhere);
    }
    bytes
}

/// The longest first frame taken.
pub(crate) fn first_frame_max(node: &Shared) -> u32 {
    let login = u32::try_from(node.config.limits.login_payload).unwrap_or(u32::MAX);
    login.saturating_add(wire::HANDSHAKE_OVERHEAD as u32)
}

async fn read_first(transport: &mut Transport, node: &Shared) -> Result<First, Rejection> {
    let limit = first_frame_max(node);
    let mut bytes = Vec::new();
    loop {
        match split(&bytes, limit) {
            Ok(Split::Whole { kind: wire::HELLO, body, .. }) => {
                return Ok(First::Hello(body.to_vec()));
            }
            Ok(Split::Whole { kind: wire::RESUME, body, .. }) => {
                return Ok(First::Resume(body.to_vec()));
            }
            Ok(Split::Whole { kind, .. }) => {
                let text =
                    format!("the first frame has type {kind:#04x}; Hello or Resume expected");
                return Err(Rejection::Refusal(refusal(CloseCode::ProtocolError, text)));
            }
            Ok(Split::Incomplete(_)) => {}
            Err(error) => return Err(judge(&bytes, &error)),
        }
        // Small: most strangers bring a few hundred bytes, and there may be many.
        let mut chunk = [0; 2048];
        match transport.read(&mut chunk).await {
            Ok(Read::Bytes(count)) => bytes.extend_from_slice(&chunk[..count]),
            Ok(Read::Message(message)) => bytes.extend_from_slice(&message),
            Ok(Read::Text) => {
                let text = "a text message; binary messages expected";
                return Err(Rejection::Refusal(refusal(CloseCode::TextFrame, text)));
            }
            Ok(Read::TooLarge) => {
                let text = "a message larger than any Hello";
                return Err(Rejection::Refusal(refusal(CloseCode::LoginTooLarge, text)));
            }
            Ok(Read::End) | Err(_) => return Err(Rejection::Gone),
        }
    }
}

/// What a length that cannot be means: mostly that somebody took the port for another one.
fn judge(bytes: &[u8], error: &FrameError) -> Rejection {
    const HTTP: [&[u8]; 7] = [b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"PRI "];
    if HTTP.iter().any(|method| bytes.starts_with(method)) {
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\
            \r\nContent-Length: 58\r\n\r\n\
            This port speaks the link protocol; pages are on another.\n";
        return Rejection::Foreign(answer, "HTTP on the link port");
    }
    if bytes.starts_with(&[0x16, 0x03]) {
        // A TLS alert: fatal, protocol_version.
        return Rejection::Foreign(&[0x15, 3, 1, 0, 2, 2, 70], "TLS on a plain port");
    }
    let code = match error.code() {
        CloseCode::TooLarge => CloseCode::LoginTooLarge,
        CloseCode::ProtocolError => CloseCode::BadHandshake,
        code => code,
    };
    Rejection::Refusal(refusal(code, error.to_string()))
}

async fn greet(
    worker: Rc<Worker>,
    transport: Transport,
    peer: SocketAddr,
    permit: ConnectionPermit,
    body: &[u8],
) -> Result<(), Box<Rejected>> {
    let node = Arc::clone(&worker.node);
    let (kind, hello, session_id) = match judge_hello(&node, peer, body) {
        Ok(judged) => judged,
        Err(refusal) => return Err(Box::new(Rejected { transport, peer, refusal })),
    };
    let newcomer = Newcomer {
        transport,
        session_id,
        secret: node.random_secret(),
        peer,
        game_version: hello.game_version().map(str::to_owned),
        login: hello.login.to_owned(),
        permit,
    };
    node.kinds[kind].start(worker, kind, newcomer).await
}

fn judge_hello<'a>(
    node: &Shared,
    peer: SocketAddr,
    body: &'a [u8],
) -> Result<(usize, Hello<'a>, SessionId), Refusal> {
    let hello = match Frame::read(wire::HELLO, body) {
        Ok(Frame::Hello(hello)) => hello,
        Ok(_) => return Err(refusal(CloseCode::BadHandshake, "no Hello")),
        Err(error) => return Err(refusal(error.code(), error.to_string())),
    };
    if let Some(tag) = hello.extensions.unknown_required() {
        let text = format!("the required extension {tag:#06x} is unknown");
        return Err(refusal(CloseCode::UnknownExtension, text));
    }
    if hello.login.len() > node.config.limits.login_payload {
        let (bytes, limit) = (hello.login.len(), node.config.limits.login_payload);
        let text = format!("a login payload of {bytes} bytes, where at most {limit} are taken");
        return Err(refusal(CloseCode::LoginTooLarge, text));
    }
    let Some(kind) = node.kind_named(hello.kind) else {
        let text = format!("no session kind `{}` is served here", hello.kind.escape_debug());
        return Err(refusal(CloseCode::UnknownKind, text));
    };
    if node.is_stopping() {
        return Err(later(CloseCode::NotYet, "the node is stopping"));
    }
    node.takes_logins()?;
    let session_id = node.random_id();
    let game_version = hello.game_version();
    let arrival = Arrival { peer, session_id, key: None, game_version, resumes: false };
    node.admit(&arrival)?;
    Ok((kind, hello, session_id))
}

fn judge_resume(body: &[u8]) -> Result<SessionId, Refusal> {
    let resume: Resume<'_> = match Frame::read(wire::RESUME, body) {
        Ok(Frame::Resume(resume)) => resume,
        Ok(_) => return Err(refusal(CloseCode::BadHandshake, "no Resume")),
        Err(error) => return Err(refusal(error.code(), error.to_string())),
    };
    match resume.extensions.unknown_required() {
        Some(tag) => {
            let text = format!("the required extension {tag:#06x} is unknown");
            Err(refusal(CloseCode::UnknownExtension, text))
        }
        None => Ok(resume.session_id),
    }
}

/// Turns a connection away before a word was said: a limit is reached.
pub(crate) async fn turn_away(node: Arc<Shared>, mut transport: Transport, peer: SocketAddr) {
    let refusal = overloaded("a limit of connections is reached");
    node.note_refused(peer, &refusal);
    let bytes = refusal_frame(&refusal);
    // No lingering here: who is over the limit gets one write.
    let _ = tokio::time::timeout(MOVE_TIME, transport.write_last(&bytes, refusal.code)).await;
}
