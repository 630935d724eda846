//! Messages sent and not yet acknowledged, kept for resending.

use std::collections::VecDeque;

/// A buffer that grew beyond this is given back once it is empty, so that an idle session costs
/// nothing for a burst it once had.
const KEEP_BYTES: usize = 4 * 1024;

/// A FIFO of payloads, one behind the other: no allocation per message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retained {
    bytes: Vec<u8>,
    /// Where the oldest payload begins. What is before it has been dropped, and is at most as much
    /// as what is behind it: moving that to the front costs each byte one copy on average.
    head: usize,
    lengths: VecDeque<u32>,
}

impl Retained {
    #[inline]
    pub(crate) fn push(&mut self, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        // Payloads are below `max_frame`, a u32.
        self.lengths.push_back(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    }

    /// Drops the `count` oldest, and returns the bytes they had.
    #[inline]
    pub(crate) fn drop_oldest(&mut self, count: usize) -> usize {
        let mut bytes = 0;
        for length in self.lengths.drain(..count) {
            bytes += length as usize;
        }
        self.head += bytes;
        if self.lengths.is_empty() {
            self.head = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP_BYTES {
                *self = Self::default();
            }
        } else if self.head >= self.total_bytes().max(KEEP_BYTES) {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        bytes
    }

    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.lengths.len()
    }

    #[inline]
    pub(crate) const fn total_bytes(&self) -> usize {
        self.bytes.len() - self.head
    }

    /// The length of message `index`, counted from the oldest.
    #[inline]
    pub(crate) fn length(&self, index: usize) -> usize {
        self.lengths[index] as usize
    }

    /// Where message `index` begins, counted from the oldest byte.
    pub(crate) fn offset(&self, index: usize) -> usize {
        self.lengths.iter().take(index).map(|&length| length as usize).sum()
    }

    /// `length` bytes from `offset`.
    #[inline]
    pub(crate) fn payload(&self, offset: usize, length: usize) -> &[u8] {
        &self.bytes[self.head + offset..][..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_out_as_they_went_in() {
        let mut retained = Retained::default();
        let payload = |n: usize| vec![n as u8; n % 97];
        let mut first = 0;
        for next in 0..5_000_usize {
            retained.push(&payload(next));
            if retained.count() > 20 + next % 7 {
                let count = 1 + next % 3;
                let bytes = (first..first + count).map(|n| payload(n).len()).sum::<usize>();
                assert_eq!(retained.drop_oldest(count), bytes);
                first += count;
            }
            for index in 0..retained.count() {
                let kept = retained.payload(retained.offset(index), retained.length(index));
                assert_eq!(kept, payload(first + index));
            }
            assert!(retained.head <= retained.total_bytes().max(KEEP_BYTES));
        }
    }

    #[test]
    fn an_empty_buffer_gives_back_what_a_burst_took() {
        let mut retained = Retained::default();
        retained.push(&[0; 100_000]);
        retained.drop_oldest(1);
        assert_eq!(retained.bytes.capacity(), 0);
    }
}
