//! What a call has read from a queue.

use crate::{Message, QueueName, Size};

/// Messages of one queue, in order, none of which has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    name: QueueName,
    messages: Vec<Message>,
    more: bool,
}

impl Messages {
    pub(crate) const fn new(name: QueueName, messages: Vec<Message>, more: bool) -> Self {
        Self { name, messages, more }
    }

    /// The queue.
    #[must_use]
    pub const fn name(&self) -> &QueueName {
        &self.name
    }

    /// Whether the queue had more than one call returns: call again.
    #[must_use]
    pub const fn more(&self) -> bool {
        self.more
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages.
    #[must_use]
    pub fn as_slice(&self) -> &[Message] {
        &self.messages
    }

    /// The messages, taken out.
    #[must_use]
    pub fn into_vec(self) -> Vec<Message> {
        self.messages
    }

    /// The payloads, in order.
    pub fn payloads(&self) -> impl Iterator<Item = bytes::Bytes> + '_ {
        self.messages.iter().map(Message::payload)
    }
}

impl IntoIterator for Messages {
    type Item = Message;
    type IntoIter = std::vec::IntoIter<Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter()
    }
}

impl<'a> IntoIterator for &'a Messages {
    type Item = &'a Message;
    type IntoIter = std::slice::Iter<'a, Message>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.iter()
    }
}

/// What messages are together.
pub(crate) fn size_of(messages: &[Message]) -> Size {
    let sizes = messages.iter().map(|message| Size::of_payload(message.payload().len()));
    sizes.fold(Size::default(), Size::plus)
}
