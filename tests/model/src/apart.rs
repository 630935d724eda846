//! Several sessions do what each does alone.
//!
//! What one session sees of a state of several is a state of one: itself, and the nodes. If each
//! step of several is, for each of them, a step of one or nothing, then every run of several is a
//! run of each: what holds in every state of one session holds of each of several, within the same
//! bounds (a simulation: Milner, *An algebraic definition of simulation between programs*, 1971).
//! That says nothing of what happens in the end. Of what is counted for all sessions together,
//! unknown outcomes and due times, one session sees that another has used it up: bounds have none.

use std::mem::discriminant;

use stateright::{Expectation, Model};

use crate::{
    Action, Bounds, R, State, V,
    actions::take,
    canonical::{map, plain},
    small::SmallCommit,
    state::{Flight, Of},
};

/// What several sessions do that is not what each of them does.
#[derive(Debug)]
pub enum Joined {
    /// A step that one of them sees, and cannot take alone.
    Step {
        /// The step.
        action: Action,
        /// Who sees it.
        record: usize,
    },
    /// A property that holds of several and not of each, or of each and not of several.
    Property {
        /// The step before.
        action: Action,
        /// What it says.
        property: &'static str,
    },
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Apart {
    /// Steps.
    pub steps: u64,
    /// Steps that one session sees, of itself or of a node.
    pub seen: u64,
}

/// Looks at every step that can be taken in this state, and at every property, as each session
/// sees them. Gives the states that follow.
///
/// # Errors
/// A step that is none of a session alone, or a property that holds of several and not of each.
pub fn apart(bounds: &Bounds, state: &State, count: &mut Apart) -> Result<Vec<State>, Box<Joined>> {
    let mut actions = Vec::new();
    bounds.actions(state, &mut actions);
    let mut following = Vec::new();
    for action in actions {
        let mut next = state.clone();
        if take(bounds, &mut next, action).is_none() {
            continue;
        }
        let next = plain(next);
        count.steps += 1;
        for record in 0..state.clients.len() {
            let alone = of_one(bounds, record);
            let (before, after) = (view(state, record), view(&next, record));
            if before != after {
                count.seen += 1;
                if !is_step(&alone, &before, &after, action) {
                    return Err(Box::new(Joined::Step { action, record }));
                }
            }
        }
        if let Some(property) = differs(bounds, &next) {
            return Err(Box::new(Joined::Property { action, property }));
        }
        following.push(next);
    }
    Ok(following)
}

/// The same bounds, for one of the sessions.
fn of_one(bounds: &Bounds, record: usize) -> Bounds {
    Bounds { clients: vec![bounds.clients[record]], ..bounds.clone() }
}

/// Whether something that one session may do, or a node, leads from one to the other.
fn is_step(alone: &Bounds, before: &State, after: &State, action: Action) -> bool {
    let mut actions = Vec::new();
    alone.actions(before, &mut actions);
    actions.into_iter().filter(|own| discriminant(own) == discriminant(&action)).any(|own| {
        let mut next = before.clone();
        take(alone, &mut next, own).is_some() && plain(next) == *after
    })
}

/// A property that does not hold of several exactly if it holds of each.
fn differs(bounds: &Bounds, state: &State) -> Option<&'static str> {
    let always = bounds.properties().into_iter().filter(|p| p.expectation == Expectation::Always);
    let mut always = always.enumerate();
    always.find_map(|(place, property)| {
        let of_each = (0..state.clients.len()).all(|record| {
            let alone = of_one(bounds, record);
            (alone.properties()[place].condition)(&alone, &view(state, record))
        });
        ((property.condition)(bounds, state) != of_each).then_some(property.name)
    })
}

/// What one session sees: itself, as the only one, and the nodes.
fn view(state: &State, record: usize) -> State {
    let id = u8::try_from(record).unwrap_or(u8::MAX);
    let is_seen = |row: R| record_of(row).is_none_or(|own| own == id);
    let mut seen = state.clone();
    seen.store.retain(|(row, _)| is_seen(*row));
    seen.net.retain(|message| message.record() == id);
    seen.flights.retain(|flight| of_flight(flight).is_none_or(|own| own == id));
    seen.clients = vec![state.clients[record]];
    seen.due = vec![state.due[record]];
    for node in &mut seen.nodes {
        node.held = vec![node.held[record]];
        node.places = vec![node.places[record]];
    }
    plain(map(&seen, &|m| m, &|_| 0, &|_, h| h))
}

/// The record whose row it is; none for those of nodes.
const fn record_of(row: R) -> Option<u8> {
    match row {
        R::Header(record) | R::Snapshot(record) | R::Owned(_, record) | R::Request(_, record) => {
            Some(record)
        }
        R::Standing(_) | R::Beat(_) | R::Node(_) | R::Key => None,
    }
}

fn of_flight(flight: &Flight) -> Option<u8> {
    match flight.of {
        Of::Held(record) | Of::Place(record, ..) => Some(record),
        Of::Beat | Of::Drain | Of::Leave => None,
        Of::Nobody => of_commit(&flight.commit),
    }
}

/// The record that a commit is about, if it is about one.
fn of_commit(commit: &SmallCommit) -> Option<u8> {
    let rows: &[&[(R, Option<V>)]] = &[&commit.guards, &commit.writes];
    rows.iter().flat_map(|rows| rows.iter()).find_map(|(row, _)| record_of(*row))
}
