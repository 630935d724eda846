//! What queues are, in the plainest words.

use std::collections::BTreeMap;

use throughline_queue::{Message, Position, QueueName};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) payload: String,
    pub(crate) expires_ms: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) token: String,
    pub(crate) expires_ms: u64,
    pub(crate) messages: Vec<(Position, Stored)>,
}

#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) messages: BTreeMap<(QueueName, Position), Stored>,
    pub(crate) kept: BTreeMap<QueueName, Kept>,
}

impl Reference {
    /// What may be delivered, in order.
    pub(crate) fn live(&self, name: &QueueName, now_ms: u64) -> Vec<(Position, Stored)> {
        let own = self.messages.iter().filter(|((queue, _), _)| queue == name);
        let live = own.filter(|(_, stored)| stored.expires_ms > now_ms);
        live.map(|((_, position), stored)| (*position, stored.clone())).collect()
    }

    pub(crate) fn remove(&mut self, name: &QueueName, messages: &[(Position, Stored)]) {
        for (position, _) in messages {
            self.messages.remove(&(name.clone(), *position));
        }
    }

    /// A dequeue also removes what has expired; whoever looks does not see that.
    pub(crate) fn take(&mut self, name: &QueueName, now_ms: u64) -> Vec<(Position, Stored)> {
        let live = self.live(name, now_ms);
        self.remove(name, &live);
        live
    }

    pub(crate) fn take_with(
        &mut self,
        name: &QueueName,
        token: &str,
        now_ms: u64,
        expires_ms: u64,
    ) -> Vec<(Position, Stored)> {
        if let Some(kept) = self.kept.get(name)
            && kept.token == token
            && kept.expires_ms > now_ms
        {
            let mut messages = kept.messages.clone();
            messages.retain(|(_, stored)| stored.expires_ms > now_ms);
            return messages;
        }
        let messages = self.take(name, now_ms);
        if !messages.is_empty() {
            let kept = Kept { token: token.to_owned(), expires_ms, messages: messages.clone() };
            self.kept.insert(name.clone(), kept);
        }
        messages
    }
}

/// A message as the model has it.
pub(crate) fn seen(message: &Message) -> (Position, Stored) {
    let payload = String::from_utf8(message.payload().to_vec()).unwrap();
    (message.position(), Stored { payload, expires_ms: message.expires_ms() })
}
