//! CBOR from outside: checked to be well-formed before anything is built from it.
//!
//! A decoder takes memory for the length that an array claims. A frame of 2 KiB whose nested arrays
//! all lie made one take 255 MiB. In well-formed CBOR every element takes a byte at least, so after
//! the check below no claim exceeds what is there.

mod read;
mod write;

use ciborium_ll::{Decoder, Header};
use serde::{Serialize, de::DeserializeOwned};

use super::{DecodeError, EncodeError};

/// Nesting, at most: deeper than messages of games, shallow enough for the stack.
const DEPTH_MAX: usize = 32;

/// A container whose end is a break, not a count.
const UNTIL_BREAK: u64 = u64::MAX;

/// Reads a value.
#[inline]
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    read::read(bytes).or_else(|_| decode_long(bytes))
}

/// Appends a value.
pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let start = out.len();
    write::write(value, out).or_else(|_| {
        // Whatever it was, ciborium has the last word.
        out.truncate(start);
        ciborium::into_writer(value, out).map_err(|error| EncodeError(error.to_string()))
    })
}

/// Of any form, and with a reason if it cannot be read.
#[cold]
fn decode_long<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    check(bytes)?;
    let mut rest = bytes;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH_MAX + 1)
        .map_err(|error| DecodeError::Unexpected(format!("not the CBOR expected: {error}")))?;
    if rest.is_empty() { Ok(value) } else { Err(DecodeError::Malformed("bytes behind the value")) }
}

/// Walks over one item, without building anything.
fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let short = |_| DecodeError::Malformed("cut short, or an unknown kind of item");
    let mut decoder = Decoder::from(bytes);
    // What is still to come, per open container.
    let mut open = vec![1_u64];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        let header = decoder.pull().map_err(short)?;
        if *left != UNTIL_BREAK {
            *left -= 1;
        }
        let is_indefinite = *left == UNTIL_BREAK;
        let inner = match header {
            Header::Break if is_indefinite => {
                open.pop();
                continue;
            }
            Header::Break => return Err(DecodeError::Malformed("a break without a beginning")),
            Header::Bytes(length) => {
                let mut segments = decoder.bytes(length);
                while let Some(mut segment) = segments.pull().map_err(short)? {
                    let mut sink = [0; 256];
                    while segment.pull(&mut sink).map_err(short)?.is_some() {}
                }
                continue;
            }
            Header::Text(length) => {
                let mut segments = decoder.text(length);
                while let Some(mut segment) = segments.pull().map_err(|_| TEXT)? {
                    let mut sink = [0; 256];
                    while segment.pull(&mut sink).map_err(|_| TEXT)?.is_some() {}
                }
                continue;
            }
            Header::Array(length) => length.map_or(UNTIL_BREAK, |length| length as u64),
            Header::Map(length) => {
                length.map_or(UNTIL_BREAK, |length| (length as u64).saturating_mul(2))
            }
            Header::Tag(_) => 1,
            Header::Positive(_) | Header::Negative(_) | Header::Float(_) | Header::Simple(_) => {
                continue;
            }
        };
        if inner != UNTIL_BREAK && inner > bytes.len() as u64 {
            return Err(DecodeError::Malformed("a length beyond the end"));
        }
        if open.len() > DEPTH_MAX {
            return Err(DecodeError::Malformed("nested deeper than 32"));
        }
        open.push(inner);
    }
    Ok(())
}

const TEXT: DecodeError = DecodeError::Malformed("a text that is cut short or not UTF-8");

#[cfg(test)]
mod tests {
    use ciborium::Value;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Tree(#[allow(dead_code, reason = "only its reading matters")] Vec<Self>);

    #[test]
    fn p10_a_cbor_bomb_is_refused_before_it_is_built() {
        // Arrays of 2^32 - 1 elements, each in the one before.
        let bomb: Vec<u8> = [0x9a, 0xff, 0xff, 0xff, 0xff].repeat(459);
        assert!(matches!(decode::<Tree>(&bomb), Err(DecodeError::Malformed(_))));
        let deep = vec![0x81; 4096];
        assert!(matches!(decode::<Tree>(&deep), Err(DecodeError::Malformed(_))));
    }

    #[test]
    fn lies_and_rubbish_are_refused() {
        for bytes in [&[][..], &[0x9f], &[0xff], &[0x5f, 0x41], &[0x62, 0xff, 0xff], &[0xbf, 0x00]]
        {
            assert!(decode::<Value>(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn well_formed_values_of_every_kind_are_read() {
        let numbers = [Value::from(1), Value::from(-2), Value::from(3.5), Value::Null];
        let nested = [(Value::from("bytes"), Value::Bytes(vec![7; 1000]))];
        let value = Value::Map(vec![
            (Value::from("numbers"), Value::Array(numbers.to_vec())),
            (Value::from("nested"), Value::Map(nested.to_vec())),
            (Value::from("tagged"), Value::Tag(1, Box::new(Value::Bool(true)))),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).unwrap();
        assert_eq!(decode::<Value>(&bytes).unwrap(), value);
        // Indefinite lengths, as other encoders write them.
        let indefinite = [0xbf, 0x61, b'a', 0x9f, 0x01, 0x02, 0xff, 0xff];
        assert!(decode::<Value>(&indefinite).is_ok());
    }
}
