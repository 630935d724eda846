//! Positions of messages.

use std::fmt;

use sha2::{Digest, Sha256};

/// Bytes of a position, in keys and elsewhere.
pub const POSITION_BYTES: usize = 32;

/// Who produced a message, in one life: a hash of its name and its life. Whatever an earlier life
/// has enqueued is another source's. A dead letter that is tried again is a source of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub [u8; 16]);

impl Source {
    /// The source that this life of a producer (an actor's record id, a handle's name) is.
    #[must_use]
    pub fn of(producer: &[u8], life: u64) -> Self {
        let hash = Sha256::new().chain_update(life.to_be_bytes()).chain_update(producer).finalize();
        let mut source = [0; 16];
        source.copy_from_slice(&hash[..16]);
        Self(source)
    }

    /// The source of a message that stood at this position and is enqueued again, elsewhere, with
    /// the number that it had. No two messages had the same position, so no two get the same. The
    /// time comes first, then the number: what is enqueued again within one millisecond stays in
    /// the order in which its producer had enqueued it. Half of a hash tells producers apart.
    #[must_use]
    pub(crate) fn again(position: Position) -> Self {
        let mut source = [0; 16];
        source[..8].copy_from_slice(&position.time_ms.to_be_bytes());
        source[8..].copy_from_slice(&position.source.0[..8]);
        Self(source)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Where a message stands in its queue; no two messages have the same. The order is that of the
/// queue: that of enqueues for each producer, and of their clocks between producers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// When it was enqueued by the producer's clock, in milliseconds since 1970 UTC.
    pub time_ms: u64,
    /// Who enqueued it.
    pub source: Source,
    /// Its number among those of its source.
    pub number: u64,
}

impl Position {
    /// The position as it stands in keys, in the order of positions.
    #[must_use]
    pub fn to_bytes(self) -> [u8; POSITION_BYTES] {
        let mut bytes = [0; POSITION_BYTES];
        bytes[..8].copy_from_slice(&self.time_ms.to_be_bytes());
        bytes[8..24].copy_from_slice(&self.source.0);
        bytes[24..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; POSITION_BYTES]) -> Self {
        let (mut time, mut source, mut number) = ([0; 8], [0; 16], [0; 8]);
        time.copy_from_slice(&bytes[..8]);
        source.copy_from_slice(&bytes[8..24]);
        number.copy_from_slice(&bytes[24..]);
        Self {
            time_ms: u64::from_be_bytes(time),
            source: Source(source),
            number: u64::from_be_bytes(number),
        }
    }
}

/// The time and the last digits of the rest: enough to find it in a log, and among dead letters.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = u128::from_be_bytes(self.source.0) as u32;
        write!(f, "{}.{source:08x}.{}", self.time_ms, self.number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_position() -> impl Strategy<Value = Position> {
        (0..3_u64, 0..3_u8, 0..3_u64).prop_map(|(time, source, number)| Position {
            time_ms: time << 60,
            source: Source([source; 16]),
            number: number << 60,
        })
    }

    proptest! {
        #[test]
        fn positions_in_bytes_are_in_the_same_order(a in any_position(), b in any_position()) {
            prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
            prop_assert_eq!(Position::from_bytes(a.to_bytes()), a);
        }
    }
}
