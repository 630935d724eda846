//! What the store's answer to a commit changes in a node.

use throughline_cluster::NodeState;

use super::{loaded, tell_over, welcome};
use crate::{
    Bounds,
    actions::stop,
    small::H,
    state::{Flight, Held, Message, Of, Op, Stage, State, Was},
};

/// The commit has landed, or was refused.
pub(crate) fn answer(bounds: &Bounds, s: &mut State, flight: &Flight, landed: bool) {
    let node = usize::from(flight.by.node);
    if s.member(node) != flight.by || !s.nodes[node].up {
        return;
    }
    match flight.of {
        Of::Nobody => {}
        Of::Held(record) if landed => of_held(bounds, s, node, record.into(), flight.after),
        Of::Held(record) => refused(s, node, record.into()),
        Of::Place(record, attempt, handled) => {
            placed(s, node, record.into(), attempt, handled, flight.after.filter(|_| landed));
        }
        Of::Beat if landed => {
            s.nodes[node].busy = false;
            s.nodes[node].lease = true;
        }
        Of::Beat => {
            s.nodes[node].busy = false;
            not_renewed(s, node);
        }
        Of::Drain => {
            s.nodes[node].busy = false;
            if landed {
                s.nodes[node].standing = NodeState::Draining;
            }
        }
        Of::Leave => {
            s.nodes[node].busy = false;
            if landed {
                s.nodes[node].standing = NodeState::Left;
                stop(s, node);
            }
        }
    }
}

/// A beat was refused: dead only if the entry says so, or is absent.
fn not_renewed(s: &mut State, node: usize) {
    match s.standing(s.member(node)) {
        Some(state @ (NodeState::Alive | NodeState::Draining)) => s.nodes[node].standing = state,
        // Fenced: it drops all it held.
        _ => stop(s, node),
    }
}

fn of_held(bounds: &Bounds, s: &mut State, node: usize, record: usize, after: Option<H>) {
    let Some(mut held) = s.nodes[node].held[record] else { return };
    let Some(after) = after else { return };
    let op = held.op;
    held.op = Op::Idle;
    held.header = after;
    held.proposed = after;
    match op {
        Op::Yield(to) => {
            s.nodes[node].held[record] = None;
            let record = u8::try_from(record).unwrap_or(u8::MAX);
            if s.works(node) && !s.is_full(bounds, record) {
                let (attempt, handled) = (after.attempt, held.handled);
                s.net.push(Message::Granted { record, attempt, header: after, handled, to });
            }
        }
        Op::Park => s.nodes[node].held[record] = None,
        Op::End => {
            s.nodes[node].held[record] = None;
            if s.works(node) && held.conn > 0 {
                tell_over(s, record, held.conn);
            }
        }
        Op::Settle(false) => {
            held.staged = held.handled;
            held.was = Was::Nothing;
            s.nodes[node].held[record] = Some(held);
        }
        Op::First | Op::Turn | Op::Counter | Op::Key | Op::Settle(true) => {
            let acted = held.staged > held.handled;
            held.started = true;
            held.handled = held.staged;
            let lets_in = !matches!(op, Op::Turn | Op::Key) && held.joining > held.conn;
            if lets_in {
                held.conn = held.joining;
            }
            held.was = Was::Nothing;
            s.nodes[node].held[record] = Some(held);
            if lets_in {
                welcome(s, node, record);
            }
            if acted && s.works(node) && s.clients[record].attempt == held.conn {
                s.clients[record].acked = held.handled;
            }
        }
        Op::Idle | Op::Unknown => {}
    }
}

/// A refused check means: read again. The record may still be this node's.
fn refused(s: &mut State, node: usize, record: usize) {
    let Some(mut held) = s.nodes[node].held[record] else { return };
    let now = u8::try_from(record).ok().and_then(|id| s.header(id));
    let me = s.member(node);
    s.nodes[node].held[record] = match now {
        Some(now) if now == held.header => {
            held.op = Op::Idle;
            held.proposed = held.header;
            held.staged = held.handled;
            Some(held)
        }
        // An earlier commit of this node, of unknown outcome, landed before this one.
        Some(now) if now.owner == Some(me) && held.was != Was::Nothing => {
            held.op = Op::Unknown;
            Some(held)
        }
        _ => None,
    };
}

fn placed(s: &mut State, node: usize, record: usize, attempt: u8, handled: u8, after: Option<H>) {
    let place = s.nodes[node].places[record];
    let Some(after) = after else {
        if let Some(place) = &mut s.nodes[node].places[record] {
            place.stage = Stage::Read;
        }
        return;
    };
    s.nodes[node].places[record] = None;
    if after.state.is_ended() {
        if s.works(node) {
            tell_over(s, record, attempt);
        }
        return;
    }
    if s.nodes[node].held[record].is_none() {
        let joining = place.map_or(attempt, |place| place.attempt.max(attempt));
        let mut held = loaded(s, record, after, joining);
        held.handled = if after.snapshot == 0 { 0 } else { handled };
        held.staged = held.handled;
        s.nodes[node].held[record] = Some(held);
    }
}

/// The node does not learn what became of a commit, which is still on its way.
pub(crate) fn unknown(s: &mut State, at: usize) -> Option<()> {
    let (by, of) = (s.flights[at].by, s.flights[at].of);
    let node = usize::from(by.node);
    if of == Of::Nobody || s.member(node) != by {
        return None;
    }
    s.flights[at].of = Of::Nobody;
    s.flights[at].after = None;
    match of {
        Of::Held(record) => suspend(s.nodes[node].held[usize::from(record)].as_mut()?),
        Of::Place(record, ..) => {
            if let Some(place) = &mut s.nodes[node].places[usize::from(record)] {
                place.stage = Stage::Read;
            }
        }
        _ => s.nodes[node].busy = false,
    }
    Some(())
}

fn suspend(held: &mut Held) {
    held.was = match held.op {
        Op::Yield(_) | Op::Park | Op::End => Was::Leaving,
        Op::Settle(_) => held.was,
        _ => Was::Acting,
    };
    held.op = Op::Unknown;
}
