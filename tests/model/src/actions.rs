//! What may happen next.

use crate::{
    Bounds,
    env::Env,
    member::{self, NodeStep},
    memory::{Op, Stage},
    message::Message,
    node,
    part::{Part, name},
    state::{ENDED, Left, State},
    store,
    view::View,
};

/// One thing that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To a part.
    Part(usize, PartStep),
    /// To the nodes.
    Nodes(NodeStep),
}

/// What may happen to a part; where it says so, at a node, with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartStep {
    /// The client of a record closes its connection and tries a node.
    Try(usize, usize),
    /// A message arrives.
    Deliver(usize),
    /// A resume goes on from what the store has.
    Read(usize, usize),
    /// A resume gives up waiting for the owner's answer.
    Timeout(usize, usize),
    /// A new owner commits before its first effect.
    First(usize, usize),
    /// A client is let in over a record that has a snapshot.
    Counter(usize, usize),
    /// A turn.
    Turn(usize, usize),
    /// A record whose client is elsewhere, or whose node drains, is parked.
    Park(usize, usize),
    /// An unknown outcome is settled.
    Settle(usize, usize),
    /// A session registers the key.
    Key(usize, usize),
    /// The game ends a session.
    End(usize, usize),
    /// A node looks for requests.
    Requests(usize, usize),
    /// A commit reaches the store, and its answer the node.
    Land(usize),
    /// A node does not learn what became of a commit, which is still on its way.
    Unknown(usize),
    /// A node sweeps a record of a dead owner.
    Sweep(usize, usize),
    /// Time passes for a record.
    Due(usize),
    /// A node deletes a record that is due.
    Remove(usize, usize),
}

/// Whether the action is a fault or a choice of an operator, not the system's own progress.
pub(crate) const fn is_fault(action: Action) -> bool {
    match action {
        Action::Part(_, step) => matches!(step, PartStep::Unknown(_) | PartStep::Due(_)),
        Action::Nodes(step) => step.is_fault(),
    }
}

pub(crate) fn list(bounds: &Bounds, state: &State, actions: &mut Vec<Action>) {
    let mut steps = Vec::new();
    for (index, part) in state.parts.iter().enumerate() {
        of_part(bounds, &state.env, &state.left, part, &mut steps);
        actions.extend(steps.drain(..).map(|step| Action::Part(index, step)));
    }
    let mut steps = Vec::new();
    member::list(bounds, &state.env, &state.left, &mut steps);
    actions.extend(steps.into_iter().map(Action::Nodes));
}

fn of_part(bounds: &Bounds, env: &Env, left: &Left, part: &Part, to: &mut Vec<PartStep>) {
    to.extend((0..part.net.len()).map(PartStep::Deliver));
    to.extend((0..part.flights.len()).map(PartStep::Land));
    if left.unknown > 0 {
        to.extend((0..part.flights.len()).map(PartStep::Unknown));
    }
    let nodes = env.nodes.len();
    for (record, session) in part.sessions.iter().enumerate() {
        for node in (0..nodes).filter(|&node| env.works(node)) {
            of_record(bounds, part, node, record, to);
        }
        if session.client.attempt < bounds.attempts && !session.client.over {
            to.extend((0..nodes).map(|node| PartStep::Try(record, node)));
        }
        if left.dues > 0 && !session.due {
            to.push(PartStep::Due(record));
        }
    }
}

fn of_record(bounds: &Bounds, part: &Part, node: usize, record: usize, to: &mut Vec<PartStep>) {
    let session = &part.sessions[record];
    if let Some(place) = session.places[node] {
        match place.stage {
            Stage::Read => to.push(PartStep::Read(node, record)),
            Stage::Asked(_) => to.push(PartStep::Timeout(node, record)),
            Stage::Committing => {}
        }
    }
    if let Some(held) = session.held[node] {
        match held.op {
            Op::Unknown => to.push(PartStep::Settle(node, record)),
            Op::Idle => {
                if held.started {
                    to.push(PartStep::Counter(node, record));
                    to.push(PartStep::Turn(node, record));
                } else {
                    to.push(PartStep::First(node, record));
                }
                to.push(PartStep::Park(node, record));
                if bounds.ends {
                    to.push(PartStep::End(node, record));
                }
                if bounds.keys {
                    to.push(PartStep::Key(node, record));
                }
            }
            _ => {}
        }
    }
    if bounds.requests {
        to.push(PartStep::Requests(node, record));
    }
    if bounds.sweep {
        to.push(PartStep::Sweep(node, record));
    }
    if bounds.left.dues > 0 {
        to.push(PartStep::Remove(node, record));
    }
}

/// Changes the state; `None` if this cannot happen in it.
pub(crate) fn take(bounds: &Bounds, s: &mut State, action: Action) -> Option<()> {
    match action {
        Action::Nodes(step) => member::take(bounds, s, step),
        Action::Part(part, step) => {
            let State { env, parts, left } = s;
            let mut view = View { bounds, env, part: &mut parts[part] };
            count(left, step);
            take_part(&mut view, step)?;
            view.part.drop_hopeless();
            Some(())
        }
    }
}

/// Counts what all parts have a number of together.
const fn count(left: &mut Left, step: PartStep) {
    match step {
        PartStep::Unknown(_) => left.unknown -= 1,
        PartStep::Due(_) => left.dues -= 1,
        _ => {}
    }
}

/// Changes the part.
fn take_part(s: &mut View<'_>, step: PartStep) -> Option<()> {
    match step {
        PartStep::Try(record, node) => try_node(s, record, node),
        PartStep::Deliver(at) => node::deliver(s, at),
        PartStep::Read(node, record) => node::read(s, node, record),
        PartStep::Timeout(node, record) => node::timeout(s, node, record),
        PartStep::First(node, record) => node::first(s, node, record),
        PartStep::Counter(node, record) => node::counter(s, node, record),
        PartStep::Turn(node, record) => node::turn(s, node, record),
        PartStep::Park(node, record) => node::park(s, node, record),
        PartStep::Settle(node, record) => node::settle(s, node, record),
        PartStep::Key(node, record) => node::key(s, node, record),
        PartStep::End(node, record) => node::end_with(s, node, record, ENDED),
        PartStep::Requests(node, record) => node::requests(s, node, record),
        PartStep::Sweep(node, record) => node::sweep(s, node, record),
        PartStep::Remove(node, record) => node::remove(s, node, record),
        PartStep::Unknown(at) => node::unknown(s, at),
        PartStep::Land(at) => {
            let flight = s.part.flights.remove(at);
            let landed = store::land(s.env, s.part, &flight.commit);
            node::answer(s, &flight, landed);
            Some(())
        }
        PartStep::Due(record) => {
            s.session(record).due = true;
            Some(())
        }
    }
}

/// A client raises its counter, closes the old connection, and sends Resume.
fn try_node(s: &mut View<'_>, record: usize, node: usize) -> Option<()> {
    if s.is_full(record) || !s.env.nodes[node].up {
        return None;
    }
    let client = &mut s.session(record).client;
    client.attempt += 1;
    let attempt = client.attempt;
    let to = s.env.member(node);
    s.part.net.push(Message::Resume { record: name(record), attempt, to });
    Some(())
}
