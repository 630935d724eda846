//! What a node does with a record that it holds.

use throughline_cluster::{
    Commit, Ending, Found, Holder, NodeState, NotNow, State as Life, Turn, TurnState,
};

use super::{commit, key_row};
use crate::{
    memory::{Op, Was},
    message::Message,
    part::name,
    small::{M, R, V, body, id, small},
    state::{KEY_TAKEN, LOST},
    view::View,
};

/// How a session ends; what is kept of it matters to the link only.
pub(crate) fn ending(reason: u16) -> Ending {
    Ending { reason, last: body(u8::MAX), until: 1 }
}

fn turn_of(s: &View<'_>, node: usize, record: usize, handled: u8) -> Option<Turn> {
    let held = s.held(node, record)?;
    let state = if s.part.sessions[record].every_turn {
        let state_version = s.bounds.nodes[node].into();
        TurnState::Committed { snapshot: body(handled), state_version }
    } else {
        TurnState::Running
    };
    let attempt = held.joining.max(held.conn).into();
    Some(Turn { state, attempt, due: None, more: Commit::default() })
}

pub(crate) fn first(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let held = s.held(node, record).filter(|held| !held.started && held.joining > 0)?;
    let turn = turn_of(s, node, record, held.handled)?;
    let step = s.bounds.law.turn(&s.mine(node, record)?, turn).ok()?;
    commit(s, node, record, Op::First, &step)
}

pub(crate) fn counter(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let held = s.held(node, record).filter(|held| held.started)?;
    if held.joining <= held.conn {
        return None;
    }
    let turn = turn_of(s, node, record, held.handled)?;
    let step = s.bounds.law.turn(&s.mine(node, record)?, turn).ok()?;
    commit(s, node, record, Op::Counter, &step)
}

/// One turn for the client's next message. `OnSwapOut` handles and acknowledges at once;
/// `EveryTurn` commits before it does.
pub(crate) fn turn(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let held = s.held(node, record).filter(|held| held.started)?;
    let client = s.part.sessions[record].client;
    if client.attempt != held.conn || client.over || client.acked >= s.bounds.turns {
        return None;
    }
    if held.handled > client.acked {
        // It came before, and its ack was lost: a duplicate, acknowledged again.
        s.part.sessions[record].client.acked = held.handled;
        return Some(());
    }
    s.part.broken.stale |= held.handled < client.acked;
    let handled = held.handled + 1;
    if !s.part.sessions[record].every_turn {
        let held = s.held_mut(node, record).as_mut()?;
        held.handled = handled;
        held.staged = handled;
        s.part.sessions[record].client.acked = handled;
        return Some(());
    }
    let turn = turn_of(s, node, record, handled)?;
    let step = s.bounds.law.turn(&s.mine(node, record)?, turn).ok()?;
    s.held_mut(node, record).as_mut()?.staged = handled;
    commit(s, node, record, Op::Turn, &step)
}

pub(crate) fn park(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let held = s.held(node, record)?;
    let draining = s.env.nodes[node].standing == NodeState::Draining;
    let attempt = held.conn.max(held.joining);
    if !draining && s.part.sessions[record].client.attempt == attempt {
        return None;
    }
    let version = s.bounds.nodes[node].into();
    let mine = s.mine(node, record)?;
    let attempt = held.conn.into();
    let step = s.bounds.law.park(&mine, body(held.handled), version, attempt, Some(1)).ok()?;
    commit(s, node, record, Op::Park, &step)
}

pub(crate) fn end_with(s: &mut View<'_>, node: usize, record: usize, reason: u16) -> Option<()> {
    s.held(node, record).filter(|held| reason == LOST || held.started)?;
    let step = s.bounds.law.end(&s.mine(node, record)?, &ending(reason)).ok()?;
    commit(s, node, record, Op::End, &step)
}

/// Gives the record to `to`; `None` if the law or an attempt forbids it.
pub(crate) fn yield_to(
    s: &mut View<'_>,
    node: usize,
    record: usize,
    attempt: u8,
    to: M,
) -> Option<()> {
    let held = s.held(node, record)?;
    // The counter of a record that runs without a snapshot is in memory.
    if attempt <= held.conn.max(held.joining) {
        return None;
    }
    let mine = s.mine(node, record)?;
    let version = s.bounds.nodes[node].into();
    let entry = s.entry(to);
    let step = s
        .bounds
        .law
        .yield_to(&mine, &entry, body(held.handled), version, attempt.into(), None)
        .ok()?;
    commit(s, node, record, Op::Yield(to), &step)
}

/// Settles an unknown outcome by a commit of its own.
pub(crate) fn settle(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let held = s.held(node, record)?;
    let read = s.part.real_header(record).filter(|_| held.op == Op::Unknown);
    let gone = |h: &throughline_cluster::Header| {
        h.state.is_ended() || small(h).owner != Some(s.env.member(node))
    };
    let Some(read) = read.filter(|h| !gone(h)) else {
        *s.held_mut(node, record) = None;
        return Some(());
    };
    let tried = held.proposed.version.max(held.header.version).into();
    let step = s.bounds.law.settle(&read, tried);
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
pub(crate) fn key(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let held = s.held(node, record).filter(|held| held.started)?;
    if held.header.key {
        return None;
    }
    let found = match key_row(s) {
        None => Found::Nobody,
        Some((holder, life)) => {
            let header = s.part.real_header(holder.into());
            let owner = header.as_ref().and_then(|h| small(h).owner);
            let owner = owner.map(|owner| s.entry(owner));
            let holder = Holder { id: id(holder), life: life.into() };
            Found::Session { holder, header: header.map(Box::new), owner }
        }
    };
    let mine = s.mine(node, record)?;
    match s.bounds.law.take_key(&mine, &crate::small::key(), &found, &ending(KEY_TAKEN)) {
        Ok(step) => commit(s, node, record, Op::Key, &step),
        Err(NotNow::OwnerAlive(_)) => {
            let (holder, _) = key_row(s)?;
            let to = s.part.header(holder.into())?.owner?;
            let message = Message::EndKey { record: holder, to };
            if s.is_full(holder.into()) || s.part.net.contains(&message) {
                return None;
            }
            s.part.net.push(message);
            Some(())
        }
        Err(_) => None,
    }
}

/// The owner reads what others left for it in the store.
pub(crate) fn requests(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let row = R::Request(s.env.member(node), name(record));
    let Some(V::Request(attempt, from)) = s.part.rows.get(row) else { return None };
    match s.held(node, record) {
        Some(held) if held.op != Op::Idle => return None,
        Some(held) if matches!(held.header.state, Life::Ended(_)) => return None,
        Some(_) => {
            let _ = yield_to(s, node, record, attempt, from);
        }
        None => {}
    }
    s.part.rows.put(row, None);
    Some(())
}
