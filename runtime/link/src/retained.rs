//! Messages sent and not yet acknowledged, kept for resending.

use std::collections::VecDeque;

/// A buffer that grew beyond this is given back once it is empty, so that an idle session costs
/// nothing for a burst it once had.
const KEEP_BYTES: usize = 4 * 1024;

/// A FIFO of payloads in one ring of bytes: no allocation per message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retained {
    bytes: VecDeque<u8>,
    lengths: VecDeque<u32>,
}

impl Retained {
    pub(crate) fn push(&mut self, payload: &[u8]) {
        self.bytes.extend(payload);
        // Payloads are below `max_frame`, a u32.
        self.lengths.push_back(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    }

    /// Drops the `count` oldest, and returns the bytes they had.
    pub(crate) fn drop_oldest(&mut self, count: usize) -> usize {
        let bytes = self.lengths.drain(..count).map(|length| length as usize).sum();
        self.bytes.drain(..bytes);
        if self.lengths.is_empty() && self.bytes.capacity() > KEEP_BYTES {
            *self = Self::default();
        }
        bytes
    }

    pub(crate) fn count(&self) -> usize {
        self.lengths.len()
    }

    pub(crate) fn total_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The length of message `index`, counted from the oldest.
    pub(crate) fn length(&self, index: usize) -> usize {
        self.lengths[index] as usize
    }

    /// Where message `index` begins in the ring.
    pub(crate) fn offset(&self, index: usize) -> usize {
        self.lengths.iter().take(index).map(|&length| length as usize).sum()
    }

    /// `length` bytes of the ring from `offset`, in two parts.
    pub(crate) fn parts(&self, offset: usize, length: usize) -> (&[u8], &[u8]) {
        let (front, back) = self.bytes.as_slices();
        if offset >= front.len() {
            let offset = offset - front.len();
            return (&back[offset..offset + length], &[]);
        }
        let head = &front[offset..front.len().min(offset + length)];
        (head, &back[..length - head.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_out_as_they_went_in_around_the_ring() {
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
                let (head, tail) = retained.parts(retained.offset(index), retained.length(index));
                assert_eq!([head, tail].concat(), payload(first + index));
            }
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
