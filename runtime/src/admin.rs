//! The listener for operators: HTTP on this machine only, JSON answers.
//!
//! It asks nobody who they are, so it listens on loopback addresses only (`Config::validate`
//! refuses others), and answers no web page: a request with an `Origin`, or for a host that is not
//! this machine, is refused, whatever a browser was lured into. What it may be asked is in
//! `route`; `docs/operating.md` shows it.

mod act;
mod answer;
mod guard;
mod route;

use std::convert::Infallible;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::node::Shared;

/// Connections at once: a few people, probes and collectors.
const CONNECTIONS_MAX: usize = 64;

/// Request heads, at most; also what is read at once.
const HEAD_MAX: usize = 16 * 1024;

/// Time for a head, and for a body, to arrive.
const READ_TIME: Duration = Duration::from_secs(5);

/// A connection ends after this, however busy it is; who goes on opens another.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// After an error of `accept`, such as no free file descriptor, nothing is accepted for so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one connection too many gets.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// Serves operators until the runtime that it runs on ends: a node that stops or drains still says
/// so.
pub(crate) async fn serve(node: Arc<Shared>, listener: TcpListener) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("cannot listen for operators: {error}");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn!("cannot accept an operator's connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                tokio::spawn(converse(Arc::clone(&node), stream, place));
            }
            Err(_) => turn_away(stream),
        }
    }
}

/// Says no in one write that waits for nothing.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(FULL);
    }
}

async fn converse(node: Arc<Shared>, stream: TcpStream, place: OwnedSemaphorePermit) {
    let service = service_fn(|request: Request<Incoming>| {
        let node = Arc::clone(&node);
        async move { Ok::<_, Infallible>(act::answer(&node, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIME)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIME, serving).await {
        log::debug!("HTTP with an operator: {error}");
    }
    drop(place);
}
