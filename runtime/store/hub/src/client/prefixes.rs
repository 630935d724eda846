//! The prefixes that a client watches at its hub.

use bytes::{Bytes, BytesMut};

use crate::frame::{write_unwatch, write_watch};
use crate::limits::PREFIXES_MAX;

/// The prefixes, each once, however many watches look at it. Hints may be lost, so a client that
/// has too many gives up the one used longest ago rather than refuse a new one.
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    /// In the order of their use, the latest last.
    wanted: Vec<Wanted>,
    /// To be given up at the hub; at most `PREFIXES_MAX`, since only what it knows is given up.
    unwanted: Vec<u32>,
    last_number: u32,
}

#[derive(Debug)]
struct Wanted {
    number: u32,
    prefix: Bytes,
    /// Whether this connection's hub knows it.
    is_asked: bool,
}

impl Prefixes {
    /// Adds a prefix; whether there is something to transmit.
    pub(crate) fn watch(&mut self, prefix: &Bytes) -> bool {
        if let Some(at) = self.wanted.iter().position(|wanted| wanted.prefix == prefix) {
            self.wanted[at..].rotate_left(1);
            return false;
        }
        if self.wanted.len() >= PREFIXES_MAX {
            let oldest = self.wanted.remove(0);
            if oldest.is_asked {
                self.unwanted.push(oldest.number);
            }
        }
        self.last_number = self.last_number.wrapping_add(1);
        let (number, prefix) = (self.last_number, prefix.clone());
        self.wanted.push(Wanted { number, prefix, is_asked: false });
        true
    }

    /// A new hub knows none; the prefixes whose hints were lost meanwhile.
    pub(crate) fn handle_connected(&mut self) -> Vec<Bytes> {
        self.unwanted.clear();
        self.wanted.iter_mut().for_each(|wanted| wanted.is_asked = false);
        self.wanted.iter().map(|wanted| wanted.prefix.clone()).collect()
    }

    /// The prefix of a hint, unless it was given up meanwhile.
    pub(crate) fn handle_hint(&mut self, number: u32) -> Option<Bytes> {
        let at = self.wanted.iter().position(|wanted| wanted.number == number)?;
        self.wanted[at..].rotate_left(1);
        self.wanted.last().map(|wanted| wanted.prefix.clone())
    }

    /// Writes what the hub does not know yet.
    pub(crate) fn poll_transmit(&mut self, out: &mut BytesMut) {
        for number in self.unwanted.drain(..) {
            write_unwatch(out, number);
        }
        for wanted in self.wanted.iter_mut().filter(|wanted| !wanted.is_asked) {
            write_watch(out, wanted.number, &wanted.prefix);
            wanted.is_asked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;
    use crate::frame::{Frame, Head};

    fn transmitted(prefixes: &mut Prefixes) -> Vec<Frame> {
        let (mut out, mut frames) = (BytesMut::new(), Vec::new());
        prefixes.poll_transmit(&mut out);
        while let Some(head) = Head::read(&out, out.len()).unwrap() {
            frames.push(Frame::read(&out[Head::LENGTH_BYTES..head.frame_bytes()]).unwrap());
            out.advance(head.frame_bytes());
        }
        frames
    }

    #[test]
    fn a_prefix_is_asked_for_once_per_connection() {
        let mut prefixes = Prefixes::default();
        assert!(prefixes.watch(&"a".into()));
        assert!(!prefixes.watch(&"a".into()));
        assert_eq!(transmitted(&mut prefixes), [Frame::Watch { watch: 1, prefix: "a".into() }]);
        assert_eq!(transmitted(&mut prefixes), []);
        assert_eq!(prefixes.handle_connected(), [Bytes::from("a")]);
        assert_eq!(transmitted(&mut prefixes).len(), 1);
        assert_eq!(prefixes.handle_hint(1), Some("a".into()));
        assert_eq!(prefixes.handle_hint(2), None);
    }

    #[test]
    fn of_too_many_prefixes_the_one_used_longest_ago_is_given_up() {
        let mut prefixes = Prefixes::default();
        for n in 0..PREFIXES_MAX {
            prefixes.watch(&n.to_string().into());
        }
        assert_eq!(transmitted(&mut prefixes).len(), PREFIXES_MAX);
        prefixes.handle_hint(1);
        prefixes.watch(&"new".into());
        let number = PREFIXES_MAX as u32 + 1;
        let watch = Frame::Watch { watch: number, prefix: "new".into() };
        assert_eq!(transmitted(&mut prefixes), [Frame::Unwatch { watch: 2 }, watch]);
        assert_eq!(prefixes.handle_hint(1), Some("0".into()));
    }
}
