//! A client of the bare echo, as lean as its server.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::echo::PAYLOAD_MAX;
use crate::error::Error;
use crate::roles::bare_server::write;
use crate::roles::drive::{EchoEnd, Talk};

/// Bytes of the length prefix.
pub(crate) const PREFIX: usize = 4;

/// Bytes taken by one read.
const READ_MAX: usize = 64 * 1024;

/// The payload of the first frame of the input, if it is whole.
pub(crate) fn frame(input: &[u8]) -> Result<Option<&[u8]>, Error> {
    let Some(&prefix) = input.first_chunk::<PREFIX>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > PAYLOAD_MAX {
        return Err(Error::Framing(format!("{length} bytes in a frame")));
    }
    Ok(input.get(PREFIX..PREFIX + length))
}

/// One connection to the bare echo.
#[derive(Debug)]
pub(crate) struct BareClient {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl BareClient {
    fn push(&mut self, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.output.extend_from_slice(&length.to_be_bytes());
        self.output.extend_from_slice(payload);
    }

    /// Handles every whole frame that is there; the rest waits for more.
    fn handle(&mut self, talk: &mut Talk) -> Result<(), Error> {
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while let Some(answer) = frame(rest)? {
            rest = &rest[PREFIX + answer.len()..];
            if let Some(message) = talk.next(answer) {
                self.push(message);
            }
        }
        let handled = input.len() - rest.len();
        self.input = input;
        self.input.drain(..handled);
        Ok(())
    }
}

impl EchoEnd for BareClient {
    async fn connect(target: &str) -> Result<Self, Error> {
        let failed = || Error::io("connecting to the bare echo");
        let mut stream = TcpStream::connect(target).await.map_err(failed())?;
        stream.set_nodelay(true).map_err(failed())?;
        // One empty frame there and back: then the server's task is there, as a login makes sure
        // of.
        stream.write_all(&[0; PREFIX]).await.map_err(failed())?;
        let mut answer = [0; PREFIX];
        stream.read_exact(&mut answer).await.map_err(failed())?;
        Ok(Self { stream, input: Vec::new(), output: Vec::new() })
    }

    async fn slice(&mut self, talk: &mut Talk) -> Result<(), Error> {
        let broken = || Error::io("a connection to the bare echo");
        for _ in 0..talk.window {
            let message = talk.first();
            self.push(message);
        }
        while talk.in_flight > 0 {
            write(&self.stream, &mut self.output).map_err(broken())?;
            let blocked = !self.output.is_empty();
            self.input.reserve(READ_MAX);
            let (mut reader, writer) = self.stream.split();
            let count = tokio::select! {
                count = reader.read_buf(&mut self.input) => count.map_err(broken())?,
                ready = writer.writable(), if blocked => {
                    ready.map_err(broken())?;
                    continue;
                }
            };
            if count == 0 {
                return Err(Error::Framing("closed by the server".to_owned()));
            }
            self.handle(talk)?;
        }
        Ok(())
    }

    async fn paced(&mut self, _: &mut Talk) -> Result<(), Error> {
        let why = "the bare echo is measured as fast as it goes".to_owned();
        Err(Error::Client { what: "be paced", why })
    }

    async fn idle(&mut self) -> bool {
        let mut end = [0];
        // Nothing is ever sent to an idle client: whatever comes is the end.
        let _ = self.stream.read(&mut end).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_whole_or_not_there() {
        let bytes = [0, 0, 0, 2, 7, 8, 0, 0];
        assert_eq!(frame(&bytes).unwrap(), Some(&[7, 8][..]));
        assert_eq!(frame(&bytes[..5]).unwrap(), None);
        assert_eq!(frame(&bytes[..3]).unwrap(), None);
        assert_eq!(frame(&[0; 4]).unwrap(), Some(&[][..]));
        assert!(frame(&[255; 4]).is_err());
    }
}
