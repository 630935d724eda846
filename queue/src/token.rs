//! A batch of messages that is kept under a token, so that taking it out can be repeated.

use bytes::Bytes;
use throughline_store::{Check, Entry, Write};

use crate::form::{FORM, FormError, Reader, put_sized};
use crate::{Message, Pieces, Position, QueueName, keys};

/// What stands under the token of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) expires_ms: u64,
    pub(crate) token: Bytes,
    pub(crate) more: bool,
    pub(crate) messages: Vec<Message>,
}

impl Kept {
    /// The expiry alone.
    pub(crate) fn expiry(value: &Bytes) -> Result<u64, FormError> {
        Reader::new("token", value)?.u64("expiry")
    }

    pub(crate) fn decode(name: &QueueName, value: &Bytes) -> Result<Self, FormError> {
        let mut reader = Reader::new("token", value)?;
        let expires_ms = reader.u64("expiry")?;
        let token = reader.sized("token")?;
        let more = reader.array("more")? != [0];
        let mut messages = Vec::new();
        while !reader.is_at_end() {
            let position = Position::from_bytes(reader.array("position")?);
            let value = reader.sized("message")?;
            messages.push(Message::read(Entry { key: keys::message(name, position), value })?);
        }
        Ok(Self { expires_ms, token, more, messages })
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut value = vec![FORM];
        value.extend_from_slice(&self.expires_ms.to_be_bytes());
        put_sized(&mut value, &self.token);
        value.push(u8::from(self.more));
        for message in &self.messages {
            value.extend_from_slice(&message.position().to_bytes());
            put_sized(&mut value, &Message::encode(message.expires_ms(), &message.payload()));
        }
        value.into()
    }

    /// Puts it in the place of what was read there.
    pub(crate) fn replace(&self, name: &QueueName, before: Option<Bytes>) -> Pieces {
        let key = keys::token(name);
        let check = match before {
            Some(value) => Check::Equals { key: key.clone(), value },
            None => Check::Absent { key: key.clone() },
        };
        Pieces { checks: vec![check], writes: vec![Write::Put { key, value: self.encode() }] }
    }
}
