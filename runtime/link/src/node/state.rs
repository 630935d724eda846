//! What can be asked of a node's side, and its form for another node.

use std::sync::Arc;

use throughline_canary::canary;

use super::NodeLink;
use crate::{
    ImportError,
    code::CloseCode,
    config::LinkConfig,
    id::{Secret, SessionId},
    numbering::{Numbering, Violation},
    reader::{Reader, Short},
    time::Instant,
};

/// Version of the exported form.
const EXPORT_VERSION: u8 = 1;

impl NodeLink {
    /// The session.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.id
    }

    /// The numbers of both directions.
    #[must_use]
    pub const fn numbering(&self) -> &Numbering {
        &self.numbering
    }

    /// Whether there is a connection.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the session has ended.
    #[inline]
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Why it ended, if it has.
    #[must_use]
    pub fn end_code(&self) -> Option<CloseCode> {
        self.end.map(|end| end.code)
    }

    /// Whether the client knows that the session has ended, so that it may be forgotten.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.is_some_and(|end| end.known)
    }

    /// How the client broke the rules over the present connection, if it did.
    #[must_use]
    pub const fn violation(&self) -> Option<Violation> {
        self.violation
    }

    /// Whether the next `poll_transmit` writes a time: only then need the wall clock be read.
    #[inline]
    #[must_use]
    pub fn wants_time(&self) -> bool {
        !self.control.is_empty()
    }

    /// Whether something waits for `poll_transmit` that needs no further time.
    #[inline]
    #[must_use]
    pub fn wants_transmit(&self, now: Instant) -> bool {
        self.connected
            && !self.is_closed()
            && (!self.control.is_empty()
                || self.numbering.has_unwritten()
                || self.numbering.ack_due().is_some_and(|due| due <= now)
                || self.closing.is_some_and(|(_, unsaid)| unsaid)
                || !self.holds_end
                    && self.end.is_some_and(|end| !end.told && self.closing.is_none()))
    }

    /// Whether one side has said Close on the present connection: nothing may follow it.
    #[inline]
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.closing, Some((_, false)))
    }

    /// Whether the window towards the client is full: then its driver handles no further message
    /// of it until acks come, and reads on, up to its mailbox, so that they get through.
    #[inline]
    #[must_use]
    pub fn is_window_full(&self) -> bool {
        self.numbering.reaches(self.config.window_messages, self.config.window_bytes)
            && !canary!(WindowIgnored)
    }

    /// Bytes of payload that were sent and that the client has not acknowledged.
    #[must_use]
    pub const fn retained_bytes(&self) -> usize {
        self.numbering.retained_bytes()
    }

    /// All that another node needs to go on with the session: id, secret, attempt counter, numbers
    /// and retained messages. Messages received and not handled are left out: the client sends
    /// them again. The secret is among it: keep it like one.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        let mut out = vec![EXPORT_VERSION];
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.secret.0);
        out.extend_from_slice(&self.attempt.to_be_bytes());
        out.extend_from_slice(&self.end.map_or(0, |end| end.code.number()).to_be_bytes());
        self.numbering.export(&mut out);
        out
    }

    /// A link from what `export` wrote, without a connection: its client comes by a resume.
    ///
    /// # Errors
    /// [`ImportError::Newer`] leaves the bytes for a newer build; [`ImportError::Damaged`] does not
    /// go away by retrying.
    pub fn import(
        config: Arc<LinkConfig>,
        bytes: &[u8],
        now: Instant,
    ) -> Result<Self, ImportError> {
        let short = |Short| ImportError::Damaged("cut short");
        let mut reader = Reader::new(bytes);
        let version = reader.u8().map_err(short)?;
        if version != EXPORT_VERSION {
            return Err(ImportError::Newer { found: version, known: EXPORT_VERSION });
        }
        let id = reader.session_id().map_err(short)?;
        let secret = Secret(reader.array().map_err(short)?);
        let attempt = reader.u64().map_err(short)?;
        let end = reader.u16().map_err(short)?;
        let numbering = Numbering::import(&mut reader)?;
        if !reader.is_empty() {
            return Err(ImportError::Damaged("bytes behind the end"));
        }
        let mut link = Self::away(config, id, secret, attempt, numbering, now);
        if end != 0 {
            let code = CloseCode::from_number(end);
            if !code.ends_session() {
                return Err(ImportError::Damaged("an end that is none"));
            }
            link.end(code);
            // Its `destroyed` has run where it ended; if not, its driver raises it again.
            link.ended_event = None;
        }
        Ok(link)
    }
}
