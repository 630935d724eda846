//! What a store has, in a few numbers.

use std::fmt;

use indicatif::{HumanBytes, ProgressBar};
use sha2::{Digest as _, Sha256};
use throughline_cluster::keys;
use throughline_store::Scan;

use crate::{error::Error, pages::Side};

/// Of a digest so many bytes are shown: enough to see that two are not the same.
const SHOWN_BYTES: usize = 6;

/// What a store has: two have the same only if their records are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) records: u64,
    /// Of keys and values.
    pub(crate) bytes: u64,
    /// SHA-256 over the records in the order of their keys: of each the length of the key (u16),
    /// the key, the length of the value (u32), and the value.
    pub(crate) digest: [u8; 32],
}

impl Sum {
    /// Reads all of a store, but for the row of a copy.
    pub(super) async fn of(side: &Side, bar: &ProgressBar) -> Result<Self, Error> {
        let (mut records, mut bytes, mut hash) = (0, 0, Sha256::new());
        let mut pages = side.pages(Scan::all());
        while let Some(page) = pages.next().await? {
            for entry in page.iter().filter(|entry| entry.key != keys::HALF_COPY) {
                let (key, value) = (&entry.key, &entry.value);
                records += 1;
                bytes += (key.len() + value.len()) as u64;
                // The limits of a store are far below both.
                hash.update(u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes());
                hash.update(key);
                hash.update(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
                hash.update(value);
            }
            bar.set_position(records);
        }
        Ok(Self { records, bytes, digest: hash.finalize().into() })
    }

    pub(crate) fn hex(&self) -> String {
        self.digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, bytes) = (self.records, HumanBytes(self.bytes));
        write!(f, "{records} records of {bytes} (digest {}..)", &self.hex()[..2 * SHOWN_BYTES])
    }
}
