//! What a node does: with messages, with what it holds, and with the answers of the store.

mod answer;
mod held;
mod place;

use throughline_cluster::{NodeState, State as Life, Step};

use crate::{
    memory::{Held, Op, Place, Stage, Was},
    message::Message,
    part::{Of, name},
    small::{H, M, R, V},
    state::LOST,
    view::View,
};

pub(crate) use answer::{answer, unknown};
pub(crate) use held::{counter, end_with, first, key, park, requests, settle, turn, yield_to};
pub(crate) use place::{read, remove, sweep, timeout};

/// A record in memory, as it stands in the store and not started yet.
fn loaded(s: &View<'_>, record: usize, header: H, joining: u8) -> Held {
    let handled = if header.state == Life::New { 0 } else { s.part.snapshot(record).unwrap_or(0) };
    Held {
        header,
        proposed: header,
        handled,
        staged: handled,
        started: false,
        conn: 0,
        joining,
        op: Op::Idle,
        was: Was::Nothing,
    }
}

/// Puts a record into memory that the store says is this node's, though it is not in memory.
/// `Running` without memory is lost. Gives `None` if it is not this node's.
fn load(s: &mut View<'_>, node: usize, record: usize, joining: u8) -> Option<()> {
    let h = s.part.header(record).filter(|h| h.owner == Some(s.env.member(node)))?;
    *s.held_mut(node, record) = Some(loaded(s, record, h, joining));
    if h.state == Life::Running {
        end_with(s, node, record, LOST)?;
    }
    Some(())
}

/// The client is told that its session is over, if it still listens to this attempt.
fn tell_over(s: &mut View<'_>, record: usize, attempt: u8) {
    let client = &mut s.session(record).client;
    client.over |= client.attempt == attempt;
}

/// A client is let in, after all that the law wants before it.
fn welcome(s: &mut View<'_>, node: usize, record: usize) {
    let Some(held) = s.held(node, record) else { return };
    if !s.env.works(node) || held.conn == 0 {
        return;
    }
    let part = &mut *s.part;
    let client = &mut part.sessions[record].client;
    part.broken.attempt |= held.conn < client.welcomed;
    client.welcomed = client.welcomed.max(held.conn);
    if client.attempt == held.conn {
        part.broken.stale |= held.handled < client.acked;
    }
}

pub(crate) fn deliver(s: &mut View<'_>, at: usize) -> Option<()> {
    let message = s.part.net[at];
    let to = message.receiver();
    let node = usize::from(to.node);
    if !s.env.is_up(to) {
        s.part.net.remove(at);
        return Some(());
    }
    if !s.env.works(node) {
        return None;
    }
    match message {
        Message::Resume { record, attempt, .. } => {
            let record = usize::from(record);
            if s.held(node, record).is_some_and(|held| held.op != Op::Idle) {
                return None;
            }
            s.part.net.remove(at);
            resume(s, node, record, attempt);
            Some(())
        }
        Message::Ask { record, attempt, from, .. } => asked(s, at, record, attempt, from),
        Message::Granted { record, header, handled, .. } => {
            s.part.net.remove(at);
            granted(s, node, usize::from(record), header, handled);
            Some(())
        }
        Message::Denied { record, attempt, .. } => {
            s.part.net.remove(at);
            let place = s.place_mut(node, usize::from(record));
            let asked = |p: &Place| p.attempt == attempt && matches!(p.stage, Stage::Asked(_));
            if place.as_ref().is_some_and(asked) {
                // The client gets NotYet.
                *place = None;
            }
            Some(())
        }
        Message::EndKey { record, .. } => end_key(s, at, node, usize::from(record)),
    }
}

/// A client is here. A draining node sends it elsewhere.
fn resume(s: &mut View<'_>, node: usize, record: usize, attempt: u8) {
    if s.env.nodes[node].standing != NodeState::Alive {
        return;
    }
    if s.held(node, record).is_some() {
        join_here(s, node, record, attempt);
        return;
    }
    let place = s.place_mut(node, record);
    match place {
        Some(place) => place.attempt = place.attempt.max(attempt),
        None => *place = Some(Place { attempt, stage: Stage::Read }),
    }
}

/// A client is here, and its record, too.
fn join_here(s: &mut View<'_>, node: usize, record: usize, attempt: u8) {
    let Some(held) = s.held_mut(node, record).as_mut() else { return };
    if attempt <= held.header.attempt.max(held.conn).max(held.joining) {
        return;
    }
    held.joining = attempt;
    if held.started && held.header.state == Life::Running {
        held.conn = attempt;
        welcome(s, node, record);
    }
}

fn asked(s: &mut View<'_>, at: usize, record: u8, attempt: u8, from: M) -> Option<()> {
    let node = usize::from(s.part.net[at].receiver().node);
    let index = usize::from(record);
    let Some(held) = s.held(node, index) else {
        if load(s, node, index, 0).is_none() {
            s.part.net[at] = Message::Denied { record, attempt, to: from };
        }
        // What was loaded is yielded when the same message is looked at again.
        return Some(());
    };
    if held.op != Op::Idle {
        return None;
    }
    let yielded = yield_to(s, node, index, attempt, from);
    if yielded.is_some() {
        s.part.net.remove(at);
    } else {
        s.part.net[at] = Message::Denied { record, attempt, to: from };
    }
    Some(())
}

/// Starting by a read, or giving up, has cancelled the request: then this says nothing.
fn granted(s: &mut View<'_>, node: usize, record: usize, header: H, handled: u8) {
    let place = s.place(node, record);
    let Some(Place { attempt, stage: Stage::Asked(_) }) = place else { return };
    if s.held(node, record).is_some() {
        return;
    }
    let mut held = loaded(s, record, header, attempt);
    held.handled = handled;
    held.staged = handled;
    *s.held_mut(node, record) = Some(held);
    *s.place_mut(node, record) = None;
}

fn end_key(s: &mut View<'_>, at: usize, node: usize, record: usize) -> Option<()> {
    let Some(held) = s.held(node, record) else {
        if load(s, node, record, 0).is_none() {
            s.part.net.remove(at);
        }
        return Some(());
    };
    if held.op != Op::Idle {
        return None;
    }
    s.part.net.remove(at);
    if held.header.key {
        end_with(s, node, record, crate::KEY_TAKEN);
    }
    Some(())
}

/// Sends the commit of something held, and suspends it until the answer.
fn commit(s: &mut View<'_>, node: usize, record: usize, op: Op, step: &Step) -> Option<()> {
    let after = step.after.as_ref().map(crate::small::small)?;
    let by = s.env.member(node);
    let held = s.held_mut(node, record).as_mut()?;
    held.op = op;
    held.proposed = after;
    let of = Of::Held(name(record));
    s.fly(by, of, Some(after), &step.commit)
}

fn key_row(s: &View<'_>) -> Option<(u8, u8)> {
    match s.part.rows.get(R::Key) {
        Some(V::Holder(record, life)) => Some((record, life)),
        _ => None,
    }
}
