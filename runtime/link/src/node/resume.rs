//! A client comes back to its session.

use throughline_canary::canary;

use super::{NodeLink, Resume};
use crate::{code::CloseCode, time::Instant};

/// The node's answer to a Resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The session goes on over the new connection; Welcome is the first thing to transmit.
    Accepted {
        /// The old connection still looked alive: the driver sends it `Close(TakenOver)`.
        takes_over: bool,
    },
    /// Refused with this code; nothing of the session has changed, unless the code ends it: then
    /// an old connection that still looks alive is closed with it, too.
    Refused(CloseCode),
}

impl NodeLink {
    /// Whether this Resume is from the session's client and newer than every one before. Changes
    /// nothing: the driver may ask the game's ban hook before it goes on.
    ///
    /// # Errors
    /// `BadProof` or `OldAttempt`.
    pub fn check_resume(&self, resume: &Resume<'_>) -> Result<(), CloseCode> {
        if !resume.is_proved(&self.secret) {
            return Err(CloseCode::BadProof);
        }
        if resume.attempt <= self.attempt && !canary!(OldAttemptAccepted) {
            return Err(CloseCode::OldAttempt);
        }
        Ok(())
    }

    /// What this link is told from here on: before a Resume over another kind of connection.
    pub fn set_config(&mut self, config: std::sync::Arc<crate::LinkConfig>) {
        self.config = config;
    }

    /// Whether the client of this Resume has seen more of the session than is known here: what is
    /// here is older than what somebody else has, or had.
    pub fn is_behind(&self, resume: &Resume<'_>) -> bool {
        resume.acked > self.numbering.handled_up_to() || resume.received > self.numbering.last()
    }

    /// Takes a Resume, over a new connection. Checks it again. `time` is the wall clock in
    /// milliseconds since 1970 UTC.
    pub fn handle_resume(&mut self, resume: &Resume<'_>, now: Instant, time: u64) -> Answer {
        if let Err(code) = self.check_resume(resume) {
            return Answer::Refused(code);
        }
        let takes_over = self.connected;
        self.attempt = resume.attempt;
        self.handle_disconnected(now);
        // The client saw more handled than this node knows of, or messages cannot be sent again:
        // what is here is older than what the client saw, or the client is (P2).
        let mut is_ours = resume.acked <= self.numbering.handled_up_to();
        let mut received = resume.received;
        if canary!(StaleSnapshotAccepted) {
            (is_ours, received) = (true, received.min(self.numbering.last()));
        }
        if !is_ours || !self.numbering.rewind(received) {
            if let Some(end) = self.end {
                return Answer::Refused(end.code);
            }
            self.end(CloseCode::Lost);
            return Answer::Refused(CloseCode::Lost);
        }
        self.connected = true;
        self.heard = now;
        self.pinged = false;
        self.active = now;
        // The client has them and has not handled them: nothing is written that starts the clock.
        self.watch_acks(now);
        self.write_welcome(None, time);
        Answer::Accepted { takes_over }
    }
}
