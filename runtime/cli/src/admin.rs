//! Asking one node's admin listener: one connection, one request, one answer.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::Value;
use tokio::net::TcpStream;

/// A node of this machine accepts at once.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// A node that works answers in milliseconds. Longer than it keeps a question open when asked to
/// wait for its drain.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The longest answer taken: a page of 1,000 sessions has a fifth of it.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a node is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) method: Method,
    /// With the query, if there is one.
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Question {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: String::new() }
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self { method: Method::POST, ..Self::get(path) }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }
}

/// Why a node did not do what was asked. Each names the node's address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody is there. Retrying helps once the node runs.
    #[error(
        "no node answers at {address} ({source}): check that it runs, and that this is its \
         admin.listen; another address is given with --admin"
    )]
    Unreachable { address: String, source: io::Error },
    /// It took the connection, and no more.
    #[error(
        "the node at {address} does not answer within {seconds} s: it hangs, or something else \
         listens there; its log says more",
        seconds = ANSWER_TIME.as_secs()
    )]
    TimedOut { address: String },
    /// The connection broke before the answer was whole: whether it was done is not known.
    #[error("the node at {address} went away before its answer was whole ({source})")]
    Broken { address: String, source: hyper::Error },
    /// Something else listens there.
    #[error(
        "what listens at {address} is no admin listener of a node (it answered {status}): check \
         the port; a node's is its admin.listen"
    )]
    NotANode { address: String, status: StatusCode },
    /// The node says no, and why.
    #[error("the node at {address} says no: {text}")]
    Refused { address: String, status: StatusCode, text: String },
}

impl AskError {
    /// Whether the node says that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether nobody is there, or no longer.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. })
    }
}

/// What stays as it is in a part of a path: with it, ids and most names can be read.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Text of the command line as a part of a path.
pub(crate) fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, PART)
}

/// Asks the node at `address`; its answer is a JSON object.
pub(crate) async fn ask(address: &str, question: &Question) -> Result<Value, AskError> {
    let unreachable = |source| AskError::Unreachable { address: address.to_owned(), source };
    let stream = match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(unreachable)?,
        Err(_) => return Err(unreachable(io::ErrorKind::TimedOut.into())),
    };
    let answer = tokio::time::timeout(ANSWER_TIME, exchange(address, stream, question)).await;
    let (status, body) = match answer {
        Ok(answer) => answer?,
        Err(_) => return Err(AskError::TimedOut { address: address.to_owned() }),
    };
    let not_a_node = || AskError::NotANode { address: address.to_owned(), status };
    let value: Value = serde_json::from_slice(&body).map_err(|_| not_a_node())?;
    if status.is_success() {
        return if value.is_object() { Ok(value) } else { Err(not_a_node()) };
    }
    let text = value["error"].as_str().ok_or_else(not_a_node)?.to_owned();
    Err(AskError::Refused { address: address.to_owned(), status, text })
}

async fn exchange(
    address: &str,
    stream: TcpStream,
    question: &Question,
) -> Result<(StatusCode, Bytes), AskError> {
    let broken = |source| AskError::Broken { address: address.to_owned(), source };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the answer, since `sender` is dropped then.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(&question.method)
        .uri(&question.path)
        .header(header::HOST, address)
        .header(header::ACCEPT, "application/json")
        .body(Full::new(Bytes::from(question.body.clone())));
    // What does not fit into a request was refused with the command line.
    let request = request.expect("the command line was checked for what does not fit into it");
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    match body {
        Ok(body) => Ok((status, body.to_bytes())),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => broken(*error),
            // No node answers with so much.
            Err(_) => AskError::NotANode { address: address.to_owned(), status },
        }),
    }
}
