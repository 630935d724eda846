//! The law of ownership: the checks of every step.

use core::fmt;

use throughline_canary::canary;

use crate::id::{Member, RecordId};

/// A check of the law. Each step has each of its checks exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Create: there is no such record.
    CreateAbsent,
    /// Create: this node is alive, and not draining.
    CreateAlive,
    /// Turn, Running, enqueue, reminder, counter, settle: the header is mine as last written.
    TurnHeader,
    /// Park: the header is mine as last written.
    ParkHeader,
    /// End: the header is mine as last written.
    EndHeader,
    /// End: a key is deleted only if it points to this session.
    EndKey,
    /// Yield: the header is mine as last written.
    YieldHeader,
    /// Yield: the new owner is alive, and not draining.
    YieldAlive,
    /// Yield: the new owner reads this version of the state.
    YieldReads,
    /// Claim: the header is as read.
    ClaimHeader,
    /// Claim: this node is alive, and not draining.
    ClaimAlive,
    /// Claim, take and seize: this node reads this version of the state.
    ClaimReads,
    /// Take: the header is as read.
    TakeHeader,
    /// Take: this node is alive, and not draining.
    TakeAlive,
    /// Take: the owner is dead, has left, or has no entry.
    TakeDead,
    /// Yield, claim, take and seize: the client's attempt is above the counter.
    Attempt,
    /// Seize: the header is as read.
    SeizeHeader,
    /// Seize: this node is alive, and not draining.
    SeizeAlive,
    /// Seize: every turn of the record is committed before its effects leave.
    SeizeCommitted,
    /// Key: it is as read: absent, or still held by that session.
    KeyHolder,
    /// Key: the header of the session that gets it is mine as last written.
    KeyHeader,
    /// Key: the session that held it is as read: over, or parked, or a dead owner's.
    KeyLoser,
    /// Key: the owner of the session that held it is dead, has left, or has no entry.
    KeyDead,
    /// Deletion: the header is as read.
    RemoveHeader,
    /// Deletion: it is due.
    RemoveDue,
    /// Beat: this node is not dead.
    BeatAlive,
    /// Mark dead: the beat is the one that was seen.
    MarkBeat,
    /// Mark dead: the node is not dead, has not left, and has an entry.
    MarkStanding,
    /// Join: no other incarnation of the node joined meanwhile.
    JoinNode,
    /// Join: the incarnation before is dead, has left, or has no entry.
    JoinGone,
    /// Drain: this node is alive.
    DrainAlive,
    /// Leave: this node is draining, and owns nothing.
    LeaveEmpty,
    /// Removal of an entry: its node is dead or has left, and owns nothing.
    ForgetGone,
    /// Request: the owner that is asked has not changed its standing.
    RequestOwner,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 34] = [
        Self::CreateAbsent,
        Self::CreateAlive,
        Self::TurnHeader,
        Self::ParkHeader,
        Self::EndHeader,
        Self::EndKey,
        Self::YieldHeader,
        Self::YieldAlive,
        Self::YieldReads,
        Self::ClaimHeader,
        Self::ClaimAlive,
        Self::ClaimReads,
        Self::TakeHeader,
        Self::TakeAlive,
        Self::TakeDead,
        Self::Attempt,
        Self::SeizeHeader,
        Self::SeizeAlive,
        Self::SeizeCommitted,
        Self::KeyHolder,
        Self::KeyHeader,
        Self::KeyLoser,
        Self::KeyDead,
        Self::RemoveHeader,
        Self::RemoveDue,
        Self::BeatAlive,
        Self::MarkBeat,
        Self::MarkStanding,
        Self::JoinNode,
        Self::JoinGone,
        Self::DrainAlive,
        Self::LeaveEmpty,
        Self::ForgetGone,
        Self::RequestOwner,
    ];
}

