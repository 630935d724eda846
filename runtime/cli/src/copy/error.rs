//! Why a store was not copied.

use std::fmt;
use std::time::Duration;

use indicatif::HumanDuration;
use throughline_cluster::{FormError, Member, NodeState, RecordId};

use super::{parked::RECENT, sum::Sum};

/// So many nodes are named; the others are counted.
const NAMED_MAX: usize = 10;

/// Why a store was not copied, or not to its end. The store that is copied was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// Who typed it.
    #[error("{0} would be copied into itself: name two stores")]
    Same(String),
    /// Nodes use it: who did not stop them.
    #[error(
        "{from} is in use: {}; stop all nodes, or, if they were killed, wait until {} after their \
         last sign of life",
        said(nodes),
        HumanDuration(RECENT)
    )]
    InUse { from: String, nodes: Vec<Living> },
    /// Nobody can tell whether that node is alive.
    #[error(
        "{from} has an entry of the node {member} that cannot be read ({why}), so it may be alive: \
         start a node of the version that wrote it, and stop it"
    )]
    UnreadableNode { from: String, member: Member, why: FormError },
    /// It is not whole itself.
    #[error("{from} is itself half a copy: let that copy end first, with throughline store copy")]
    FromHalf { from: String },
    /// Somebody has used it already.
    #[error(
        "{to} has a record \"{key}\" that is no part of this copy: a copy goes into an empty \
         store; name another, or empty it"
    )]
    NotEmpty { to: String, key: String },
    /// It was begun with another store, or that one has changed.
    #[error(
        "{to} has a copy that has not ended, of {of} with {expected}; {from} has {found}: copy \
         that store as it was, or empty {to} and start again"
    )]
    OtherCopy { to: String, of: String, from: String, expected: Sum, found: Sum },
    /// The row of the copy was written by another version, or is damaged.
    #[error(
        "{to} has a copy that has not ended, and {why}: use the version that began it, or empty \
         the store and start again"
    )]
    UnreadableCopy { to: String, why: FormError },
    /// Two at once.
    #[error("another copy into {to} is under way: let it end")]
    TwoCopies { to: String },
    /// Nodes were started on it meanwhile.
    #[error(
        "{from} was changed while it was copied: it had {before}, and has {now}; stop all nodes, \
         empty {to}, and start again"
    )]
    Changed { from: String, to: String, before: Sum, now: Sum },
    /// Something else has written into it meanwhile, or it does not keep the law.
    #[error(
        "{to} is not what {from} is: {found} where {expected} were expected; no node starts on \
         it; empty it, and start again with nothing else at it"
    )]
    Unequal { from: String, to: String, expected: Sum, found: Sum },
}

/// A node that is alive, as far as its entry tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Living {
    pub(crate) member: Member,
    pub(crate) state: NodeState,
    /// How long ago it gave a sign of life. `None`: it cannot be read.
    pub(crate) beat_age: Option<Duration>,
    /// It may act if that is not longer ago than this.
    pub(crate) recent: Duration,
    /// What it owns, up to one page of it.
    pub(crate) owned: Vec<RecordId>,
}

fn said(nodes: &[Living]) -> String {
    let mut said: Vec<_> = nodes.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    if nodes.len() > NAMED_MAX {
        said.push(format!("and {} more nodes", nodes.len() - NAMED_MAX));
    }
    said.join("; ")
}

impl fmt::Display for Living {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = format!("{:?}", self.state).to_lowercase();
        write!(f, "{} is {state}", self.member)?;
        match self.beat_age {
            Some(age) => write!(f, ", its last sign of life {} ms ago", age.as_millis())?,
            None => f.write_str(", and its last sign of life cannot be read")?,
        }
        match self.owned.first() {
            Some(first) => write!(f, ", and owns {first}{}", others(self.owned.len() - 1)),
            None => Ok(()),
        }
    }
}

fn others(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" and {count} others at least") }
}
