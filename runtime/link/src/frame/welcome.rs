//! Welcome: accepts a Hello or a Resume.

use super::FrameError;
use crate::{
    extension::{self, Extensions},
    id::{Secret, SessionId},
    reader::{Reader, Short},
    wire, writer,
};

/// A node's yes, with what the client needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The version spoken from here on.
    pub version: u8,
    /// Whether the session was resumed.
    pub resumed: bool,
    /// The session.
    pub session_id: SessionId,
    /// Its secret; only in the answer to a Hello.
    pub secret: Option<Secret>,
    /// Of the Resume that is answered; 0 after a Hello.
    pub attempt: u64,
    /// The highest number of the client's messages that the node holds.
    pub received: u64,
    /// The highest of them that was handled.
    pub ack: u64,
    /// Milliseconds since 1970 UTC.
    pub time: u64,
    /// Milliseconds between Pings.
    pub heartbeat_ms: u32,
    /// Milliseconds a session lives without a connection.
    pub timeout_ms: u32,
    /// Messages a sender may have unacknowledged.
    pub window_messages: u32,
    /// Payload bytes a sender may have unacknowledged.
    pub window_bytes: u32,
    /// The limit for a frame's length, both ways.
    pub max_frame: u32,
    /// More; see [`wire`].
    pub extensions: Extensions<'a>,
}

impl<'a> Welcome<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, FrameError> {
        let short = |Short| FrameError::Short { kind: wire::WELCOME };
        let bad = |field| FrameError::BadField { kind: wire::WELCOME, field };
        let mut reader = Reader::new(body);
        let version = reader.u8().map_err(short)?;
        if version != wire::VERSION {
            return Err(FrameError::UnsupportedVersion { min: version, max: version });
        }
        let resumed = reader.u8().map_err(short)? & wire::FLAG_RESUMED != 0;
        let session_id = reader.session_id().map_err(short)?;
        let secret = match reader.u8().map_err(short)? {
            0 => None,
            32 => Some(Secret(reader.array().map_err(short)?)),
            _ => return Err(bad("secret")),
        };
        if resumed == secret.is_some() {
            return Err(bad("secret"));
        }
        Ok(Self {
            version,
            resumed,
            session_id,
            secret,
            attempt: reader.u64().map_err(short)?,
            received: reader.u64().map_err(short)?,
            ack: reader.u64().map_err(short)?,
            time: reader.u64().map_err(short)?,
            heartbeat_ms: reader.u32().map_err(short)?,
            timeout_ms: reader.u32().map_err(short)?,
            window_messages: reader.u32().map_err(short)?,
            window_bytes: reader.u32().map_err(short)?,
            max_frame: reader.u32().map_err(short)?,
            extensions: Extensions::read(reader.rest(), wire::WELCOME)?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.write_with(out, |out| {
            for extension in self.extensions.iter() {
                extension::write(out, extension.tag, extension.bytes);
            }
        });
    }

    /// Writes it with these extensions instead of its own.
    pub(crate) fn write_with(&self, out: &mut Vec<u8>, extensions: impl FnOnce(&mut Vec<u8>)) {
        writer::frame(out, wire::WELCOME, |out| {
            out.push(self.version);
            out.push(if self.resumed { wire::FLAG_RESUMED } else { 0 });
            out.extend_from_slice(&self.session_id.0);
            match &self.secret {
                Some(Secret(secret)) => {
                    out.push(32);
                    out.extend_from_slice(secret);
                }
                None => out.push(0),
            }
            for number in [self.attempt, self.received, self.ack, self.time] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            let limits = [
                self.heartbeat_ms,
                self.timeout_ms,
                self.window_messages,
                self.window_bytes,
                self.max_frame,
            ];
            for number in limits {
                out.extend_from_slice(&number.to_be_bytes());
            }
            extensions(out);
        });
    }

    /// The node's own public address, if it told one.
    #[must_use]
    pub fn address(&self) -> Option<&'a str> {
        self.extensions.text(wire::TAG_ADDRESS)
    }
}
