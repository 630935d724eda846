//! The whole: the store, the nodes, who reaches whom, what is late.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use throughline_cluster::{
    Batch, Beat, Check, Entries, Entry, Member, NodeId, NodeState, Outcome, Row, StepName, Value,
    Write, keys,
};
use throughline_link::Instant;

use super::{OutageBounds, TICK, Without, node::Node};

/// How a node reaches the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// It does.
    Not,
    /// Nothing of it arrives.
    Lost,
    /// Its commits arrive, and their answers do not.
    Landed,
    /// The first commit that names another node dead arrives at some later time, or never; the
    /// rest is lost.
    Late,
    /// The same with the first beat.
    LateBeat,
}

/// A state of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutageState {
    /// Ticks that have passed.
    pub ticks: u8,
    /// Changes so far.
    pub changes: u8,
    pub(crate) nodes: Vec<Node>,
    /// Pairs that do not reach each other.
    apart: BTreeSet<(u8, u8)>,
    /// A commit that may land at any time.
    pub(crate) late: Option<Batch>,
    rows: BTreeMap<Bytes, Bytes>,
}

/// Ticks after which all have joined and know each other.
const BEFORE: u8 = 4;

impl OutageState {
    pub(crate) fn joined(bounds: &OutageBounds) -> Self {
        let mut s = Self {
            ticks: 0,
            changes: 0,
            nodes: Vec::new(),
            apart: BTreeSet::new(),
            late: None,
            rows: BTreeMap::new(),
        };
        for _ in 0..bounds.nodes {
            s.start(bounds.without);
        }
        for _ in 0..BEFORE {
            s.tick(bounds.without);
        }
        s
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(1_000_000) + TICK * u32::from(self.ticks)
    }

    pub(crate) fn start(&mut self, without: Without) {
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX) + 1;
        self.nodes.push(Node::new(number, without, self.now()));
    }

    pub(crate) fn tick(&mut self, without: Without) {
        self.ticks += 1;
        for at in 0..self.nodes.len() {
            let mut node = self.nodes[at].clone();
            node.step(self, at, without);
            self.nodes[at] = node;
        }
    }

    pub(crate) fn toggle(&mut self, one: u8, other: u8) {
        if !self.apart.remove(&(one, other)) {
            self.apart.insert((one, other));
        }
    }

    pub(crate) fn are_apart(&self, one: usize, other: usize) -> bool {
        let (low, high) = (one.min(other), one.max(other));
        let pair = (u8::try_from(low).unwrap_or(u8::MAX), u8::try_from(high).unwrap_or(u8::MAX));
        self.apart.contains(&pair)
    }

    pub(crate) fn land(&mut self) {
        if let Some(batch) = self.late.take() {
            self.write(batch);
        }
    }

    /// A commit of a node that reaches the store so.
    pub(crate) fn commit(&mut self, batch: Batch, cut: Cut, name: StepName) -> Outcome {
        let is_late = match name {
            StepName::Mark => cut == Cut::Late,
            StepName::Beat => cut == Cut::LateBeat,
            _ => false,
        };
        match cut {
            Cut::Not => self.write(batch),
            Cut::Landed => {
                self.write(batch);
                Outcome::Unknown
            }
            _ if is_late && self.late.is_none() => {
                self.late = Some(batch);
                Outcome::Unknown
            }
            Cut::Late | Cut::LateBeat | Cut::Lost => Outcome::Unknown,
        }
    }

    fn write(&mut self, batch: Batch) -> Outcome {
        let holds = |check: &Check| match check {
            Check::Equals { key, value } => self.rows.get(key) == Some(value),
            Check::Absent { key } => !self.rows.contains_key(key),
        };
        if !batch.checks.iter().all(holds) {
            return Outcome::Refused;
        }
        for write in batch.writes {
            match write {
                Write::Put { key, value } => self.rows.insert(key, value),
                Write::Delete { key } => self.rows.remove(&key),
            };
        }
        Outcome::Done
    }

    fn get(&self, row: &Row) -> Option<Value> {
        self.rows.get(&row.key()).and_then(|value| Value::decode(row, value).ok())
    }

    fn entry(&self, member: Member) -> Entry {
        let standing = match self.get(&Row::Standing(member)) {
            Some(Value::Standing(standing)) => Some(standing),
            _ => None,
        };
        Entry { member, standing }
    }

    pub(crate) fn is_dead(&self, member: Member) -> bool {
        self.entry(member).standing.is_some_and(|standing| standing.state == NodeState::Dead)
    }

    pub(crate) fn entries(&self, node: NodeId) -> Entries {
        let last = match self.get(&Row::Node(node)) {
            Some(Value::Incarnation(incarnation)) => Some(incarnation),
            _ => None,
        };
        let beat = |member| match self.get(&Row::Beat(member)) {
            Some(Value::Beat(beat)) => Some(beat),
            _ => None::<Beat>,
        };
        let mut members = BTreeSet::new();
        for range in [keys::standings(), keys::beats()] {
            let rows = self.rows.range(range.start..range.end);
            members.extend(rows.filter_map(|(key, _)| match keys::row_of(key) {
                Some(Row::Standing(member) | Row::Beat(member)) => Some(member),
                _ => None,
            }));
        }
        let nodes = members.into_iter().map(|m| (self.entry(m), beat(m))).collect();
        Entries { last, nodes }
    }
}
