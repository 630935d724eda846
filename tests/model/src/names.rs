//! New names for nodes, and for the sessions of a part.

use crate::{
    env::{Env, NodeFlight},
    memory::{Held, Op, Place, Stage},
    message::Message,
    part::{Flight, Of, Part, Session, name},
    small::{H, M, NOBODY, R, SmallCommit, V},
};

/// New names of nodes and records, in the places of the old ones; empty where they keep theirs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// Of nodes.
    pub nodes: &'a [usize],
    /// Of the records of a part.
    pub records: &'a [usize],
}

impl Names<'_> {
    /// Renames nodes in what all have in common, and sorts it.
    pub(crate) fn env(&self, env: &Env) -> Env {
        let mut new = env.clone();
        for (old, &to) in self.nodes.iter().enumerate() {
            new.nodes[to] = env.nodes[old].clone();
        }
        new.rows.0.iter_mut().for_each(|(row, _)| *row = self.row(*row));
        new.rows.0.sort_unstable_by_key(|(row, _)| *row);
        new.flights = env.flights.iter().map(|flight| self.node_flight(flight)).collect();
        new.flights.sort_unstable();
        new
    }

    /// Renames nodes and records in a part, and sorts it.
    pub(crate) fn part(&self, part: &Part) -> Part {
        let mut new = part.clone();
        for (old, &to) in self.records.iter().enumerate() {
            new.sessions[to] = self.session(&part.sessions[old]);
        }
        new.rows.0.iter_mut().for_each(|pair| *pair = (self.row(pair.0), self.value(pair.1)));
        new.rows.0.sort_unstable_by_key(|(row, _)| *row);
        new.net.iter_mut().for_each(|message| *message = self.message(*message));
        new.net.sort_unstable();
        new.net.dedup();
        new.flights = part.flights.iter().map(|flight| self.flight(flight)).collect();
        new.flights.sort_unstable();
        new
    }

    fn session(&self, session: &Session) -> Session {
        let mut new = session.clone();
        for (old, &to) in self.nodes.iter().enumerate() {
            new.held[to] = session.held[old].map(|held| self.held(held));
            new.places[to] = session.places[old].map(|place| self.place(place));
        }
        new
    }

    fn held(&self, mut held: Held) -> Held {
        held.header = self.header(held.header);
        held.proposed = self.header(held.proposed);
        if let Op::Yield(to) = held.op {
            held.op = Op::Yield(self.m(to));
        }
        held
    }

    fn place(&self, mut place: Place) -> Place {
        if let Stage::Asked(owner) = place.stage {
            place.stage = Stage::Asked(self.m(owner));
        }
        place
    }

    fn node(&self, n: u8) -> u8 {
        self.nodes.get(usize::from(n)).map_or(n, |&new| name(new))
    }

    fn m(&self, m: M) -> M {
        if m == NOBODY { m } else { M { node: self.node(m.node), inc: m.inc } }
    }

    fn r(&self, r: u8) -> u8 {
        self.records.get(usize::from(r)).map_or(r, |&new| name(new))
    }

    fn header(&self, mut h: H) -> H {
        h.owner = h.owner.map(|owner| self.m(owner));
        h
    }

    fn rows(&self, rows: &[R]) -> Vec<R> {
        let mut new: Vec<R> = rows.iter().map(|row| self.row(*row)).collect();
        new.sort_unstable();
        new
    }

    pub(crate) fn row(&self, row: R) -> R {
        match row {
            R::Header(x) => R::Header(self.r(x)),
            R::Snapshot(x) => R::Snapshot(self.r(x)),
            R::Standing(x) => R::Standing(self.m(x)),
            R::Beat(x) => R::Beat(self.m(x)),
            R::Node(x) => R::Node(self.node(x)),
            R::Owned(x, y) => R::Owned(self.m(x), self.r(y)),
            R::Key => R::Key,
            R::Request(x, y) => R::Request(self.m(x), self.r(y)),
        }
    }

    fn value(&self, value: V) -> V {
        match value {
            V::Header(h) => V::Header(self.header(h)),
            V::Holder(x, life) => V::Holder(self.r(x), life),
            V::Request(attempt, from) => V::Request(attempt, self.m(from)),
            other => other,
        }
    }

    fn commit(&self, commit: &SmallCommit) -> SmallCommit {
        let pair = |(at, v): &(R, Option<V>)| (self.row(*at), v.map(|v| self.value(v)));
        SmallCommit {
            guards: commit.guards.iter().map(pair).collect(),
            writes: commit.writes.iter().map(pair).collect(),
        }
    }

    fn node_flight(&self, flight: &NodeFlight) -> NodeFlight {
        NodeFlight {
            by: self.m(flight.by),
            of: flight.of,
            commit: self.commit(&flight.commit),
            requests: flight.requests.iter().map(|rows| self.rows(rows)).collect(),
        }
    }

    fn flight(&self, flight: &Flight) -> Flight {
        Flight {
            by: self.m(flight.by),
            of: match flight.of {
                Of::Held(x) => Of::Held(self.r(x)),
                Of::Place(x, attempt, handled) => Of::Place(self.r(x), attempt, handled),
                Of::Nobody => Of::Nobody,
            },
            after: flight.after.map(|after| self.header(after)),
            commit: self.commit(&flight.commit),
        }
    }

    fn message(&self, message: Message) -> Message {
        match message {
            Message::Resume { record, attempt, to } => {
                Message::Resume { record: self.r(record), attempt, to: self.m(to) }
            }
            Message::Ask { record, attempt, from, to } => {
                let (from, to) = (self.m(from), self.m(to));
                Message::Ask { record: self.r(record), attempt, from, to }
            }
            Message::Granted { record, attempt, header, handled, to } => {
                let (header, to) = (self.header(header), self.m(to));
                Message::Granted { record: self.r(record), attempt, header, handled, to }
            }
            Message::Denied { record, attempt, to } => {
                Message::Denied { record: self.r(record), attempt, to: self.m(to) }
            }
            Message::EndKey { record, to } => {
                Message::EndKey { record: self.r(record), to: self.m(to) }
            }
        }
    }
}
