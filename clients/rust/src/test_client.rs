//! A client for a game's own tests and for load: typed messages, deadlines, errors that say what
//! came instead. Not for games: it waits with `receive` and hides repairs.

use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout_at};

use crate::{
    Client, CloseCode, ConnectError, Event, Options, SendError, Stats, defaults::PATIENCE,
};

/// How messages of a game are written and read.
pub trait MessageCodec {
    /// Writes a message.
    ///
    /// # Errors
    /// What the encoder says.
    fn encode<T: Serialize + ?Sized>(&self, message: &T) -> Result<Vec<u8>, CodecError>;

    /// Reads a message.
    ///
    /// # Errors
    /// What the decoder says.
    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError>;
}

/// What an encoder or decoder says.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// JSON, the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl MessageCodec for Json {
    fn encode<T: Serialize + ?Sized>(&self, message: &T) -> Result<Vec<u8>, CodecError> {
        Ok(serde_json::to_vec(message)?)
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Why a step of a test failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// Nothing, or nothing that was expected, came in time.
    #[error("waited {waited:?} in vain; {others} other messages came, the last: {last}")]
    Timeout {
        /// How long.
        waited: Duration,
        /// How many messages came that were not expected.
        others: usize,
        /// The last of them, as text.
        last: String,
    },
    /// The session ended.
    #[error("the session ended: {0} {1}")]
    Ended(CloseCode, String),
    /// The client gave up repairing.
    #[error("the connection broke and was not repaired")]
    RepairFailed,
    /// A message could not be sent.
    #[error("not sent: {0}")]
    Send(#[from] SendError),
    /// A message could not be written by the codec.
    #[error("not encoded: {0}")]
    Encode(#[source] CodecError),
    /// A message could not be read by the codec.
    #[error("cannot read {bytes:?}: {why}")]
    Decode {
        /// The message.
        bytes: Bytes,
        /// What the decoder says.
        why: CodecError,
    },
}

/// A client with typed messages and deadlines. Driven by its own calls, like [`Client`].
#[derive(Debug)]
pub struct TestClient<C = Json> {
    client: Client,
    codec: C,
}

impl TestClient<Json> {
    /// Connects; messages are JSON.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        Self::with_codec(options, Json).await
    }
}

impl<C: MessageCodec> TestClient<C> {
    /// Connects; messages are written and read by `codec`.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn with_codec(options: Options, codec: C) -> Result<Self, ConnectError> {
        Ok(Self { client: Client::connect(options).await?, codec })
    }

    /// Sends a message and writes it; waits at the window.
    ///
    /// # Errors
    /// [`TestError::Encode`] or [`TestError::Send`].
    pub async fn send<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<(), TestError> {
        let bytes = self.codec.encode(message).map_err(TestError::Encode)?;
        self.send_bytes(bytes).await
    }

    /// Sends raw bytes and writes them; waits at the window.
    ///
    /// # Errors
    /// [`TestError::Send`].
    pub async fn send_bytes(&mut self, message: impl AsRef<[u8]>) -> Result<(), TestError> {
        self.client.send(message).await?;
        self.client.flush().await;
        Ok(())
    }

    /// The next message, within `within`; repairs are waited for.
    ///
    /// # Errors
    /// [`TestError`], other than of sending.
    pub async fn receive<T: DeserializeOwned>(&mut self, within: Duration) -> Result<T, TestError> {
        let bytes = self.receive_bytes(within).await?;
        self.decode(bytes)
    }

    /// The next message as bytes, within `within`; repairs are waited for.
    ///
    /// # Errors
    /// [`TestError`], other than of sending and codecs.
    pub async fn receive_bytes(&mut self, within: Duration) -> Result<Bytes, TestError> {
        let waited = within;
        self.message_until(Instant::now() + within).await?.ok_or_else(|| TestError::Timeout {
            waited,
            others: 0,
            last: "none".to_owned(),
        })
    }

    /// The first message that is `wanted`, within [`PATIENCE`]; others are skipped.
    ///
    /// # Errors
    /// [`TestError`], other than of sending.
    pub async fn expect<T: DeserializeOwned>(
        &mut self,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Result<T, TestError> {
        let deadline = Instant::now() + PATIENCE;
        let (mut others, mut last) = (0, Bytes::from_static(b"none"));
        loop {
            let Some(bytes) = self.message_until(deadline).await? else {
                let last = String::from_utf8_lossy(&last).into_owned();
                return Err(TestError::Timeout { waited: PATIENCE, others, last });
            };
            let message = self.decode(bytes.clone())?;
            if wanted(&message) {
                return Ok(message);
            }
            others += 1;
            last = bytes;
        }
    }

    /// The next event of any kind, within `within`; `None` if there was none.
    pub async fn next_event(&mut self, within: Duration) -> Option<Event> {
        timeout_at(Instant::now() + within, self.client.next()).await.ok()
    }

    /// Drops the connection as a network would; the next call repairs it.
    pub fn cut(&mut self) {
        self.client.cut();
    }

    /// Counters of this session.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.client.stats()
    }

    /// The client behind it, for everything else.
    pub const fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Ends the session; see [`Client::leave`].
    pub async fn leave(&mut self) {
        self.client.leave().await;
    }

    fn decode<T: DeserializeOwned>(&self, bytes: Bytes) -> Result<T, TestError> {
        self.codec.decode(&bytes).map_err(|why| TestError::Decode { bytes, why })
    }

    async fn message_until(&mut self, deadline: Instant) -> Result<Option<Bytes>, TestError> {
        loop {
            match timeout_at(deadline, self.client.next()).await {
                Err(_) => return Ok(None),
                Ok(Event::Message(bytes)) => return Ok(Some(bytes)),
                Ok(Event::Ended(code, text)) => return Err(TestError::Ended(code, text)),
                Ok(Event::RepairFailed) => return Err(TestError::RepairFailed),
                Ok(_) => {}
            }
        }
    }
}
