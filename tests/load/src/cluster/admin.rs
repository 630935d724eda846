//! What a node's admin listener says, over plain HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::Error;

/// An admin answer: counters, a few KiB.
const ANSWER_MAX: u64 = 1024 * 1024;

/// A node that does not answer within this is not there.
const WITHIN: Duration = Duration::from_secs(2);

/// Gets a JSON document.
pub(super) async fn get(address: &str, path: &str) -> Result<Value, Error> {
    let asked = format!("asking http://{address}{path}");
    let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    let text = timeout(WITHIN, text(address, path)).await.map_err(late).and_then(|text| text);
    let text = text.map_err(Error::io(asked.clone()))?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).map_err(|source| Error::Answer {
        role: asked,
        found: text.chars().take(200).collect(),
        source,
    })
}

async fn text(address: &str, path: &str) -> std::io::Result<String> {
    let invalid = |_| std::io::ErrorKind::InvalidInput;
    let address: SocketAddr = address.parse().map_err(invalid)?;
    let mut stream = TcpStream::connect(address).await?;
    // Version 1.0: the answer comes whole, and its end is the connection's.
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut text).await?;
    Ok(text)
}
