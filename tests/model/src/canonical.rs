//! One state for all that differ in names only.
//!
//! Nodes that read the same are exchangeable, and so are the sessions of a part that have the same
//! mode, and parts. Versions are only compared, never counted, so they are renumbered without gaps.

use crate::{
    Bounds,
    env::{Env, News},
    memory::Op,
    message::Message,
    names::Names,
    part::{Of, Part, name},
    small::{H, NOBODY, R, SmallCommit, V},
    state::State,
};

/// The representative of the state's class.
pub(crate) fn canonical(bounds: &Bounds, mut state: State) -> State {
    state.parts.iter_mut().for_each(plain);
    forget_senders(&mut state.env);
    let nodes = permutations(state.env.nodes.len(), |a, b| bounds.nodes[a] == bounds.nodes[b]);
    let kept = nodes.iter().filter(|order| keeps_order(bounds, &state, order));
    let renamed = kept.map(|order| rename(&state, order));
    renamed.min().expect("an order that keeps alike nodes sorted is there")
}

/// The representative of a part among those that differ in the numbering of versions, or in what
/// makes no difference.
fn plain(part: &mut Part) {
    forget(part);
    renumber(part);
}

/// What no longer makes a difference.
fn forget(part: &mut Part) {
    for held in part.sessions.iter_mut().flat_map(|session| session.held.iter_mut().flatten()) {
        if held.op == Op::Idle {
            held.proposed = held.header;
            held.staged = held.handled;
        }
    }
    let mut seen: Vec<SmallCommit> = Vec::new();
    for flight in &mut part.flights {
        if flight.of == Of::Nobody {
            flight.by = NOBODY;
            flight.after = None;
        }
    }
    part.flights.retain(|flight| {
        let fresh = flight.of != Of::Nobody || !seen.contains(&flight.commit);
        seen.push(flight.commit.clone());
        fresh
    });
}

/// Who sent what nobody waits for makes no difference, nor whether it is sent twice.
fn forget_senders(env: &mut Env) {
    for flight in &mut env.flights {
        if flight.of == News::Nobody {
            flight.by = NOBODY;
        }
    }
    let mut seen: Vec<(SmallCommit, Vec<Vec<R>>)> = Vec::new();
    env.flights.retain(|flight| {
        let what = (flight.commit.clone(), flight.requests.clone());
        let fresh = flight.of != News::Nobody || !seen.contains(&what);
        seen.push(what);
        fresh
    });
}

/// All orders of `count` things that exchange only alike ones. `order[old] = new`.
fn permutations(count: usize, alike: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for old in 0..count {
        let extend = |order: Vec<usize>| {
            let free = (0..count).filter(|new| !order.contains(new) && alike(old, *new));
            let longer = free.map(|new| [order.as_slice(), &[new]].concat());
            longer.collect::<Vec<_>>()
        };
        all = all.into_iter().flat_map(extend).collect();
    }
    all
}

/// Prunes orders by what of nodes has no names in it.
fn keeps_order(bounds: &Bounds, state: &State, nodes: &[usize]) -> bool {
    let sessions = || state.parts.iter().flat_map(|part| &part.sessions);
    let plain = |node: usize| {
        let n = &state.env.nodes[node];
        let held = || sessions().filter_map(|session| session.held[node]);
        let places = sessions().filter(|session| session.places[node].is_some()).count();
        let attempts: u32 = held().map(|h| u32::from(h.conn)).sum();
        (n.up, n.frozen, n.lease, n.standing, n.busy, held().count(), places, n.inc, attempts)
    };
    by_place(nodes).windows(2).all(|pair| {
        bounds.nodes[pair[0]] != bounds.nodes[pair[1]] || plain(pair[0]) <= plain(pair[1])
    })
}

