//! The row that stands in a store while another one is copied into it.

use bytes::Bytes;

use crate::form::{FORM, FormError, Reader, put_sized};

const WHAT: &str = "row of a copy";

/// Longest name of a store in the row, in bytes: enough for the hosts of an address. A longer one
/// is cut.
const FROM_BYTES_MAX: usize = 1024;

/// A copy of another store that has not ended. Nobody may act on what stands there: it is a part of
/// the other store's rows, and the index rows among them speak of records that are not there yet.
///
/// Each batch of a copy checks the row as it was, and writes it anew with what it copies. So a copy
/// that was ended at any moment goes on where it was, and of two copies into one store one is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HalfCopy {
    /// The store that is copied, in words for operators. It says nothing about whether it is the
    /// same: `records`, `bytes` and `digest` do.
    pub from: String,
    /// Its records, when the copy began.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// A digest over all of them.
    pub digest: [u8; 32],
    /// How many of them have been copied.
    pub copied: u64,
    /// The key of the last of these, in the order of keys; empty before the first.
    pub last: Bytes,
}

impl HalfCopy {
    /// The bytes of the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = vec![FORM];
        for number in [self.records, self.bytes, self.copied] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.digest);
        put_sized(&mut out, &self.last);
        put_sized(&mut out, head(&self.from).as_bytes());
        out.into()
    }

    /// Reads the bytes of the store.
    ///
    /// # Errors
    /// [`FormError`]; the row is left as it is, and still says that nobody may act there.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormError> {
        let mut reader = Reader::new(WHAT, bytes)?;
        let (records, bytes) = (reader.u64("records")?, reader.u64("bytes")?);
        let copied = reader.u64("copied")?;
        let digest = reader.array("digest")?;
        let last = Bytes::copy_from_slice(reader.sized("last key")?);
        let from = reader.text("store")?.to_owned();
        reader.end()?;
        Ok(Self { from, records, bytes, digest, copied, last })
    }
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(FROM_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: &str) -> HalfCopy {
        let last = Bytes::from_static(b"h\0\xff");
        HalfCopy { from: from.into(), records: 9, bytes: 1 << 40, digest: [7; 32], copied: 4, last }
    }

    #[test]
    fn what_was_written_is_read() {
        let row = row("sled:data");
        assert_eq!(HalfCopy::decode(&row.encode()), Ok(row));
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let long = format!("a{}", "\u{20ac}".repeat(FROM_BYTES_MAX));
        let read = HalfCopy::decode(&row(&long).encode()).unwrap();
        assert!(read.from.len() <= FROM_BYTES_MAX && read.from.len() > FROM_BYTES_MAX - 3);
        assert!(long.starts_with(&read.from));
    }

    #[test]
    fn a_row_that_is_cut_is_damaged() {
        let whole = row("sled:data").encode();
        for length in 0..whole.len() {
            let read = HalfCopy::decode(&whole[..length]);
            assert!(matches!(read, Err(FormError::Damaged { .. })), "{length}: {read:?}");
        }
    }
}
