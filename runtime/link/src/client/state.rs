//! What can be asked of a client's side, and its form for the client's next process.

use core::time::Duration;

use super::{ClientLink, Identity, Phase};
use crate::{
    ImportError,
    config::ClientConfig,
    id::{Secret, SessionId},
    numbering::Numbering,
    reader::{Reader, Short},
    time::Instant,
};

/// Version of the exported form.
const EXPORT_VERSION: u8 = 1;

/// How far an import raises the attempt counter: above every try that the exporting process may
/// have made since. The counter must only grow.
const IMPORT_ATTEMPTS: u64 = 1 << 20;

/// Counters of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Messages sent in this session.
    pub sent: u64,
    /// Of these, not acknowledged yet.
    pub retained: u64,
    /// Of these, acknowledged.
    pub acked: u64,
    /// Messages received in this session.
    pub received: u64,
    /// Connections repaired.
    pub repairs: u64,
}

impl ClientLink {
    /// The session's id, once it has begun.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.identity.as_ref().map(|identity| identity.id)
    }

    /// Whether messages travel now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Whether the session is over for this client.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether the tries are used up, or nothing has begun.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.phase == Phase::Resting
    }

    /// Counters since the session began.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            sent: self.numbering.last(),
            retained: self.numbering.retained() as u64,
            acked: self.numbering.acked(),
            received: self.numbering.received(),
            repairs: self.repairs,
        }
    }

    /// The numbers of both directions.
    #[must_use]
    pub const fn numbering(&self) -> &Numbering {
        &self.numbering
    }

    /// The smoothed round-trip time of heartbeats, once one has come back.
    #[must_use]
    pub const fn rtt(&self) -> Option<Duration> {
        self.clock.rtt()
    }

    /// The node's clock, in milliseconds since 1970 UTC, once it is known.
    #[must_use]
    pub fn server_time(&self, now: Instant) -> Option<u64> {
        self.clock.time(now)
    }

    /// All that another process of this client needs to resume the session, if it has begun: its
    /// id, secret, attempt counter, numbers and unacknowledged messages. Keep it like a secret.
    ///
    /// It is good until the next message is sent or acknowledged: one that is older is mostly found
    /// out (`Lost`), but not where as many messages were sent again under the same numbers.
    #[must_use]
    pub fn export(&self) -> Option<Vec<u8>> {
        let identity = self.identity.as_ref()?;
        let mut out = vec![EXPORT_VERSION];
        out.extend_from_slice(&identity.id.0);
        out.extend_from_slice(&identity.secret.0);
        out.extend_from_slice(&identity.attempt.to_be_bytes());
        self.numbering.export(&mut out);
        Some(out)
    }

    /// A link that resumes what `export` wrote; `connect` begins it.
    ///
    /// # Errors
    /// [`ImportError::Newer`] and [`ImportError::Damaged`]; neither goes away by retrying.
    pub fn import(config: ClientConfig, bytes: &[u8]) -> Result<Self, ImportError> {
        let short = |Short| ImportError::Damaged("cut short");
        let mut reader = Reader::new(bytes);
        let version = reader.u8().map_err(short)?;
        if version != EXPORT_VERSION {
            return Err(ImportError::Newer { found: version, known: EXPORT_VERSION });
        }
        let id = reader.session_id().map_err(short)?;
        let secret = Secret(reader.array().map_err(short)?);
        let attempt = reader.u64().map_err(short)?.saturating_add(IMPORT_ATTEMPTS);
        let numbering = Numbering::import(&mut reader)?;
        if !reader.is_empty() {
            return Err(ImportError::Damaged("bytes behind the end"));
        }
        let identity = Some(Identity { id, secret, attempt });
        Ok(Self { identity, numbering, ..Self::new(config) })
    }
}