/// Renames nodes everywhere, and sessions so that what comes out is the least.
fn rename(state: &State, nodes: &[usize]) -> State {
    let mut env = Names { nodes, records: &[] }.env(&state.env);
    let mut parts = Vec::with_capacity(state.parts.len());
    for (index, part) in state.parts.iter().enumerate() {
        let orders = permutations(part.sessions.len(), |a, b| alike(part, a, b));
        let kept = orders.iter().filter(|records| keeps_clients(part, records));
        let renamed = kept.map(|records| (Names { nodes, records }.part(part), records));
        let (least, records) = renamed.min().expect("so is one for alike clients");
        for rows in env.flights.iter_mut().filter_map(|flight| flight.requests.get_mut(index)) {
            rows.iter_mut().for_each(|row| *row = Names { nodes: &[], records }.row(*row));
            rows.sort_unstable();
        }
        parts.push(least);
    }
    let mut new = State { env, parts, left: state.left };
    in_order(&mut new);
    new
}

fn alike(part: &Part, a: usize, b: usize) -> bool {
    part.sessions[a].every_turn == part.sessions[b].every_turn
}

/// Prunes orders by what of clients has no names in it.
fn keeps_clients(part: &Part, records: &[usize]) -> bool {
    let at = by_place(records);
    let client = |record: usize| part.sessions[record].client;
    at.windows(2).all(|pair| !alike(part, pair[0], pair[1]) || client(pair[0]) <= client(pair[1]))
}

/// What comes to each place.
fn by_place(order: &[usize]) -> Vec<usize> {
    let mut at = vec![0; order.len()];
    order.iter().enumerate().for_each(|(old, &new)| at[new] = old);
    at
}

/// Brings parts into order, and with them the requests that commits delete of each.
fn in_order(state: &mut State) {
    if !state.parts.is_sorted() {
        let mut order: Vec<usize> = (0..state.parts.len()).collect();
        order.sort_by(|a, b| state.parts[*a].cmp(&state.parts[*b]));
        state.parts.sort();
        let requests = state.env.flights.iter_mut().map(|flight| &mut flight.requests);
        for of_parts in requests.filter(|of_parts| !of_parts.is_empty()) {
            *of_parts = order.iter().map(|&old| of_parts[old].clone()).collect();
        }
    }
    state.env.flights.sort_unstable();
}

/// Renumbers the versions of each record from 1, in their order.
fn renumber(part: &mut Part) {
    for record in 0..part.sessions.len() {
        let mut versions = vec![0];
        each_version(part, record, &mut |version| versions.push(*version));
        versions.sort_unstable();
        versions.dedup();
        each_version(part, record, &mut |version| {
            *version = name(versions.binary_search(version).unwrap_or(0));
        });
    }
}

/// Every place where a version of this record stands.
fn each_version(part: &mut Part, index: usize, f: &mut impl FnMut(&mut u8)) {
    let record = name(index);
    let of_header = |h: &mut H, f: &mut dyn FnMut(&mut u8)| {
        f(&mut h.version);
        f(&mut h.snapshot);
    };
    let of_value = |row: R, value: &mut V, f: &mut dyn FnMut(&mut u8)| match (row, value) {
        (R::Header(x), V::Header(h)) if x == record => of_header(h, f),
        (R::Snapshot(x), V::Snapshot(_, version, _)) if x == record => f(version),
        _ => {}
    };
    for (row, value) in &mut part.rows.0 {
        of_value(*row, value, f);
    }
    for flight in &mut part.flights {
        for (row, value) in flight.commit.guards.iter_mut().chain(&mut flight.commit.writes) {
            if let Some(value) = value {
                of_value(*row, value, f);
            }
        }
        let about = matches!(flight.of, Of::Held(x) | Of::Place(x, ..) if x == record);
        if let Some(after) = flight.after.as_mut().filter(|_| about) {
            of_header(after, f);
        }
    }
    for message in &mut part.net {
        if let Message::Granted { record: x, header, .. } = message
            && *x == record
        {
            of_header(header, f);
        }
    }
    for held in part.sessions[index].held.iter_mut().flatten() {
        of_header(&mut held.header, f);
        of_header(&mut held.proposed, f);
    }
}
