//! What a node does with a record that it holds.

use throughline_cluster::{
    Commit, Ending, Found, Holder, NodeState, NotNow, State as Life, Turn, TurnState,
};

use super::{commit, entry, key_row, mine};
use crate::{
    Bounds,
    actions::{entry_of, header_of},
    small::{M, R, V, body, id, small},
    state::{KEY_TAKEN, LOST, Message, Op, State, Was},
};

/// How a session ends; what is kept of it matters to the link only.
pub(crate) fn ending(reason: u16) -> Ending {
    Ending { reason, last: body(u8::MAX), until: 1 }
}

fn turn_of(bounds: &Bounds, s: &State, node: usize, record: usize, handled: u8) -> Option<Turn> {
    let held = s.nodes[node].held[record]?;
    let state = if bounds.clients[record] {
        let state_version = bounds.nodes[node].into();
        TurnState::Committed { snapshot: body(handled), state_version }
    } else {
        TurnState::Running
    };
    let attempt = held.joining.max(held.conn).into();
    Some(Turn { state, attempt, due: None, more: Commit::default() })
}

pub(crate) fn first(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let held = s.nodes[node].held[record].filter(|held| !held.started && held.joining > 0)?;
    let turn = turn_of(bounds, s, node, record, held.handled)?;
    let step = bounds.law.turn(&mine(s, node, record)?, turn).ok()?;
    commit(s, node, record, Op::First, &step)
}

pub(crate) fn counter(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let held = s.nodes[node].held[record].filter(|held| held.started)?;
    if held.joining <= held.conn {
        return None;
    }
    let turn = turn_of(bounds, s, node, record, held.handled)?;
    let step = bounds.law.turn(&mine(s, node, record)?, turn).ok()?;
    commit(s, node, record, Op::Counter, &step)
}

/// One turn for the client's next message. `OnSwapOut` handles and acknowledges at once;
/// `EveryTurn` commits before it does.
pub(crate) fn turn(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let held = s.nodes[node].held[record].filter(|held| held.started)?;
    let client = s.clients[record];
    if client.attempt != held.conn || client.over || client.acked >= bounds.turns {
        return None;
    }
    if held.handled > client.acked {
        // It came before, and its ack was lost: a duplicate, acknowledged again.
        s.clients[record].acked = held.handled;
        return Some(());
    }
    s.broken.stale |= held.handled < client.acked;
    let handled = held.handled + 1;
    if !bounds.clients[record] {
        let held = s.nodes[node].held[record].as_mut()?;
        held.handled = handled;
        held.staged = handled;
        s.clients[record].acked = handled;
        return Some(());
    }
    let turn = turn_of(bounds, s, node, record, handled)?;
    let step = bounds.law.turn(&mine(s, node, record)?, turn).ok()?;
    s.nodes[node].held[record].as_mut()?.staged = handled;
    commit(s, node, record, Op::Turn, &step)
}

pub(crate) fn park(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let held = s.nodes[node].held[record]?;
    let draining = s.nodes[node].standing == NodeState::Draining;
    let attempt = held.conn.max(held.joining);
    if !draining && s.clients[record].attempt == attempt {
        return None;
    }
    let version = bounds.nodes[node].into();
    let mine = mine(s, node, record)?;
    let attempt = held.conn.into();
    let step = bounds.law.park(&mine, body(held.handled), version, attempt, Some(1)).ok()?;
    commit(s, node, record, Op::Park, &step)
}

pub(crate) fn end_with(
    bounds: &Bounds,
    s: &mut State,
    node: usize,
    record: usize,
    reason: u16,
) -> Option<()> {
    s.nodes[node].held[record].filter(|held| reason == LOST || held.started)?;
    let step = bounds.law.end(&mine(s, node, record)?, &ending(reason)).ok()?;
    commit(s, node, record, Op::End, &step)
}

/// Gives the record to `to`; `None` if the law or an attempt forbids it.
pub(crate) fn yield_to(
    bounds: &Bounds,
    s: &mut State,
    node: usize,
    record: usize,
    attempt: u8,
    to: M,
) -> Option<()> {
    let held = s.nodes[node].held[record]?;
    // The counter of a record that runs without a snapshot is in memory.
    if attempt <= held.conn.max(held.joining) {
        return None;
    }
    let mine = mine(s, node, record)?;
    let version = bounds.nodes[node].into();
    let entry = entry(bounds, s, to);
    let step = bounds
        .law
        .yield_to(&mine, &entry, body(held.handled), version, attempt.into(), None)
        .ok()?;
    commit(s, node, record, Op::Yield(to), &step)
}

/// Settles an unknown outcome by a commit of its own.
pub(crate) fn settle(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let held = s.nodes[node].held[record]?;
    let read = header_of(s, record).filter(|_| held.op == Op::Unknown);
    let gone = |h: &throughline_cluster::Header| {
        h.state.is_ended() || small(h).owner != Some(s.member(node))
    };
    let Some(read) = read.filter(|h| !gone(h)) else {
        s.nodes[node].held[record] = None;
        return Some(());
    };
    let tried = held.proposed.version.max(held.header.version).into();
    let step = bounds.law.settle(&read, tried);
    let now = small(&read);
    let is_in = held.was == Was::Acting
        && (now.state, now.snapshot, now.attempt, now.key)
            == (
                held.proposed.state,
                held.proposed.snapshot,
                held.proposed.attempt,
                held.proposed.key,
            );
    commit(s, node, record, Op::Settle(is_in), &step)
}

/// A session registers the key that every session of the model wants.
pub(crate) fn key(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let held = s.nodes[node].held[record].filter(|held| held.started)?;
    if held.header.key {
        return None;
    }
    let found = match key_row(s) {
        None => Found::Nobody,
        Some((holder, life)) => {
            let header = header_of(s, holder.into());
            let owner = header.as_ref().and_then(|h| small(h).owner);
            let owner = owner.map(|owner| entry_of(bounds, s, owner));
            let holder = Holder { id: id(holder), life: life.into() };
            Found::Session { holder, header: header.map(Box::new), owner }
        }
    };
    let mine = mine(s, node, record)?;
    match bounds.law.take_key(&mine, &crate::small::key(), &found, &ending(KEY_TAKEN)) {
        Ok(step) => commit(s, node, record, Op::Key, &step),
        Err(NotNow::OwnerAlive(_)) => {
            let (holder, _) = key_row(s)?;
            let to = s.header(holder)?.owner?;
            let message = Message::EndKey { record: holder, to };
            if s.is_full(bounds, holder) || s.net.contains(&message) {
                return None;
            }
            s.net.push(message);
            Some(())
        }
        Err(_) => None,
    }
}

/// The owner reads what others left for it in the store.
pub(crate) fn requests(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let row = R::Request(s.member(node), u8::try_from(record).ok()?);
    let Some(V::Request(attempt, from)) = s.get(row) else { return None };
    match s.nodes[node].held[record] {
        Some(held) if held.op != Op::Idle => return None,
        Some(held) if matches!(held.header.state, Life::Ended(_)) => return None,
        Some(_) => {
            let _ = yield_to(bounds, s, node, record, attempt, from);
        }
        None => {}
    }
    s.put(row, None);
    Some(())
}
