//! One try to connect, and the proofs on the client's side.

use std::io;

use bytes::BytesMut;
use tokio::time::timeout;

use crate::frame::Frame;
use crate::limits::HANDSHAKE_TIMEOUT;
use crate::proof::{Side, Transcript};
use crate::stream::{ReceiveError, Stream};
use crate::wire::{REFUSED_SECRET, REFUSED_VERSION, VERSION_MAX, VERSION_MIN};
use crate::{ConnectError, Options};

/// A connection to the hub, and what came behind its Welcome.
pub(crate) struct Dialed {
    pub(crate) stream: Stream,
    pub(crate) input: BytesMut,
}

/// Why a try failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("the handshake failed: {0}")]
    Receive(#[from] ReceiveError),
    #[error("no answer within {HANDSHAKE_TIMEOUT:?}")]
    TooSlow,
    #[error("it sent a frame that does not belong in a handshake")]
    Misplaced,
    #[error("it refuses this secret")]
    WrongSecret,
    #[error("it does not know the secret itself")]
    NotTheHub,
    #[error("it speaks another version: {0}")]
    Version(String),
    #[error("it refused: {0}")]
    Refused(String),
}

impl DialError {
    /// Whether only people can help, so that it is reported rather than tried again.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::WrongSecret | Self::NotTheHub | Self::Version(_))
    }

    /// As the answer of a first connect.
    pub(crate) fn into_connect_error(self, options: &Options) -> ConnectError {
        let address = options.address.clone();
        match self {
            Self::WrongSecret => ConnectError::WrongSecret { address },
            Self::NotTheHub => ConnectError::NotTheHub { address },
            Self::Version(text) => ConnectError::Version { address, text },
            other => ConnectError::Away { address, reason: other.to_string() },
        }
    }
}

/// Connects and proves, within [`HANDSHAKE_TIMEOUT`].
pub(crate) async fn dial(options: &Options) -> Result<Dialed, DialError> {
    timeout(HANDSHAKE_TIMEOUT, try_dial(options)).await.unwrap_or(Err(DialError::TooSlow))
}

async fn try_dial(options: &Options) -> Result<Dialed, DialError> {
    let stream = Stream::connect(&options.address).await.map_err(DialError::Connect)?;
    let mut input = BytesMut::new();
    let mut client_nonce = [0; 32];
    getrandom::fill(&mut client_nonce)
        .map_err(|error| DialError::Connect(io::Error::other(error)))?;
    let (version_min, version_max) = (VERSION_MIN, VERSION_MAX);
    let hello = Frame::Hello { version_min, version_max, nonce: client_nonce };
    stream.send(&hello).await.map_err(ReceiveError::Io)?;

    let (version, hub_nonce) = match stream.receive(&mut input).await? {
        Frame::Challenge { version, nonce } => (version, nonce),
        other => return Err(refused(other)),
    };
    if !(VERSION_MIN..=VERSION_MAX).contains(&version) {
        return Err(DialError::Version(format!("it chose {version}")));
    }
    let said = Transcript { version_min, version_max, version, client_nonce, hub_nonce };
    let proof = said.proof(&options.secret, Side::Client);
    stream.send(&Frame::Proof { proof }).await.map_err(ReceiveError::Io)?;
    match stream.receive(&mut input).await? {
        Frame::Welcome { proof } if said.verify(&options.secret, Side::Hub, &proof) => {
            Ok(Dialed { stream, input })
        }
        Frame::Welcome { .. } => Err(DialError::NotTheHub),
        other => Err(refused(other)),
    }
}

fn refused(frame: Frame) -> DialError {
    match frame {
        Frame::Refused { code: REFUSED_SECRET, .. } => DialError::WrongSecret,
        Frame::Refused { code: REFUSED_VERSION, text } => DialError::Version(text),
        Frame::Refused { text, .. } => DialError::Refused(text),
        _ => DialError::Misplaced,
    }
}
