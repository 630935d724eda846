//! The seal: what the whole store is to look like, written with every group.

/// The newest format that this build reads, and the one it writes.
pub(crate) const FORMAT: u32 = 1;

pub(crate) const SEAL_KEY: &[u8] = b"\0seal";

/// What a probe of the disk writes and removes is under this.
pub(crate) const PROBE_KEY: &[u8] = b"\0probe";

const BYTES: usize = 3 * 8 + 4;

/// How many groups were written, and what they left: so that a database that lost a part is
/// noticed though what is left of it reads well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Grows by one with each group.
    pub(crate) generation: u64,
    pub(crate) records: u64,
    /// The wrapping sum of the digests of all records.
    pub(crate) digest: u64,
}

impl Seal {
    pub(crate) fn write(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.generation.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.records.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.digest.to_be_bytes());
        let checksum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// `None` if these bytes are no seal.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_be_bytes(*checksum) {
            return None;
        }
        let (numbers, []) = content.as_chunks::<8>() else { return None };
        let [generation, records, digest] = numbers else { return None };
        Some(Self {
            generation: u64::from_be_bytes(*generation),
            records: u64::from_be_bytes(*records),
            digest: u64::from_be_bytes(*digest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_reads_back_and_no_other_bytes_do() {
        let seal = Seal { generation: 7, records: u64::MAX, digest: 0x0123_4567_89ab_cdef };
        let bytes = seal.write();
        assert_eq!(Seal::read(&bytes), Some(seal));
        for at in 0..bytes.len() {
            let mut other = bytes;
            other[at] ^= 0x10;
            assert_eq!(Seal::read(&other), None, "byte {at}");
            assert_eq!(Seal::read(&bytes[..at]), None, "cut at {at}");
        }
    }
}
