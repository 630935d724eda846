//! What an HTTP client is told when no node is ready.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time for the request to come in and for the answer to be taken.
const GOODBYE_TIME: Duration = Duration::from_secs(5);

/// Of what the client sends, no more is read.
const REQUEST_BYTES_MAX: u64 = 16 * 1024;

const PAGE: &str = "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=2>\
    <title>No node is ready</title>\
    <p>No node of the cluster is ready. This page tries again every two seconds.\n";

/// Answers 503 and closes.
pub(super) async fn answer(mut client: TcpStream) {
    let text = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\n\
         Retry-After: 1\r\nCache-Control: no-store\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{PAGE}",
        PAGE.len()
    );
    let said = async {
        client.write_all(text.as_bytes()).await?;
        client.shutdown().await?;
        // Read until the client closes, or the answer may be lost to a reset.
        let mut sink = [0; 1024];
        let mut client = client.take(REQUEST_BYTES_MAX);
        while client.read(&mut sink).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let _ = tokio::time::timeout(GOODBYE_TIME, said).await;
}
