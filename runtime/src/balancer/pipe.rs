//! Bytes between a client and a node, both ways.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// One direction of one connection. A frame of a game is far smaller; a page takes a few rounds.
pub(super) const COPY_BYTES: usize = 4 * 1024;

/// After one direction has ended the other one has this long. A node that closes has said all it
/// had to say, and a client that has vanished never closes.
const HALF_CLOSED_TIME: Duration = Duration::from_secs(60);

/// Who takes not even one buffer in so long is gone: a node would have given it up long before, and
/// what the other side does is not seen meanwhile.
const STALLED_TIME: Duration = Duration::from_secs(60);

/// How a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The reader closed; that was passed on.
    Closed,
    /// The reader broke off, or the writer took nothing for too long.
    Reset,
    /// The writer takes no more. What it still has to say comes the other way.
    Deaf,
}

/// Copies until both sides are done, and passes on how they ended.
pub(super) async fn pipe(mut client: TcpStream, mut node: TcpStream) {
    let is_reset = {
        let (from_client, to_client) = client.split();
        let (from_node, to_node) = node.split();
        let (up, down) = (copy(from_client, to_node), copy(from_node, to_client));
        tokio::pin!(up, down);
        tokio::select! {
            first = &mut up => first == End::Reset || is_reset(down).await,
            first = &mut down => first == End::Reset || is_reset(up).await,
        }
    };
    if is_reset {
        // Dropped so, the other side sees a reset as well, and not an orderly end.
        let _ = client.set_zero_linger();
        let _ = node.set_zero_linger();
    }
}

/// Waits for the second direction.
async fn is_reset(direction: impl Future<Output = End>) -> bool {
    tokio::time::timeout(HALF_CLOSED_TIME, direction).await == Ok(End::Reset)
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> End {
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => {
                // Fails if the other side has gone already.
                let _ = to.shutdown().await;
                return End::Closed;
            }
            Ok(count) => {
                let write = to.write_all(&buffer[..count]);
                match tokio::time::timeout(STALLED_TIME, write).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return End::Deaf,
                    Err(_) => return End::Reset,
                }
            }
            Err(_) => return End::Reset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn p9_a_connection_whose_client_never_reads_is_given_up() {
        let (mut node, from) = tokio::io::duplex(2 * COPY_BYTES);
        let (to, client) = tokio::io::duplex(COPY_BYTES);
        node.write_all(&[7; 2 * COPY_BYTES]).await.expect("room");
        let given_up = copy(from, to);
        let in_time = tokio::time::timeout(STALLED_TIME * 2, given_up).await;
        assert_eq!(in_time, Ok(End::Reset));
        drop(client);
    }
}
