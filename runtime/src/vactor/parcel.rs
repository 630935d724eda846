//! A message that is written only if it leaves the process.

use std::any::Any;
use std::fmt;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::codec::{self, Codec, DecodeError, EncodeError};

/// A value that can be written: any serde type that may go to another thread.
pub trait Parcel: Any + Send {
    /// Appends the value in CBOR.
    ///
    /// # Errors
    /// [`EncodeError`]; the sender's fault.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl<T: Serialize + Send + 'static> Parcel for T {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        codec::encode(Codec::Cbor, self, out)
    }
}

/// What is sent: the value itself, as long as it stays in this process, or its bytes.
pub enum Payload {
    /// The value.
    Here(Box<dyn Parcel>),
    /// In CBOR.
    Bytes(Bytes),
}

impl Payload {
    /// The value.
    ///
    /// # Errors
    /// [`DecodeError`]: it is another type's. The sender's fault.
    pub fn take<T: DeserializeOwned + 'static>(self) -> Result<T, DecodeError> {
        match self {
            Self::Here(parcel) => {
                let any: Box<dyn Any> = parcel;
                let value = any.downcast::<T>();
                value.map(|value| *value).map_err(|_| {
                    DecodeError::Unexpected(format!("not a {}", std::any::type_name::<T>()))
                })
            }
            Self::Bytes(bytes) => codec::decode(Codec::Cbor, &bytes),
        }
    }

    /// Appends its bytes.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Here(parcel) => parcel.write(out)?,
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it holds has no place in a log.
        f.write_str(match self {
            Self::Here(_) => "Payload::Here",
            Self::Bytes(_) => "Payload::Bytes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_same_whether_it_was_written_or_not() {
        let here = Payload::Here(Box::new(("a".to_owned(), 7_u32)));
        assert_eq!(here.take::<(String, u32)>().unwrap(), ("a".to_owned(), 7));
        let mut bytes = Vec::new();
        Payload::Here(Box::new(("a".to_owned(), 7_u32))).write(&mut bytes).unwrap();
        assert_eq!(
            Payload::Bytes(bytes.into()).take::<(String, u32)>().unwrap(),
            ("a".to_owned(), 7)
        );
    }

    #[test]
    fn a_value_of_another_type_is_an_error() {
        assert!(Payload::Here(Box::new(7_u32)).take::<String>().is_err());
        assert!(Payload::Bytes(Bytes::from_static(&[7])).take::<String>().is_err());
    }
}
