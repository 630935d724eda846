//! Close codes: one table for Close, Refused and the WebSocket close status.

use core::fmt;

/// What a client does by itself when it gets a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The session is over for this client; the game is told.
    Ended,
    /// Resume; counts as a try.
    Resume,
    /// Try again after `retry_after`; does not count as a try.
    Wait,
    /// Try the addresses that came with it; does not count as a try.
    Elsewhere,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $advice:ident;)+) => {
        /// Why a connection or a session ended, or was refused. `docs/protocol.md` 6 has the
        /// table; the numbers are the wire's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum CloseCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl CloseCode {
            /// All codes, by number.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The name, as in the table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What a client does by itself.
            #[must_use]
            pub const fn advice(self) -> Advice {
                match self { $(Self::$name => Advice::$advice,)+ }
            }

            const fn known(number: u16) -> Option<Self> {
                match number { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

codes! {
    /// The game ended the session.
    Ended = 100, Ended;
    /// The client ended the session.
    Left = 101, Ended;
    /// No connection for the session timeout.
    Expired = 102, Ended;
    /// Connected, but no message for the idle limit.
    Idle = 103, Ended;
    /// Too much that the client has not acknowledged.
    RetainedOverflow = 104, Ended;
    /// A message unacknowledged for too long over a live connection.
    SlowConsumer = 105, Ended;
    /// The game's handler failed or overran its deadline.
    HandlerFailed = 106, Ended;
    /// The player logged in elsewhere.
    KeyTaken = 107, Ended;
    /// An operator ended the session.
    Kicked = 108, Ended;
    /// State or messages of the session were lost.
    Lost = 109, Ended;
    /// The game cannot read a message of the client.
    BadMessage = 110, Ended;
    /// Over the rate limit for too long.
    Flooded = 111, Ended;
    /// The node stopped and could keep no sessions.
    NodeStopped = 112, Ended;
    /// The other side broke the protocol.
    ProtocolError = 200, Resume;
    /// A frame above the limit.
    TooLarge = 201, Resume;
    /// A newer resume took the session.
    TakenOver = 202, Ended;
    /// Nothing was heard for two heartbeats.
    HalfOpen = 203, Resume;
    /// A text message on WebSocket.
    TextFrame = 204, Resume;
    /// Not this protocol: wrong magic, or HTTP or TLS on the link port.
    NotLink = 205, Ended;
    /// No such session, or forgotten.
    Unknown = 300, Ended;
    /// The proof does not fit.
    BadProof = 301, Ended;
    /// The attempt counter did not grow.
    OldAttempt = 302, Ended;
    /// Refused by the game's ban hook.
    Banned = 303, Ended;
    /// The game's client is too old.
    UpgradeNeeded = 304, Ended;
    /// Refused by the game's login hook.
    LoginRefused = 305, Ended;
    /// The node serves no such session kind.
    UnknownKind = 306, Ended;
    /// No common protocol version.
    UnsupportedVersion = 307, Ended;
    /// A required extension is unknown.
    UnknownExtension = 308, Ended;
    /// The login payload is above the limit.
    LoginTooLarge = 309, Ended;
    /// A malformed Hello or Resume.
    BadHandshake = 310, Ended;
    /// Not ready for this session yet.
    NotYet = 320, Wait;
    /// Another node can take it.
    GoElsewhere = 321, Elsewhere;
    /// The store does not answer.
    StoreDown = 322, Wait;
    /// A limit of the node is reached.
    Overloaded = 323, Wait;
    /// The session's state could not be loaded.
    LoadFailed = 324, Wait;
    /// The handshake or the login took too long.
    HandshakeTimeout = 325, Wait;
}

impl CloseCode {
    /// The code of a number; an unknown one is taken as the first of its hundred, and one beyond
    /// the table as `ProtocolError`.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match (Self::known(number), number) {
            (Some(code), _) => code,
            (None, 100..=199) => Self::Ended,
            (None, 300..=399) => Self::Unknown,
            (None, _) => Self::ProtocolError,
        }
    }

    /// Whether the session itself has ended, not only a connection or a try.
    #[must_use]
    pub const fn ends_session(self) -> bool {
        matches!(self.number(), 100..=199)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_one_to_one() {
        for &code in CloseCode::ALL {
            assert_eq!(CloseCode::from_number(code.number()), code);
        }
        assert!(CloseCode::ALL.is_sorted_by_key(|code| code.number()));
    }

    #[test]
    fn unknown_numbers_are_read_by_their_hundred() {
        assert_eq!(CloseCode::from_number(199), CloseCode::Ended);
        assert_eq!(CloseCode::from_number(299), CloseCode::ProtocolError);
        assert_eq!(CloseCode::from_number(399), CloseCode::Unknown);
        assert_eq!(CloseCode::from_number(9), CloseCode::ProtocolError);
    }
}
