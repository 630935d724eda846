//! What a node does: with messages, with what it holds, and with the answers of the store.

mod answer;
mod held;
mod place;

use throughline_cluster::{NodeState, State as Life};

use crate::{
    Bounds,
    actions::{entry_of, fly},
    small::{H, M, R, V, header},
    state::{Held, LOST, Message, Of, Op, Place, Stage, State, Was},
};

pub(crate) use answer::{answer, unknown};
pub(crate) use held::{counter, end_with, first, key, park, requests, settle, turn, yield_to};
pub(crate) use place::{read, remove, sweep, timeout};

/// Who gets a message.
pub(crate) const fn receiver(message: &Message) -> M {
    match message {
        Message::Resume { to, .. }
        | Message::Ask { to, .. }
        | Message::Granted { to, .. }
        | Message::Denied { to, .. }
        | Message::EndKey { to, .. } => *to,
    }
}

/// A record in memory, as it stands in the store and not started yet.
fn loaded(s: &State, record: usize, header: H, joining: u8) -> Held {
    let id = u8::try_from(record).unwrap_or(u8::MAX);
    let handled = if header.state == Life::New { 0 } else { s.snapshot(id).unwrap_or(0) };
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
fn load(bounds: &Bounds, s: &mut State, node: usize, record: usize, joining: u8) -> Option<()> {
    let id = u8::try_from(record).ok()?;
    let h = s.header(id).filter(|h| h.owner == Some(s.member(node)))?;
    s.nodes[node].held[record] = Some(loaded(s, record, h, joining));
    if h.state == Life::Running {
        end_with(bounds, s, node, record, LOST)?;
    }
    Some(())
}

/// The client is told that its session is over, if it still listens to this attempt.
fn tell_over(s: &mut State, record: usize, attempt: u8) {
    let client = &mut s.clients[record];
    client.over |= client.attempt == attempt;
}

/// A client is let in, after all that the law wants before it.
fn welcome(s: &mut State, node: usize, record: usize) {
    let Some(held) = s.nodes[node].held[record] else { return };
    if !s.works(node) || held.conn == 0 {
        return;
    }
    let client = &mut s.clients[record];
    s.broken.attempt |= held.conn < client.welcomed;
    client.welcomed = client.welcomed.max(held.conn);
    if client.attempt == held.conn {
        s.broken.stale |= held.handled < client.acked;
    }
}

pub(crate) fn deliver(bounds: &Bounds, s: &mut State, at: usize) -> Option<()> {
    let message = s.net[at];
    let to = receiver(&message);
    let node = usize::from(to.node);
    if s.member(node) != to || !s.nodes[node].up {
        s.net.remove(at);
        return Some(());
    }
    if !s.works(node) {
        return None;
    }
    match message {
        Message::Resume { record, attempt, .. } => {
            let record = usize::from(record);
            if s.nodes[node].held[record].is_some_and(|held| held.op != Op::Idle) {
                return None;
            }
            s.net.remove(at);
            resume(s, node, record, attempt);
            Some(())
        }
        Message::Ask { record, attempt, from, .. } => asked(bounds, s, at, record, attempt, from),
        Message::Granted { record, header, handled, .. } => {
            s.net.remove(at);
            granted(s, node, usize::from(record), header, handled);
            Some(())
        }
        Message::Denied { record, attempt, .. } => {
            s.net.remove(at);
            let place = &mut s.nodes[node].places[usize::from(record)];
            let asked = |p: &Place| p.attempt == attempt && matches!(p.stage, Stage::Asked(_));
            if place.as_ref().is_some_and(asked) {
                // The client gets NotYet.
                *place = None;
            }
            Some(())
        }
        Message::EndKey { record, .. } => end_key(bounds, s, at, node, usize::from(record)),
    }
}

/// A client is here. A draining node sends it elsewhere.
fn resume(s: &mut State, node: usize, record: usize, attempt: u8) {
    if s.nodes[node].standing != NodeState::Alive {
        return;
    }
    if s.nodes[node].held[record].is_some() {
        join_here(s, node, record, attempt);
        return;
    }
    let place = &mut s.nodes[node].places[record];
    match place {
        Some(place) => place.attempt = place.attempt.max(attempt),
        None => *place = Some(Place { attempt, stage: Stage::Read }),
    }
}

/// A client is here, and its record, too.
fn join_here(s: &mut State, node: usize, record: usize, attempt: u8) {
    let Some(held) = s.nodes[node].held[record].as_mut() else { return };
    if attempt <= held.header.attempt.max(held.conn).max(held.joining) {
        return;
    }
    held.joining = attempt;
    if held.started && held.header.state == Life::Running {
        held.conn = attempt;
        welcome(s, node, record);
    }
}

fn asked(
    bounds: &Bounds,
    s: &mut State,
    at: usize,
    record: u8,
    attempt: u8,
    from: M,
) -> Option<()> {
    let node = usize::from(receiver(&s.net[at]).node);
    let index = usize::from(record);
    let Some(held) = s.nodes[node].held[index] else {
        if load(bounds, s, node, index, 0).is_none() {
            s.net[at] = Message::Denied { record, attempt, to: from };
        }
        // What was loaded is yielded when the same message is looked at again.
        return Some(());
    };
    if held.op != Op::Idle {
        return None;
    }
    let yielded = yield_to(bounds, s, node, index, attempt, from);
    if yielded.is_some() {
        s.net.remove(at);
    } else {
        s.net[at] = Message::Denied { record, attempt, to: from };
    }
    Some(())
}

/// Starting by a read, or giving up, has cancelled the request: then this says nothing.
fn granted(s: &mut State, node: usize, record: usize, header: H, handled: u8) {
    let place = s.nodes[node].places[record];
    let Some(Place { attempt, stage: Stage::Asked(_) }) = place else { return };
    if s.nodes[node].held[record].is_some() {
        return;
    }
    let mut held = loaded(s, record, header, attempt);
    held.handled = handled;
    held.staged = handled;
    s.nodes[node].held[record] = Some(held);
    s.nodes[node].places[record] = None;
}

fn end_key(bounds: &Bounds, s: &mut State, at: usize, node: usize, record: usize) -> Option<()> {
    let Some(held) = s.nodes[node].held[record] else {
        if load(bounds, s, node, record, 0).is_none() {
            s.net.remove(at);
        }
        return Some(());
    };
    if held.op != Op::Idle {
        return None;
    }
    s.net.remove(at);
    if held.header.key {
        end_with(bounds, s, node, record, crate::KEY_TAKEN);
    }
    Some(())
}

/// Sends the commit of something held, and suspends it until the answer.
fn commit(
    s: &mut State,
    node: usize,
    record: usize,
    op: Op,
    step: &throughline_cluster::Step,
) -> Option<()> {
    let after = step.after.as_ref().map(crate::small::small)?;
    let by = s.member(node);
    let held = s.nodes[node].held[record].as_mut()?;
    held.op = op;
    held.proposed = after;
    let of = Of::Held(u8::try_from(record).ok()?);
    fly(s, by, of, Some(after), &step.commit)
}

/// The real header of something held.
fn mine(s: &State, node: usize, record: usize) -> Option<throughline_cluster::Header> {
    let held = s.nodes[node].held[record]?;
    Some(header(u8::try_from(record).ok()?, held.header))
}

fn key_row(s: &State) -> Option<(u8, u8)> {
    match s.get(R::Key) {
        Some(V::Holder(record, life)) => Some((record, life)),
        _ => None,
    }
}

fn entry(bounds: &Bounds, s: &State, m: M) -> throughline_cluster::Entry {
    entry_of(bounds, s, m)
}
