//! Which step a commit is, by what it checks and writes.

use std::collections::BTreeMap;

use bytes::Bytes;
use throughline_cluster::{Header, Member, NodeState, Row, State, Value, keys};
use throughline_store::{Batch, Check};

/// A numbered step; where it has several forms that differ in what a kill means, each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Create,
    /// The first turn of a new session.
    TurnNew,
    /// The first turn of a new owner.
    TurnHanded,
    /// A later turn, of what commits every turn.
    Turn,
    /// A later turn of what is not crash-proof, which sends durably or takes a message.
    TurnRunning,
    /// A client that comes back to what commits every turn.
    TurnResume,
    /// A VActor that its node has in no memory begins anew.
    Restart,
    Settle,
    Park,
    End,
    Yield,
    Claim,
    /// The client is at the node that takes.
    TakeHere,
    /// A sweep parks what has a snapshot.
    TakePark,
    /// A sweep ends what has none.
    TakeLost,
    /// A VActor that has none begins anew at the node that takes, a sweep's or an asker's.
    TakeNew,
    /// The client is at the node that takes, and the owner does not count as dead.
    Seize,
    Request,
    /// The owner deletes a request.
    Answered,
    Key,
    Remove,
    Join,
    Beat,
    Mark,
    Drain,
    Leave,
    Forget,
}

impl Step {
    const NAMES: [(Self, u8, &'static str); 27] = [
        (Self::Create, 1, "create"),
        (Self::TurnNew, 2, "turn-new"),
        (Self::TurnHanded, 2, "turn-handed"),
        (Self::Turn, 2, "turn"),
        (Self::TurnRunning, 2, "turn-running"),
        (Self::TurnResume, 2, "turn-resume"),
        (Self::Restart, 2, "restart"),
        (Self::Settle, 3, "settle"),
        (Self::Park, 4, "park"),
        (Self::End, 5, "end"),
        (Self::Yield, 6, "yield"),
        (Self::Claim, 7, "claim"),
        (Self::TakeHere, 8, "take-here"),
        (Self::TakePark, 8, "take-park"),
        (Self::TakeLost, 8, "take-lost"),
        (Self::TakeNew, 8, "take-new"),
        (Self::Seize, 9, "seize"),
        (Self::Request, 10, "request"),
        (Self::Answered, 10, "answered"),
        (Self::Key, 11, "key"),
        (Self::Remove, 12, "remove"),
        (Self::Join, 13, "join"),
        (Self::Beat, 14, "beat"),
        (Self::Mark, 15, "mark"),
        (Self::Drain, 16, "drain"),
        (Self::Leave, 17, "leave"),
        (Self::Forget, 18, "forget"),
    ];

    fn row(self) -> (Self, u8, &'static str) {
        *Self::NAMES.iter().find(|(step, ..)| *step == self).unwrap()
    }

    /// Its number in `docs/cluster.md`.
    pub(crate) fn number(self) -> u8 {
        self.row().1
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().2
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(.., own)| *own == name).map(|(step, ..)| *step)
    }

    /// The step of a commit of `me`; `None` if it is none of ownership's.
    pub(crate) fn of(batch: &Batch, me: Option<Member>) -> Option<Self> {
        let commit = Typed::of(batch)?;
        let member = commit.writes.iter().find_map(|(row, value)| match (row, value) {
            (Row::Standing(_), None) => Some(Self::Forget),
            (Row::Standing(_), Some(Value::Standing(standing))) => Some(match standing.state {
                NodeState::Alive => Self::Join,
                NodeState::Draining => Self::Drain,
                NodeState::Left => Self::Leave,
                // No node writes one that it cannot read.
                NodeState::Dead | NodeState::Unread => Self::Mark,
            }),
            (Row::Key(_), Some(_)) => Some(Self::Key),
            _ => None,
        });
        member.or_else(|| commit.of_record(me)).or_else(|| {
            commit.writes.iter().find_map(|(row, value)| match (row, value) {
                (Row::Request(..), Some(_)) => Some(Self::Request),
                (Row::Request(..), None) => Some(Self::Answered),
                (Row::Beat(_), Some(_)) => Some(Self::Beat),
                _ => None,
            })
        })
    }
}

/// Rows and what stands in them.
#[derive(Debug)]
pub(crate) struct Typed {
    checks: BTreeMap<Row, Option<Value>>,
    pub(crate) writes: BTreeMap<Row, Option<Value>>,
    /// Rows of queues are written, too.
    has_messages: bool,
}

impl Typed {
    pub(crate) fn of(batch: &Batch) -> Option<Self> {
        let typed = |key: &Bytes, value: Option<&Bytes>| {
            let row = keys::row_of(key)?;
            let value = value.map(|bytes| Value::decode(&row, bytes)).transpose().ok()?;
            Some((row, value))
        };
        // Rows of queues, and the marks of those that are not empty, are not ownership's.
        let is_owned = |key: &Bytes| !key.starts_with(b"x") && !key.starts_with(b"q");
        let checks = batch.checks().iter().filter(|check| is_owned(check.key()));
        let checks = checks.map(|check| match check {
            Check::Equals { key, value } => typed(key, Some(value)),
            Check::Absent { key } => typed(key, None),
        });
        let checks = checks.collect::<Option<_>>()?;
        let has_messages = batch.writes().iter().any(|write| !is_owned(write.key()));
        let writes = batch.writes().iter().filter(|write| is_owned(write.key()));
        let writes = writes.map(|write| typed(write.key(), write.value()));
        Some(Self { checks, writes: writes.collect::<Option<_>>()?, has_messages })
    }

    fn of_record(&self, me: Option<Member>) -> Option<Step> {
        let (row, after) = self.writes.iter().find(|(row, _)| matches!(row, Row::Header(_)))?;
        let before = match self.checks.get(row) {
            Some(Some(Value::Header(header))) => Some(header),
            _ => None,
        };
        let Some(Value::Header(after)) = after else { return Some(Step::Remove) };
        let Some(before) = before else { return Some(Step::Create) };
        let same = Header { version: before.version, ..after.clone() };
        if same == *before && !self.has_messages {
            return Some(Step::Settle);
        }
        let is_mine = before.owner == me;
        // Who takes from the dead checks that they are; who seizes checks nothing of the owner.
        let is_seized = before.owner.is_some_and(|o| !self.checks.contains_key(&Row::Standing(o)));
        Some(match (before.state, after.state) {
            (_, State::Ended(_)) if is_mine => Step::End,
            (_, State::Ended(_)) => Step::TakeLost,
            (_, State::Parked) if is_mine => Step::Park,
            (_, State::Parked) => Step::TakePark,
            (State::Parked, State::Handed) => Step::Claim,
            (_, State::Handed) if is_mine => Step::Yield,
            (_, State::Handed) if is_seized => Step::Seize,
            (_, State::Handed) => Step::TakeHere,
            (_, State::New) if is_mine => Step::Restart,
            (_, State::New) => Step::TakeNew,
            (State::New, State::Running | State::Committed) => Step::TurnNew,
            (State::Handed, State::Running | State::Committed) => Step::TurnHanded,
            (State::Committed, State::Committed) if after.attempt != before.attempt => {
                Step::TurnResume
            }
            (State::Committed, State::Committed) => Step::Turn,
            (State::Running, State::Running) => Step::TurnRunning,
            _ => return None,
        })
    }
}
