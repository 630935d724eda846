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
    pub(crate) fn env(&self, env: &mut Env) {
        if !keeps(self.nodes) {
            permute(&mut env.nodes, self.nodes);
            env.rows.0.iter_mut().for_each(|(row, _)| *row = self.row(*row));
            env.rows.0.sort_unstable_by_key(|(row, _)| *row);
        }
        env.flights.iter_mut().for_each(|flight| self.node_flight(flight));
        env.flights.sort_unstable();
    }

    /// Renames nodes and records in a part, and sorts it.
    pub(crate) fn part(&self, part: &mut Part) {
        if !keeps(self.nodes) || !keeps(self.records) {
            permute(&mut part.sessions, self.records);
            part.sessions.iter_mut().for_each(|session| self.session(session));
            part.rows.0.iter_mut().for_each(|pair| *pair = (self.row(pair.0), self.value(pair.1)));
            part.rows.0.sort_unstable_by_key(|(row, _)| *row);
            part.net.iter_mut().for_each(|message| *message = self.message(*message));
            part.net.sort_unstable();
            part.flights.iter_mut().for_each(|flight| self.flight(flight));
        }
        part.flights.sort_unstable();
    }

    fn session(&self, session: &mut Session) {
        permute(&mut session.held, self.nodes);
        permute(&mut session.places, self.nodes);
        session.held.iter_mut().flatten().for_each(|held| *held = self.held(*held));
        session.places.iter_mut().flatten().for_each(|place| *place = self.place(*place));
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

    fn commit(&self, commit: &mut SmallCommit) {
        for (row, value) in commit.guards.iter_mut().chain(&mut commit.writes) {
            *row = self.row(*row);
            *value = value.map(|value| self.value(value));
        }
    }

    fn node_flight(&self, flight: &mut NodeFlight) {
        flight.by = self.m(flight.by);
        self.commit(&mut flight.commit);
        for rows in &mut flight.requests {
            rows.iter_mut().for_each(|row| *row = self.row(*row));
            rows.sort_unstable();
        }
    }

    fn flight(&self, flight: &mut Flight) {
        flight.by = self.m(flight.by);
        if let Of::Held(record) | Of::Place(record, ..) = &mut flight.of {
            *record = self.r(*record);
        }
        flight.after = flight.after.map(|after| self.header(after));
        self.commit(&mut flight.commit);
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

/// Whether everything keeps its name.
fn keeps(order: &[usize]) -> bool {
    order.iter().enumerate().all(|(old, &new)| old == new)
}

/// Brings everything to its new place.
fn permute<T: Clone>(all: &mut [T], order: &[usize]) {
    if !keeps(order) {
        let before = all.to_vec();
        order.iter().zip(before).for_each(|(&new, thing)| all[new] = thing);
    }
}
