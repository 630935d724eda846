//! How an ask fails.

use std::time::Duration;

/// Why an ask has no reply. Everything but [`Unknown`](Self::Unknown) says for sure that nothing
/// came of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It surely had no effect, for this reason.
    #[error("rejected: {0}")]
    Rejected(#[from] Rejection),
    /// It may have run: its node died, or did not answer within the deadline. Ask again only what
    /// may run twice; look first otherwise.
    #[error("no answer: it may have run")]
    Unknown,
    /// More waits there than is taken (`vactor.mailbox`). It was not run; asking again after this
    /// time may help.
    #[error("overloaded: to be tried again after {} ms", retry_after.as_millis())]
    Overloaded {
        /// About how long what waits there takes.
        retry_after: Duration,
    },
    /// Who is asked waits, through this chain of asks, for the one who asks. It was not run, and
    /// never can be: the game's fault.
    #[error("deadlock: {}", chain.join(" -> "))]
    Deadlock {
        /// Who waits for whom, the first one first.
        chain: Vec<String>,
    },
}

/// Why an ask surely had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No live node serves this kind, or none that reads its state. Asking again helps when one
    /// does.
    #[error("no node serves its kind")]
    NoSuchKind,
    /// Its kind does not know the message: a newer caller, or an older node.
    #[error("its kind does not take this message")]
    NoSuchMessage,
    /// The message is of another type than its name says, or cannot be written. The caller's fault.
    #[error("the message cannot be read")]
    Unreadable,
    /// The handler failed or panicked: its turn had no effect. The kind's fault.
    #[error("its handler failed")]
    HandlerFailed,
    /// Its state could not be loaded, and stays as it is. Asking again may help after an update.
    #[error("its state could not be loaded")]
    LoadFailed,
    /// What the turn did could not be committed: a queue is full, or the store does not answer.
    /// Asking again may help.
    #[error("its turn could not be committed")]
    NotCommitted,
    /// Its node could not be reached in time, or it had no time left for this one. Asking again
    /// may help; not if who asks was declared dead meanwhile, which then ends as lost.
    #[error("it could not be reached in time")]
    Late,
    /// Longer than a frame between nodes may be. The caller's fault.
    #[error("the message is too large")]
    TooLarge,
    /// A crash-proof turn asks only what changes nothing; send a durable message instead.
    #[error("a crash-proof turn may ask only what changes nothing")]
    ChangesInCrashProofTurn,
}

impl Rejection {
    /// Every one, for the wire.
    const ALL: [Self; 9] = [
        Self::NoSuchKind,
        Self::NoSuchMessage,
        Self::Unreadable,
        Self::HandlerFailed,
        Self::LoadFailed,
        Self::NotCommitted,
        Self::Late,
        Self::TooLarge,
        Self::ChangesInCrashProofTurn,
    ];

    pub(super) fn number(self) -> u8 {
        let index = Self::ALL.iter().position(|other| *other == self);
        u8::try_from(index.unwrap_or(0)).unwrap_or(0)
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
