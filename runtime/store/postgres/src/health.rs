//! How the server is, in words.

use std::fmt;

/// How the server is, as far as this store can see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Health {
    /// Not looked at yet.
    #[default]
    Unseen,
    /// There is a primary, and commits get on.
    Working,
    /// Commits have waited for a synchronous standby for more than a second: until enough of them
    /// are back, or an operator takes them out of `synchronous_standby_names`, none returns.
    AwaitsStandby {
        /// The standbys that are asked for, as the server has them set.
        names: String,
        /// Standbys that are connected.
        connected: i64,
        /// Commits of this user that wait.
        waiting: i64,
    },
    /// There is no primary, or it does not answer.
    Away {
        /// What the last try met.
        reason: String,
    },
}

impl Health {
    /// Whether commits get on.
    pub fn is_working(&self) -> bool {
        matches!(self, Self::Working)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unseen => f.write_str("the server was not looked at yet"),
            Self::Working => f.write_str("the server works"),
            Self::AwaitsStandby { names, connected, waiting } => write!(
                f,
                "{waiting} commits and reads wait for a synchronous standby: \
                 synchronous_standby_names is \"{names}\", and {connected} standbys are connected; \
                 bring them back, or, if no other server was promoted, take the lost ones out of \
                 that setting"
            ),
            Self::Away { reason } => f.write_str(reason),
        }
    }
}