impl Rule {
    /// Whether a planted bug leaves this check out.
    fn is_forgotten(self) -> bool {
        match self {
            Self::TurnHeader => canary!(NoFenceCheck),
            Self::ParkHeader => canary!(ParkUnchecked),
            Self::YieldHeader => canary!(YieldUnchecked),
            Self::YieldAlive => canary!(YieldToTheGone),
            Self::YieldReads => canary!(YieldUnread),
            Self::ClaimHeader => canary!(ClaimUnchecked),
            Self::TakeHeader => canary!(TakeUnchecked),
            Self::TakeDead => canary!(TakeWithoutWaiting),
            Self::RemoveHeader => canary!(RemoveUnchecked),
            Self::CreateAbsent => canary!(CreateUnchecked),
            Self::Attempt => canary!(OldAttemptAccepted),
            Self::KeyHolder => canary!(KeyUnchecked),
            Self::BeatAlive => canary!(BeatsWhenDead),
            Self::MarkBeat => canary!(MarkUnchecked),
            _ => false,
        }
    }
}

/// Builds the commit of each step, with its checks. Its methods stand in `steps`, a family per
/// file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Law {
    #[cfg(feature = "model")]
    without: Option<Rule>,
}

impl Law {
    /// The law without one of its checks: for the model, which must fail then.
    #[cfg(feature = "model")]
    #[must_use]
    pub const fn without(rule: Rule) -> Self {
        Self { without: Some(rule) }
    }

    /// Whether this check is made: always, but in a model.
    #[cfg_attr(not(feature = "model"), allow(clippy::unused_self))]
    pub(crate) fn has(&self, rule: Rule) -> bool {
        #[cfg(feature = "model")]
        let left_out = self.without == Some(rule);
        #[cfg(not(feature = "model"))]
        let left_out = {
            let _ = rule;
            false
        };
        !left_out && !rule.is_forgotten()
    }

    /// A condition on what was read, whose bytes a guard of the same commit checks.
    pub(crate) fn require(&self, rule: Rule, holds: bool, why: NotNow) -> Result<(), NotNow> {
        if holds || !self.has(rule) { Ok(()) } else { Err(why) }
    }
}

/// Why a step cannot be taken, as things were read. Nothing was written. Whether to read again,
/// ask somebody, or refuse is the caller's to decide; taking the same step again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotNow {
    /// The record is not in a state from which the step starts.
    #[error("{0} is not in a state for this step")]
    WrongState(RecordId),
    /// The node may be given nothing: it drains, or it is gone.
    #[error("{0} takes nothing more")]
    NotAlive(Member),
    /// The node cannot read this version of the state, or does not serve the kind.
    #[error("{node} does not read version {version} of {kind}")]
    Unreadable {
        /// The node.
        node: Member,
        /// The kind.
        kind: String,
        /// The version of the state.
        version: u32,
    },
    /// A client was let in with this attempt, or a higher one.
    #[error("attempt {attempt} is not above {counter}")]
    OldAttempt {
        /// The attempt that came.
        attempt: u64,
        /// The counter of the record.
        counter: u64,
    },
    /// The owner is not gone: it must be asked.
    #[error("{0} is not gone")]
    OwnerAlive(Member),
    /// It is not due yet.
    #[error("{0} is not due yet")]
    NotDue(RecordId),
    /// The node still owns records.
    #[error("{0} still owns records")]
    NotEmpty(Member),
    /// Another incarnation of the node is alive: wait a term, or stop it.
    #[error("{0} is alive: two processes of one node, or the last one's term is not over")]
    StillThere(Member),
}

/// What a step is, for logs and reports. `docs/cluster.md` has the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepName {
    /// A record begins.
    Create = 1,
    /// A turn, the first commit of a new owner among them.
    Turn = 2,
    /// A commit of unknown outcome is settled.
    Settle = 3,
    /// The owner gives a record to nobody.
    Park = 4,
    /// A record is over.
    End = 5,
    /// The owner gives a record to another node.
    Yield = 6,
    /// A node takes a parked record.
    Claim = 7,
    /// A node takes a record of a dead owner.
    Take = 8,
    /// A node takes a record, all of whose turns are committed, from an owner that is silent.
    Seize = 9,
    /// A request is left for an owner that does not answer.
    Request = 10,
    /// A session gets a session key.
    Key = 11,
    /// A record that is over, or expired, is deleted.
    Remove = 12,
    /// A node joins.
    Join = 13,
    /// A node renews its lease.
    Beat = 14,
    /// A node that does not beat is declared dead.
    Mark = 15,
    /// A node begins to drain.
    Drain = 16,
    /// A node that owns nothing leaves.
    Leave = 17,
    /// The entry of a node that is gone is deleted.
    Forget = 18,
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} ({self:?})", *self as u8)
    }
}
