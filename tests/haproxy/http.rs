//! Plain requests, as a browser or an operator makes them.

use std::net::SocketAddr;

use throughline_tests::watch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The whole answer: head and body.
pub(crate) async fn get(at: SocketAddr, path: &str) -> String {
    ask(at, "GET", path).await
}

/// The whole answer to this request; empty if there is none.
pub(crate) async fn ask(at: SocketAddr, method: &str, path: &str) -> String {
    watch::soon(path, try_ask(at, method, path)).await.unwrap_or_default()
}

async fn try_ask(at: SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
