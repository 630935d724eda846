//! Whether a node is ready: `GET /readyz` on its admin address, again and again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

use super::rotation::{Finding, Rotation};

/// A node that drains is out at most so long after it said so.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// A check without an answer for so long has failed.
const CHECK_TIME: Duration = Duration::from_secs(1);

/// Of an answer, no more is read: its status and the reason are at the front.
const ANSWER_BYTES_MAX: usize = 1024;

/// Of a node's reason, no more is logged.
const REASON_CHARS_MAX: usize = 120;

/// Asks one node for ever.
pub(super) async fn watch(rotation: Arc<Rotation>, node: usize) {
    let admin = rotation.nodes()[node].admin;
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        rotation.note(node, check(admin).await);
    }
}

/// Asks once.
async fn check(admin: SocketAddr) -> Finding {
    let mut answer = Vec::new();
    let asked = tokio::time::timeout(CHECK_TIME, ask(admin, &mut answer)).await;
    if let Some(finding) = judge(&answer) {
        return finding;
    }
    match asked {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Finding::Out(format!("nothing listens on its admin address, {admin}"))
        }
        Ok(Err(error)) => Finding::Failed(format!("health check on {admin}: {error}")),
        Ok(Ok(())) => Finding::Failed(format!("health check on {admin}: no answer of HTTP")),
        Err(_) => Finding::Failed(format!("health check on {admin}: no answer in {CHECK_TIME:?}")),
    }
}

/// Reads until the end, the limit or a status that needs no reason.
async fn ask(admin: SocketAddr, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut stream = stream.take(ANSWER_BYTES_MAX as u64);
    while stream.read_buf(answer).await? > 0 {
        if judge(answer) == Some(Finding::Ready) {
            break;
        }
    }
    Ok(())
}

/// What an answer means, once its first line is there.
fn judge(answer: &[u8]) -> Option<Finding> {
    let text = String::from_utf8_lossy(answer);
    let (line, _) = text.split_once("\r\n")?;
    let mut words = line.split(' ');
    let status = words.next()?.strip_prefix("HTTP/1.").and_then(|_| words.next())?;
    if status == "200" {
        return Some(Finding::Ready);
    }
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    let reason = body.chars().take(REASON_CHARS_MAX).collect::<String>();
    Some(match (status, reason.escape_debug()) {
        ("503", reason) => Finding::Out(format!("it is not ready ({reason})")),
        (_, reason) => Finding::Failed(format!("/readyz answers {status} ({reason})")),
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn only_200_is_ready_and_a_node_may_say_why_it_is_not() {
        assert_eq!(judge(b"HTTP/1.1 200 OK\r\n"), Some(Finding::Ready));
        assert_eq!(judge(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n"), Some(Finding::Ready));
        let draining = judge(b"HTTP/1.1 503 No\r\nA: b\r\n\r\ndraining\nnow").unwrap();
        assert_eq!(draining, Finding::Out("it is not ready (draining\\nnow)".into()));
        let odd = judge(b"HTTP/1.1 404 Not Found\r\n\r\n");
        assert!(matches!(odd, Some(Finding::Failed(_))));
        for nothing in [&b""[..], b"HTTP/1.1 200 OK", b"SSH-2.0\r\n", b"HTTP/1.1\r\n", b"\xff\r\n"]
        {
            assert_eq!(judge(nothing), None, "{}", nothing.escape_ascii());
        }
    }

    /// Checks a server that answers with these bytes and closes.
    async fn checked(answer: &'static [u8]) -> Finding {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let admin = listener.local_addr().unwrap();
        let server = async {
            let mut stream = listener.accept().await.unwrap().0;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            assert!(request.starts_with(b"GET /readyz HTTP/1.1\r\n"));
            // The asker may have read enough.
            let _ = stream.write_all(answer).await;
        };
        tokio::join!(check(admin), server).0
    }

    #[tokio::test]
    async fn a_check_tells_a_node_that_is_ready_from_one_that_is_not() {
        assert_eq!(checked(b"HTTP/1.1 200 OK\r\n\r\nready").await, Finding::Ready);
        assert!(matches!(checked(b"HTTP/1.1 503 No\r\n\r\nfull").await, Finding::Out(_)));
        assert!(matches!(checked(b"").await, Finding::Failed(_)));
        assert!(matches!(checked(&[b'x'; 5_000]).await, Finding::Failed(_)));
    }

    #[tokio::test]
    async fn a_node_that_is_gone_is_out_at_once() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let admin = listener.local_addr().unwrap();
        drop(listener);
        assert!(matches!(check(admin).await, Finding::Out(_)));
    }
}
