//! How a durable message between actors stands in its queue.
//!
//! Whoever has only the store enqueues the CBOR of a message as it is. Actors put themselves in
//! front: a byte that no CBOR begins with, a form byte, their record id behind its length.

use bytes::Bytes;
use throughline_cluster::RecordId;

/// "Break", which ends something in CBOR, and begins nothing.
const MARK: u8 = 0xff;

/// The form of what follows the mark.
const FORM: u8 = 1;

/// Mark, form, length of the record id.
const HEAD_BYTES: usize = 3;

/// A message with its sender, if that is an actor.
pub(crate) fn seal(from: Option<&RecordId>, body: &[u8]) -> Bytes {
    let Some(from) = from else { return Bytes::copy_from_slice(body) };
    let id = from.as_bytes();
    let mut sealed = Vec::with_capacity(HEAD_BYTES + id.len() + body.len());
    // A record id has 255 bytes at most.
    sealed.extend_from_slice(&[MARK, FORM, u8::try_from(id.len()).unwrap_or(u8::MAX)]);
    sealed.extend_from_slice(id);
    sealed.extend_from_slice(body);
    sealed.into()
}

/// Sender and body of a message. What has no sender in front is all body.
pub(crate) fn open(payload: &Bytes) -> (Option<RecordId>, Bytes) {
    let plain = || (None, payload.clone());
    let [MARK, FORM, length, rest @ ..] = &payload[..] else { return plain() };
    let length = usize::from(*length);
    let id = rest.get(..length).and_then(RecordId::from_bytes);
    if id.is_none() {
        return plain();
    }
    (id, payload.slice(HEAD_BYTES + length..))
}

#[cfg(test)]
mod tests {
    use throughline_link::SessionId;

    use super::*;

    #[test]
    fn who_sent_a_message_and_what_it_is_are_read_back() {
        let ann = RecordId::session(SessionId([7; 16]));
        let lobby = RecordId::vactor("lobby", b"eu").unwrap();
        for from in [None, Some(ann), Some(lobby)] {
            for body in [&b""[..], b"\x83\x01\x02\x03"] {
                let (sender, read) = open(&seal(from.as_ref(), body));
                assert_eq!((sender, &read[..]), (from.clone(), body));
            }
        }
    }

    #[test]
    fn bytes_that_only_begin_like_an_actors_message_are_a_plain_one() {
        for bytes in [&b"\xff"[..], b"\xff\x01", b"\xff\x01\x05abcde", b"\xff\x02\x00", b""] {
            let bytes = Bytes::from_static(bytes);
            assert_eq!(open(&bytes), (None, bytes));
        }
    }
}
