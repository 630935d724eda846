//! What names a turn to the world outside, the same each time that it runs.

use std::fmt;

use sha2::{Digest, Sha256};
use throughline_queue::Position;

/// Bytes of a token.
const BYTES: usize = 16;

/// Names the input that a turn is run for, the same each time that it is run for it, on whichever
/// node, and for no other input: 16 bytes, shown as 32 hex digits.
///
/// A turn of a crash-proof actor that was not committed is run again, and what it did outside, in
/// a game's own database for one, was done. Written down there with what was done, in one
/// transaction, the token tells the second run so:
///
/// ```sql
/// insert into done (token) values (?) on conflict do nothing
/// ```
///
/// No row inserted: it was done before. How long a token is worth keeping: a turn is run again
/// within the session's timeout, or within the time to live of the message that it handles.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TurnToken([u8; BYTES]);

impl TurnToken {
    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl fmt::Display for TurnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TurnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TurnToken({self})")
    }
}

/// What a turn is run for, if that has a name that lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A hook or a timer: if it is run again, it is another one.
    #[default]
    Nameless,
    /// A message of the client, by its number.
    Message(u64),
    /// A message of a queue, by its place there.
    Queued(Position),
}

impl Origin {
    /// The token of a turn of that record.
    pub(crate) fn token(self, record: &[u8]) -> Option<TurnToken> {
        let mut hash = Sha256::new();
        // Its length first, so that no two records and origins read alike.
        hash.update((record.len() as u64).to_be_bytes());
        hash.update(record);
        match self {
            Self::Nameless => return None,
            Self::Message(number) => {
                hash.update([0]);
                hash.update(number.to_be_bytes());
            }
            Self::Queued(position) => {
                hash.update([1]);
                hash.update(position.time_ms.to_be_bytes());
                hash.update(position.source.0);
                hash.update(position.number.to_be_bytes());
            }
        }
        let digest = hash.finalize();
        digest.first_chunk().map(|first| TurnToken(*first))
    }
}

#[cfg(test)]
mod tests {
    use throughline_queue::Source;

    use super::*;

    #[test]
    fn every_run_for_an_input_has_its_token_and_no_other_input_has() {
        let place = |number| Position { time_ms: 7, source: Source([1; 16]), number };
        let origins = [
            Origin::Message(1),
            Origin::Message(2),
            Origin::Queued(place(1)),
            Origin::Queued(place(2)),
        ];
        let tokens: Vec<_> = [&b"ann"[..], b"bob"]
            .iter()
            .flat_map(|record| origins.map(|origin| origin.token(record).unwrap()))
            .collect();
        for (at, token) in tokens.iter().enumerate() {
            assert!(!tokens[..at].contains(token));
        }
        assert_eq!(Origin::Message(1).token(b"ann"), Some(tokens[0]));
        assert_eq!(Origin::Nameless.token(b"ann"), None);
        // It must not change from one build to the next.
        assert_eq!(tokens[0].to_string().len(), 32);
        assert_eq!(tokens[0].to_string(), "6805a1b9361714d6f3b3e6def33d8a8e");
    }
}
