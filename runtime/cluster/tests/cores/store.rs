//! A store of bytes in memory, and what a driver reads from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use throughline_cluster::{
    Batch, Beat, Check, Commit, Entries, Entry, Header, Member, NodeId, NodeInfo, Outcome, Read,
    Readable, RecordId, Row, Value, Write, keys,
};

#[derive(Default)]
pub(crate) struct Store {
    rows: BTreeMap<Bytes, Bytes>,
}

impl Store {
    pub(crate) fn commit(&mut self, commit: &Commit) -> Outcome {
        let Batch { checks, writes } = commit.batch();
        let holds = |check: &Check| match check {
            Check::Equals { key, value } => self.rows.get(key) == Some(value),
            Check::Absent { key } => !self.rows.contains_key(key),
        };
        if !checks.iter().all(holds) {
            return Outcome::Refused;
        }
        for write in writes {
            match write {
                Write::Put { key, value } => self.rows.insert(key, value),
                Write::Delete { key } => self.rows.remove(&key),
            };
        }
        Outcome::Done
    }

    pub(crate) fn get(&self, row: &Row) -> Option<Value> {
        let value = self.rows.get(&row.key())?;
        Some(Value::decode(row, value).expect("what was written reads back"))
    }

    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.rows.contains_key(key)
    }

    pub(crate) fn header(&self, id: &RecordId) -> Option<Header> {
        match self.get(&Row::Header(id.clone()))? {
            Value::Header(header) => Some(header),
            other => panic!("{other:?} under a header's key"),
        }
    }

    pub(crate) fn entry(&self, member: Member) -> Entry {
        let standing = match self.get(&Row::Standing(member)) {
            Some(Value::Standing(standing)) => Some(standing),
            _ => None,
        };
        Entry { member, standing }
    }

    pub(crate) fn read(&self, id: &RecordId) -> Read {
        let header = self.header(id);
        let snapshot = match self.get(&Row::Snapshot(id.clone())) {
            Some(Value::Snapshot(snapshot)) => Some(snapshot),
            _ => None,
        };
        let owner = header.as_ref().and_then(|h| h.owner).map(|owner| self.entry(owner));
        Read { header, snapshot, owner }
    }

    pub(crate) fn scan(&self, range: &keys::Range) -> Vec<Row> {
        let rows = self.rows.range(range.start.clone()..range.end.clone());
        rows.filter_map(|(key, _)| keys::row_of(key)).collect()
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
        let mut members: Vec<Member> = Vec::new();
        for row in [self.scan(&keys::standings()), self.scan(&keys::beats())].concat() {
            if let Row::Standing(member) | Row::Beat(member) = row
                && !members.contains(&member)
            {
                members.push(member);
            }
        }
        let nodes = members.into_iter().map(|m| (self.entry(m), beat(m))).collect();
        Entries { last, nodes }
    }
}

pub(crate) fn member(node: u32, incarnation: u64) -> Member {
    Member { node: NodeId(node), incarnation }
}

pub(crate) fn info(node: u32) -> NodeInfo {
    let readable = vec![Readable { kind: "game".to_owned(), oldest: 1, newest: 1 }];
    NodeInfo::new(&format!("10.0.0.{node}:7778"), readable).expect("short names")
}
