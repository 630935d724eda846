//! What the store's answer to a commit about a session changes in a node.

use super::{loaded, tell_over, welcome};
use crate::{
    memory::{Held, Op, Stage, Was},
    message::Message,
    part::{Flight, Of, name},
    small::H,
    view::View,
};

/// The commit has landed, or was refused.
pub(crate) fn answer(s: &mut View<'_>, flight: &Flight, landed: bool) {
    if !s.env.is_up(flight.by) {
        return;
    }
    let node = usize::from(flight.by.node);
    match flight.of {
        Of::Nobody => {}
        Of::Held(record) if landed => of_held(s, node, record.into(), flight.after),
        Of::Held(record) => refused(s, node, record.into()),
        Of::Place(record, attempt, handled) => {
            placed(s, node, record.into(), attempt, handled, flight.after.filter(|_| landed));
        }
    }
}

fn of_held(s: &mut View<'_>, node: usize, record: usize, after: Option<H>) {
    let Some(mut held) = s.held(node, record) else { return };
    let Some(after) = after else { return };
    let op = held.op;
    held.op = Op::Idle;
    held.header = after;
    held.proposed = after;
    match op {
        Op::Yield(to) => {
            *s.held_mut(node, record) = None;
            if s.env.works(node) && !s.is_full(record) {
                let (record, attempt) = (name(record), after.attempt);
                let handled = held.handled;
                s.part.net.push(Message::Granted { record, attempt, header: after, handled, to });
            }
        }
        Op::Park => *s.held_mut(node, record) = None,
        Op::End => {
            *s.held_mut(node, record) = None;
            if s.env.works(node) && held.conn > 0 {
                tell_over(s, record, held.conn);
            }
        }
        Op::Settle(false) => {
            held.staged = held.handled;
            held.was = Was::Nothing;
            *s.held_mut(node, record) = Some(held);
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
            *s.held_mut(node, record) = Some(held);
            if lets_in {
                welcome(s, node, record);
            }
            if acted && s.env.works(node) && s.part.sessions[record].client.attempt == held.conn {
                s.part.sessions[record].client.acked = held.handled;
            }
        }
        Op::Idle | Op::Unknown => {}
    }
}

/// A refused check means: read again. The record may still be this node's.
fn refused(s: &mut View<'_>, node: usize, record: usize) {
    let Some(mut held) = s.held(node, record) else { return };
    let now = s.part.header(record);
    let me = s.env.member(node);
    *s.held_mut(node, record) = match now {
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

fn placed(
    s: &mut View<'_>,
    node: usize,
    record: usize,
    attempt: u8,
    handled: u8,
    after: Option<H>,
) {
    let place = s.place(node, record);
    let Some(after) = after else {
        if let Some(place) = s.place_mut(node, record) {
            place.stage = Stage::Read;
        }
        return;
    };
    *s.place_mut(node, record) = None;
    if after.state.is_ended() {
        if s.env.works(node) {
            tell_over(s, record, attempt);
        }
        return;
    }
    if s.held(node, record).is_none() {
        let joining = place.map_or(attempt, |place| place.attempt.max(attempt));
        let mut held = loaded(s, record, after, joining);
        held.handled = if after.snapshot == 0 { 0 } else { handled };
        held.staged = held.handled;
        *s.held_mut(node, record) = Some(held);
    }
}

/// The node does not learn what became of a commit, which is still on its way.
pub(crate) fn unknown(s: &mut View<'_>, at: usize) -> Option<()> {
    let (by, of) = (s.part.flights[at].by, s.part.flights[at].of);
    let node = usize::from(by.node);
    if of == Of::Nobody || s.env.member(node) != by {
        return None;
    }
    s.part.flights[at].of = Of::Nobody;
    s.part.flights[at].after = None;
    match of {
        Of::Held(record) => suspend(s.held_mut(node, usize::from(record)).as_mut()?),
        Of::Place(record, ..) => {
            if let Some(place) = s.place_mut(node, usize::from(record)) {
                place.stage = Stage::Read;
            }
        }
        Of::Nobody => {}
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
