//! HTTP by hand: what is sent is what the test says.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::watch;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Why it says no.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("no error: {self:?}")).to_owned()
    }
}

/// Sends these bytes; the answer is what comes until the connection ends.
pub(crate) async fn send(admin: SocketAddr, request: &[u8]) -> Answer {
    let text = watch::soon("an answer", async {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        // A node that says no before it has read all of it closes: what it said counts.
        let _ = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    })
    .await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (head, body) = (head.to_ascii_lowercase(), body.to_owned());
    Answer { status: status.unwrap_or_else(|| panic!("no status: {head:?}")), head, body }
}

/// Sends a request with these further header lines.
pub(crate) async fn ask(
    admin: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let host = if headers.iter().any(|line| line.starts_with("Host:")) {
        String::new()
    } else {
        format!("Host: {admin}\r\n")
    };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{host}{lines}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    send(admin, request.as_bytes()).await
}

pub(crate) async fn get(admin: SocketAddr, path: &str) -> Answer {
    ask(admin, "GET", path, &[], "").await
}

pub(crate) async fn post(admin: SocketAddr, path: &str, body: &str) -> Answer {
    ask(admin, "POST", path, &[], body).await
}
