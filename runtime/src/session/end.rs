//! Why a session ended, in the words of games.

use throughline_link::CloseCode;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a session ended. Client and game are told the same; the numbers are those of
        /// `docs/protocol.md` 6.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EndReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl From<EndReason> for CloseCode {
            fn from(reason: EndReason) -> Self {
                match reason { $(EndReason::$name => Self::$name,)+ }
            }
        }

        impl EndReason {
            /// The reason that a code stands for; codes that end no session are `Lost`.
            pub(crate) const fn from_code(code: CloseCode) -> Self {
                match code { $(CloseCode::$name => Self::$name,)+ _ => Self::Lost }
            }
        }
    };
}

reasons! {
    /// The game ended it.
    Ended,
    /// The client ended it.
    Left,
    /// No connection for `session.timeout`.
    Expired,
    /// Connected, but no message for `session.idle-limit`.
    Idle,
    /// Too much that the client has not acknowledged.
    RetainedOverflow,
    /// A message unacknowledged for too long over a live connection.
    SlowConsumer,
    /// A hook failed, panicked or overran its deadline.
    HandlerFailed,
    /// The player logged in elsewhere.
    KeyTaken,
    /// An operator ended it.
    Kicked,
    /// State or messages were lost.
    Lost,
    /// The game cannot read a message of the client.
    BadMessage,
    /// Over the rate limit for too long.
    Flooded,
    /// The node stopped.
    NodeStopped,
}

impl core::fmt::Display for EndReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        CloseCode::from(*self).fmt(f)
    }
}
