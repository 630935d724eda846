//! What could not be handled, as it stands in the queue of dead letters.

use bytes::Bytes;

use crate::QueueName;
use crate::defaults::{
    DEAD_LETTER_KEPT, DEAD_LETTER_LEFT_MIN, DEAD_LETTER_TEXT_BYTES_MAX, DEAD_LETTER_WHY_BYTES_MAX,
};
use crate::form::{FORM, FormError, Reader, put_sized};

/// A message that could not be handled, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue that it came from.
    pub to: QueueName,
    /// What was enqueued, as it was.
    pub payload: Bytes,
    /// When it would have expired, in milliseconds since 1970 UTC.
    pub expires_ms: u64,
    /// When it was given up, in milliseconds since 1970 UTC.
    pub dead_ms: u64,
    /// How often it was tried. 0: nobody knew how.
    pub tries: u32,
    /// The kind of who did not handle it. Cut at [`DEAD_LETTER_TEXT_BYTES_MAX`].
    pub kind: String,
    /// The hook, or the name of the message, that failed. Cut at [`DEAD_LETTER_TEXT_BYTES_MAX`].
    pub hook: String,
    /// Why. Cut at [`DEAD_LETTER_WHY_BYTES_MAX`].
    pub why: String,
}

impl DeadLetter {
    /// The payload of the message that it is.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = vec![FORM];
        out.extend_from_slice(&self.dead_ms.to_be_bytes());
        out.extend_from_slice(&self.expires_ms.to_be_bytes());
        out.extend_from_slice(&self.tries.to_be_bytes());
        put_sized(&mut out, self.to.as_bytes());
        put_sized(&mut out, head(&self.kind, DEAD_LETTER_TEXT_BYTES_MAX));
        put_sized(&mut out, head(&self.hook, DEAD_LETTER_TEXT_BYTES_MAX));
        put_sized(&mut out, head(&self.why, DEAD_LETTER_WHY_BYTES_MAX));
        out.extend_from_slice(&self.payload);
        out.into()
    }

    /// What [`encode`](Self::encode) gave.
    ///
    /// # Errors
    /// [`FormError`].
    pub fn decode(bytes: &Bytes) -> Result<Self, FormError> {
        let mut reader = Reader::new("dead letter", bytes)?;
        let dead_ms = reader.u64("time")?;
        let expires_ms = reader.u64("expiry")?;
        let tries = reader.u32("tries")?;
        let damaged = reader.damaged("queue");
        let to = QueueName::from_bytes(&reader.sized("queue")?).ok_or(damaged)?;
        let (kind, hook) = (text(&mut reader, "kind")?, text(&mut reader, "hook")?);
        let why = text(&mut reader, "reason")?;
        Ok(Self { to, payload: reader.rest(), expires_ms, dead_ms, tries, kind, hook, why })
    }

    /// Until when it is kept, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn kept_until_ms(&self) -> u64 {
        self.dead_ms.saturating_add(millis(DEAD_LETTER_KEPT))
    }

    /// When the message expires if it is enqueued again at this time: what it had left when it was
    /// given up begins anew, and is [`DEAD_LETTER_LEFT_MIN`] at least.
    #[must_use]
    pub fn expires_again_ms(&self, now_ms: u64) -> u64 {
        let left_ms = self.expires_ms.saturating_sub(self.dead_ms);
        now_ms.saturating_add(left_ms.max(millis(DEAD_LETTER_LEFT_MIN)))
    }
}

fn text(reader: &mut Reader, field: &'static str) -> Result<String, FormError> {
    let bytes = reader.sized(field)?;
    String::from_utf8(bytes.into()).map_err(|_| reader.damaged(field))
}

/// As much of a text as may be written.
fn head(text: &str, bytes_max: usize) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(bytes_max)]
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::{DEAD_LETTER_HEAD_BYTES_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX};

    fn letter() -> DeadLetter {
        DeadLetter {
            to: QueueName::key("ann").unwrap(),
            payload: Bytes::from_static(b"\xff\x01\x01sbody"),
            expires_ms: 9_000,
            dead_ms: 4_000,
            tries: 3,
            kind: "player".to_owned(),
            hook: "queued".to_owned(),
            why: "it was to fail".to_owned(),
        }
    }

    #[test]
    fn a_dead_letter_is_read_back_with_its_payload_as_it_was() {
        assert_eq!(DeadLetter::decode(&letter().encode()), Ok(letter()));
        let bytes = letter().encode();
        for length in 0..bytes.len() - letter().payload.len() {
            assert!(DeadLetter::decode(&bytes.slice(..length)).is_err(), "{length}");
        }
    }

    #[test]
    fn the_largest_message_with_the_longest_texts_is_a_dead_letter_that_its_queue_takes() {
        let payload = Bytes::from(vec![7; PAYLOAD_BYTES_MAX]);
        let to = QueueName::key(&"k".repeat(NAME_BYTES_MAX - 1)).unwrap();
        let long = "\u{20ac}".repeat(1_000);
        let (kind, hook, why) = (long.clone(), long.clone(), long);
        let bytes = DeadLetter { to, payload, kind, hook, why, ..letter() }.encode();
        assert!(bytes.len() <= PAYLOAD_BYTES_MAX + DEAD_LETTER_HEAD_BYTES_MAX);
        let read = DeadLetter::decode(&bytes).unwrap();
        assert_eq!(read.why, "\u{20ac}".repeat(DEAD_LETTER_WHY_BYTES_MAX / 3));
    }

    #[test]
    fn what_a_message_had_left_begins_anew_when_it_is_tried_again() {
        let week = DeadLetter { expires_ms: 4_000 + 604_800_000, ..letter() };
        assert_eq!(week.expires_again_ms(1_000_000), 1_000_000 + 604_800_000);
        assert_eq!(letter().expires_again_ms(1_000_000), 1_060_000);
    }
}
