//! How the messages of a game become bytes.

mod cbor;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// The encoding of a session kind's messages: `Session::CODEC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// CBOR (RFC 8949): compact, and the default.
    Cbor,
    /// JSON (RFC 8259): what browsers read without help.
    Json,
}

impl Codec {
    /// Appends a value.
    ///
    /// # Errors
    /// [`EncodeError`]: this codec cannot write it.
    pub fn encode<T: Serialize + ?Sized>(
        self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        encode(self, value, out)
    }

    /// Reads a value, and nothing behind it; nested 32 deep at most.
    ///
    /// # Errors
    /// [`DecodeError`]: the bytes are no such value.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, DecodeError> {
        decode(self, bytes)
    }
}

/// Bytes of the game's own encoding: `type In = Raw; type Out = Raw;`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw(pub Bytes);

impl From<Vec<u8>> for Raw {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// Bytes that are no message of the expected type. The sender's fault; the same bytes fail again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not well-formed CBOR: cut short, lengths that lie, nested deeper than 32, or trailing bytes.
    #[error("not well-formed CBOR: {0}")]
    Malformed(&'static str),
    /// Well-formed, but not the type that was expected. What is wrong in detail may quote the
    /// message, so it is here for the game, and not in the error's text, which ends up in logs.
    #[error("not of the type expected")]
    Unexpected(String),
}

impl DecodeError {
    /// What is wrong, without a word of the message itself: for the log.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::Malformed(what) => what,
            Self::Unexpected(_) => "not of the type expected",
        }
    }
}

/// A value that its codec cannot write, such as a JSON map with keys that are no text. The game's
/// fault; the same value fails again.
#[derive(Debug, thiserror::Error)]
#[error("the value cannot be encoded: {0}")]
pub struct EncodeError(String);

/// What a session can receive: every `DeserializeOwned` type, or [`Raw`].
pub trait Incoming: Sized + 'static {
    /// Reads a message.
    ///
    /// # Errors
    /// [`DecodeError`]: the bytes are no such message.
    fn decode(codec: Codec, bytes: &[u8]) -> Result<Self, DecodeError>;
}

/// What a session can send: every `Serialize` type, or [`Raw`].
pub trait Outgoing: 'static {
    /// Appends the message to `out`.
    ///
    /// # Errors
    /// [`EncodeError`]: the codec cannot write this value.
    fn encode(&self, codec: Codec, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<T: DeserializeOwned + 'static> Incoming for T {
    fn decode(codec: Codec, bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(codec, bytes)
    }
}

impl Incoming for Raw {
    #[inline]
    fn decode(_: Codec, bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self(Bytes::copy_from_slice(bytes)))
    }
}

impl<T: Serialize + 'static> Outgoing for T {
    fn encode(&self, codec: Codec, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode(codec, self, out)
    }
}

impl Outgoing for Raw {
    #[inline]
    fn encode(&self, _: Codec, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

/// Reads a value of any type; see [`Incoming`].
pub(crate) fn decode<T: DeserializeOwned>(codec: Codec, bytes: &[u8]) -> Result<T, DecodeError> {
    match codec {
        Codec::Cbor => cbor::decode(bytes),
        Codec::Json => serde_json::from_slice(bytes)
            .map_err(|error| DecodeError::Unexpected(format!("not the JSON expected: {error}"))),
    }
}

/// Appends a value of any type; see [`Outgoing`].
pub(crate) fn encode<T: Serialize + ?Sized>(
    codec: Codec,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    match codec {
        Codec::Cbor => cbor::encode(value, out),
        Codec::Json => {
            serde_json::to_writer(out, value).map_err(|error| EncodeError(error.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_bytes_and_serde_types_are_both_messages() {
        let mut out = Vec::new();
        Raw::from(vec![1, 2]).encode(Codec::Cbor, &mut out).unwrap();
        assert_eq!(Raw::decode(Codec::Cbor, &out).unwrap(), Raw::from(vec![1, 2]));
        for codec in [Codec::Cbor, Codec::Json] {
            let mut out = Vec::new();
            (7_u8, "seven".to_owned()).encode(codec, &mut out).unwrap();
            assert_eq!(<(u8, String)>::decode(codec, &out).unwrap(), (7, "seven".to_owned()));
            out.push(b'0');
            assert!(<(u8, String)>::decode(codec, &out).is_err(), "trailing bytes are refused");
        }
    }
}
