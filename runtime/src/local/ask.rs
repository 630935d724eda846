//! Asks a process how it is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use throughline_store::Store as _;
use throughline_store_hub::{Address, HubStore, Options, Secret};
use tokio::net::TcpStream;

use super::status::Status;

/// Nodes of this machine answer within milliseconds, unless they hang.
const ANSWER_TIME: Duration = Duration::from_millis(900);

/// A status has some hundreds of bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A starting process is looked at so often: quick enough not to be noticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why an admin listener gave no answer, or refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("no answer in time")]
    TimedOut,
    #[error("not reached: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("its answer cannot be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("{0}: {1}")]
    Refused(StatusCode, String),
}

/// How a process shows that it serves.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    /// It is the hub of this Unix socket, and knows the secret in this file.
    Hub { socket: PathBuf, secret: PathBuf },
    /// It listens on this port.
    Port(SocketAddr),
    /// Its admin listener says that it is ready.
    Ready(SocketAddr),
}

impl Probe {
    /// Waits until the process serves, for ever if need be.
    pub(super) async fn holds(&self) {
        while !self.look().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self) -> bool {
        match self {
            Self::Hub { socket, secret } => has_hub(socket, secret).await,
            Self::Port(address) => TcpStream::connect(address).await.is_ok(),
            Self::Ready(admin) => ask(*admin, Method::GET, "/readyz").await.is_ok(),
        }
    }
}

/// Whether a hub answers there. A connection alone says less, and the hub would report it.
async fn has_hub(socket: &Path, secret: &Path) -> bool {
    let secret = std::fs::read(secret).ok().and_then(|secret| Secret::new(secret).ok());
    let Some(secret) = secret.filter(|_| socket.exists()) else { return false };
    let address = Address::Unix(socket.to_owned());
    match HubStore::connect(Options::new(address, secret)).await {
        Ok(store) => store.close().await.is_ok(),
        Err(_) => false,
    }
}

/// The status of the node with this admin listener.
pub(super) async fn status(admin: SocketAddr) -> Result<Status, AskError> {
    let answer = ask(admin, Method::GET, "/status").await?;
    serde_json::from_slice(&answer).map_err(|error| AskError::Body(error.into()))
}

/// Begins a drain of the node with this admin listener.
pub(super) async fn drain(admin: SocketAddr) -> Result<(), AskError> {
    ask(admin, Method::POST, "/drain").await.map(drop)
}

async fn ask(admin: SocketAddr, method: Method, path: &str) -> Result<Bytes, AskError> {
    let answer = tokio::time::timeout(ANSWER_TIME, exchange(admin, method, path)).await;
    let (status, body) = answer.map_err(|_| AskError::TimedOut)??;
    if status.is_success() {
        return Ok(body);
    }
    let text = String::from_utf8_lossy(&body);
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    Err(AskError::Refused(status, text))
}

async fn exchange(
    admin: SocketAddr,
    method: Method,
    path: &str,
) -> Result<(StatusCode, Bytes), AskError> {
    let stream = TokioIo::new(TcpStream::connect(admin).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let request = Request::builder().method(method).uri(path).header("host", admin.to_string());
    // Paths are constants of this program, and an address is a valid header.
    let request = request.body(Empty::<Bytes>::new()).expect("a constant path and an address fit");
    // It ends with the answer: the stream is dropped with the sender.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(AskError::Body)?.to_bytes()))
}
