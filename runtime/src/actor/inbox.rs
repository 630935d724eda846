//! What waits for its turn in one session.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Hook, turn::Input};

/// Inputs in the order they came. What the client sent is counted apart from the rest, so that
/// neither can take the other's place.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    inputs: VecDeque<Input>,
    /// Messages of the client among them, and their bytes.
    messages: usize,
    message_bytes: usize,
}

impl Inbox {
    /// With these, none of which is a message of the client. They take no more room than they need:
    /// most sessions begin with one, and then wait.
    pub(super) fn new(inputs: Vec<Input>) -> Self {
        debug_assert!(!inputs.iter().any(|i| matches!(i, Input::Message(..))), "counted apart");
        Self { inputs: inputs.into(), messages: 0, message_bytes: 0 }
    }

    pub(super) fn push_message(&mut self, seq: u64, payload: Bytes) {
        self.messages += 1;
        self.message_bytes += payload.len();
        self.inputs.push_back(Input::Message(seq, payload));
    }

    /// Queues anything but a message of the client.
    pub(super) fn push(&mut self, input: Input) {
        debug_assert!(!matches!(input, Input::Message(..)), "those are counted apart");
        self.inputs.push_back(input);
    }

    /// Gives back the room of what came and went, if nothing waits.
    pub(super) fn give_back(&mut self) {
        if self.inputs.is_empty() {
            self.inputs = VecDeque::new();
        }
    }

    /// The next input. With `held`, the messages of the client wait and the rest goes past them.
    pub(super) fn pop(&mut self, held: bool) -> Option<Input> {
        let index = if held {
            self.inputs.iter().position(|input| !matches!(input, Input::Message(..)))?
        } else {
            0
        };
        let input = self.inputs.remove(index)?;
        if let Input::Message(_, payload) = &input {
            self.messages -= 1;
            self.message_bytes -= payload.len();
        }
        Some(input)
    }

    /// Removes the first input of this hook. True if there was one.
    pub(super) fn remove(&mut self, hook: Hook) -> bool {
        debug_assert!(hook != Hook::Message, "those are counted apart");
        let index = self.inputs.iter().position(|input| input.hook() == hook);
        index.and_then(|index| self.inputs.remove(index)).is_some()
    }

    pub(super) fn contains(&self, hook: Hook) -> bool {
        self.inputs.iter().any(|input| input.hook() == hook)
    }

    /// The names of the timers that wait for their turn.
    pub(super) fn timers(&self) -> Vec<&str> {
        let timers = self.inputs.iter().filter_map(|input| match input {
            Input::Timer(name) => Some(name.as_str()),
            _ => None,
        });
        timers.collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// How many messages of the client wait.
    pub(super) const fn messages(&self) -> usize {
        self.messages
    }

    /// How many bytes they have.
    pub(super) const fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// How many other inputs wait.
    pub(super) fn others(&self) -> usize {
        self.inputs.len() - self.messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_client_does_not_hold_up_timers_and_other_sessions() {
        let mut inbox = Inbox::default();
        inbox.push_message(1, Bytes::from_static(b"one"));
        inbox.push(Input::Timer("turn".into()));
        inbox.push_message(2, Bytes::from_static(b"two!"));
        assert_eq!((inbox.messages(), inbox.message_bytes(), inbox.others()), (2, 7, 1));
        assert!(matches!(inbox.pop(true), Some(Input::Timer(_))));
        assert!(inbox.pop(true).is_none());
        assert!(matches!(inbox.pop(false), Some(Input::Message(1, _))));
        assert!(matches!(inbox.pop(false), Some(Input::Message(2, _))));
        assert_eq!((inbox.messages(), inbox.message_bytes()), (0, 0));
        assert!(inbox.is_empty());
    }
}
