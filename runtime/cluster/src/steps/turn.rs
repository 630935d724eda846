//! Steps 2 and 3: the owner acts, or settles what became of an earlier commit.

use bytes::Bytes;
use throughline_canary::canary;

use super::{Change, Step};
use crate::{
    header::{Header, State},
    law::{Law, NotNow, Rule, StepName},
    plan::{Commit, Row, Value},
};

/// What of a record stands in the store while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnState {
    /// No snapshot (mode `OnSwapOut`).
    Running,
    /// The snapshot of this turn, and the version of its state (mode `EveryTurn`).
    Committed {
        /// The driver's bytes.
        snapshot: Bytes,
        /// The version of the game's state in them.
        state_version: u32,
    },
}

/// A commit of the owner.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Whether a snapshot is written.
    pub state: TurnState,
    /// The highest attempt that the client was let in with.
    pub attempt: u64,
    /// When it is to be looked at, in milliseconds since 1970 UTC.
    pub due: Option<u64>,
    /// Checks and writes of other packages: enqueues, messages used up.
    pub more: Commit,
}

impl Law {
    /// The owner commits a turn. The first one of a new owner is committed before the first effect
    /// leaves; it makes the record `Running` or `Committed`.
    ///
    /// # Errors
    /// [`NotNow::WrongState`]: parked or over.
    pub fn turn(&self, mine: &Header, turn: Turn) -> Result<Step, NotNow> {
        if mine.owner.is_none() || mine.state.is_ended() {
            return Err(NotNow::WrongState(mine.id.clone()));
        }
        let mut change = Change::of(self, Rule::TurnHeader, mine);
        change.after.attempt = turn.attempt.max(mine.attempt);
        change.after.due = turn.due;
        change.after.crashes = 0;
        match turn.state {
            TurnState::Running if canary!(StaleSnapshotAccepted) && mine.snapshot_version != 0 => {
                change.after.state = State::Committed;
            }
            TurnState::Running => {
                change.after.state = State::Running;
                change.no_snapshot();
            }
            TurnState::Committed { snapshot, state_version } => {
                change.after.state = State::Committed;
                change.after.state_version = state_version;
                change.snapshot(snapshot);
            }
        }
        change.commit.guards.extend(turn.more.guards);
        change.commit.writes.extend(turn.more.writes);
        change.commit.raw = turn.more.raw;
        Ok(change.finish(StepName::Turn))
    }

    /// Settles a commit of unknown outcome. `read` is the header as it stands now; `tried` is the
    /// highest version that was proposed for it. Once this commit is in, none that was proposed
    /// before can land any more; what stands in the store is then known to stand.
    #[must_use]
    pub fn settle(&self, read: &Header, tried: u64) -> Step {
        let mut commit = Commit::default();
        if self.has(Rule::TurnHeader) {
            let expected = Some(Value::Header(read.clone()));
            commit.guard(Rule::TurnHeader, Row::Header(read.id.clone()), expected);
        }
        let mut after = read.clone();
        // A number of its own: read later, it tells this commit from the one it settles.
        after.version = read.version.max(tried) + 1;
        commit.put(Row::Header(read.id.clone()), Value::Header(after.clone()));
        Step::new(StepName::Settle, commit, after)
    }
}
