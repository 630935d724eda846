//! Why a resume was refused.

use core::time::Duration;

use crate::defaults::RETRY_AFTER;

/// The one table of refusals.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such session. Final.
    Unknown,
    /// The session is over, with the number of its close code. Final.
    Ended(u16),
    /// The client does not know the secret. Final; nothing of the session has changed.
    BadProof,
    /// A resume with this attempt, or a higher one, came before. Final for this connection.
    OldAttempt,
    /// The game's ban hook said no. Final.
    Banned,
    /// No living node reads what this one was asked for: the client is too old or too new. Final.
    UpgradeNeeded,
    /// Not now: try again after this time. Does not count as a try.
    NotYet(Duration),
    /// Not here: these addresses may. Does not count as a try.
    GoElsewhere(Vec<String>),
    /// The store does not answer: try again after this time. Does not count as a try.
    StoreDown(Duration),
    /// Too many resumes at once: try again after this time. Does not count as a try.
    Overloaded(Duration),
    /// The snapshot could not be loaded; it is kept. Does not count as a try.
    LoadFailed(Duration),
}

impl Refusal {
    /// Try again soon.
    pub const NOT_YET: Self = Self::NotYet(RETRY_AFTER);
    /// Try again when the store is back.
    pub const STORE_DOWN: Self = Self::StoreDown(RETRY_AFTER);
    /// Try again when there is less to do.
    pub const OVERLOADED: Self = Self::Overloaded(RETRY_AFTER);

    /// Whether no further try can succeed.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::Ended(_)
                | Self::BadProof
                | Self::OldAttempt
                | Self::Banned
                | Self::UpgradeNeeded
        )
    }
}
