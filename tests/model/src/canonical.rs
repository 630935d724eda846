//! One state for all that differ in names only.
//!
//! Nodes that read the same are exchangeable, and so are clients whose sessions have the same
//! mode. Versions are only compared, never counted, so they are renumbered without gaps.

use crate::{
    Bounds,
    small::{H, M, R, SmallCommit, V},
    state::{Flight, Message, Of, Op, Stage, State},
};

/// The representative of the state's class.
pub(crate) fn canonical(bounds: &Bounds, state: State) -> State {
    let state = plain(state);
    let nodes = permutations(state.nodes.len(), |a, b| bounds.nodes[a] == bounds.nodes[b]);
    let clients = permutations(state.clients.len(), |a, b| bounds.clients[a] == bounds.clients[b]);
    let mut best: Option<State> = None;
    for node_map in &nodes {
        for client_map in &clients {
            if !keeps_order(&state, node_map, client_map) {
                continue;
            }
            let renamed = rename(&state, node_map, client_map);
            if best.as_ref().is_none_or(|best| renamed < *best) {
                best = Some(renamed);
            }
        }
    }
    best.unwrap_or(state)
}

/// The representative of those that differ in no names, but in the numbering of versions, or in
/// what makes no difference.
pub(crate) fn plain(mut state: State) -> State {
    forget(&mut state);
    renumber(&mut state);
    sort(&mut state);
    state
}

/// What no longer makes a difference.
fn forget(state: &mut State) {
    for node in &mut state.nodes {
        for held in node.held.iter_mut().flatten() {
            if held.op == Op::Idle {
                held.proposed = held.header;
                held.staged = held.handled;
            }
        }
    }
    let mut seen: Vec<SmallCommit> = Vec::new();
    for flight in &mut state.flights {
        if flight.of == Of::Nobody {
            flight.by = M { node: 0, inc: 0 };
            flight.after = None;
        }
    }
    state.flights.retain(|flight| {
        let fresh = flight.of != Of::Nobody || !seen.contains(&flight.commit);
        seen.push(flight.commit.clone());
        fresh
    });
}

fn sort(state: &mut State) {
    state.net.sort_unstable();
    state.net.dedup();
    state.flights.sort_unstable();
    state.store.sort_unstable_by_key(|(row, _)| *row);
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

/// Prunes orders by what of nodes and clients has no names in it.
fn keeps_order(state: &State, nodes: &[usize], clients: &[usize]) -> bool {
    let plain = |node: usize| {
        let n = &state.nodes[node];
        let held = n.held.iter().flatten().count();
        let places = n.places.iter().flatten().count();
        let attempts: u32 = n.held.iter().flatten().map(|h| u32::from(h.conn)).sum();
        (n.up, n.frozen, n.lease, n.standing, n.busy, held, places, n.inc, attempts)
    };
    let by_place = |order: &[usize]| {
        let mut at = vec![0; order.len()];
        order.iter().enumerate().for_each(|(old, &new)| at[new] = old);
        at
    };
    by_place(nodes).windows(2).all(|pair| plain(pair[0]) <= plain(pair[1]))
        && by_place(clients).windows(2).all(|pair| state.clients[pair[0]] <= state.clients[pair[1]])
}

fn small(n: usize) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

/// Renames nodes and records everywhere.
fn rename(state: &State, nodes: &[usize], clients: &[usize]) -> State {
    let node = |n: u8| nodes.get(usize::from(n)).map_or(n, |&new| small(new));
    let m = |m: M| M { node: node(m.node), inc: m.inc };
    let r = |r: u8| clients.get(usize::from(r)).map_or(r, |&new| small(new));
    let mut new = map(state, &m, &r, &|_, h| h);
    for (old, &to) in nodes.iter().enumerate() {
        new.nodes[to] = map_node(&state.nodes[old], clients, &m);
    }
    for (old, &to) in clients.iter().enumerate() {
        new.clients[to] = state.clients[old];
        new.due[to] = state.due[old];
    }
    for row in &mut new.store {
        if let R::Node(n) = &mut row.0 {
            *n = node(*n);
        }
    }
    for flight in &mut new.flights {
        let rows = flight.commit.guards.iter_mut().chain(&mut flight.commit.writes);
        for (row, _) in rows {
            if let R::Node(n) = row {
                *n = node(*n);
            }
        }
    }
    sort(&mut new);
    new
}

fn map_node(node: &crate::Node, clients: &[usize], m: &impl Fn(M) -> M) -> crate::Node {
    let mut new = node.clone();
    for (old, &to) in clients.iter().enumerate() {
        new.held[to] = node.held[old].map(|mut held| {
            held.header = owner(held.header, m);
            held.proposed = owner(held.proposed, m);
            if let Op::Yield(to) = held.op {
                held.op = Op::Yield(m(to));
            }
            held
        });
        new.places[to] = node.places[old].map(|mut place| {
            if let Stage::Asked(owner) = place.stage {
                place.stage = Stage::Asked(m(owner));
            }
            place
        });
    }
    new
}

fn owner(mut h: H, m: &impl Fn(M) -> M) -> H {
    h.owner = h.owner.map(m);
    h
}

/// Maps members, records and headers of everything but nodes and clients.
pub(crate) fn map(
    state: &State,
    m: &impl Fn(M) -> M,
    r: &impl Fn(u8) -> u8,
    h: &impl Fn(u8, H) -> H,
) -> State {
    let row = |row: R| match row {
        R::Header(x) => R::Header(r(x)),
        R::Snapshot(x) => R::Snapshot(r(x)),
        R::Standing(x) => R::Standing(m(x)),
        R::Beat(x) => R::Beat(m(x)),
        R::Node(x) => R::Node(x),
        R::Owned(x, y) => R::Owned(m(x), r(y)),
        R::Key => R::Key,
        R::Request(x, y) => R::Request(m(x), r(y)),
    };
    let value = |at: R, value: V| match (at, value) {
        (R::Header(x), V::Header(x_h)) => V::Header(owner(h(x, x_h), m)),
        (_, V::Holder(x, life)) => V::Holder(r(x), life),
        (_, V::Request(attempt, from)) => V::Request(attempt, m(from)),
        (_, other) => other,
    };
    let pair = |(at, v): &(R, Option<V>)| (row(*at), v.map(|v| value(*at, v)));
    let flight = |flight: &Flight| Flight {
        by: m(flight.by),
        of: match flight.of {
            Of::Held(x) => Of::Held(r(x)),
            Of::Place(x, attempt, handled) => Of::Place(r(x), attempt, handled),
            other => other,
        },
        after: flight.after.map(|after| owner(after, m)),
        commit: SmallCommit {
            guards: flight.commit.guards.iter().map(pair).collect(),
            writes: flight.commit.writes.iter().map(pair).collect(),
        },
    };
    let message = |message: &Message| match *message {
        Message::Resume { record, attempt, to } => {
            Message::Resume { record: r(record), attempt, to: m(to) }
        }
        Message::Ask { record, attempt, from, to } => {
            Message::Ask { record: r(record), attempt, from: m(from), to: m(to) }
        }
        Message::Granted { record, attempt, header, handled, to } => Message::Granted {
            record: r(record),
            attempt,
            header: owner(header, m),
            handled,
            to: m(to),
        },
        Message::Denied { record, attempt, to } => {
            Message::Denied { record: r(record), attempt, to: m(to) }
        }
        Message::EndKey { record, to } => Message::EndKey { record: r(record), to: m(to) },
    };
    State {
        store: state.store.iter().map(|(at, v)| (row(*at), value(*at, *v))).collect(),
        net: state.net.iter().map(message).collect(),
        flights: state.flights.iter().map(flight).collect(),
        ..state.clone()
    }
}

/// Renumbers the versions of each record from 1, in their order.
fn renumber(state: &mut State) {
    for record in 0..state.clients.len() {
        let id = small(record);
        let mut versions = vec![0];
        each_version(state, id, &mut |version| versions.push(*version));
        versions.sort_unstable();
        versions.dedup();
        each_version(state, id, &mut |version| {
            *version = small(versions.binary_search(version).unwrap_or(0));
        });
    }
}

/// Every place where a version of this record stands.
fn each_version(state: &mut State, record: u8, f: &mut impl FnMut(&mut u8)) {
    let of_header = |h: &mut H, f: &mut dyn FnMut(&mut u8)| {
        f(&mut h.version);
        f(&mut h.snapshot);
    };
    let of_value = |row: R, value: &mut V, f: &mut dyn FnMut(&mut u8)| match (row, value) {
        (R::Header(x), V::Header(h)) if x == record => of_header(h, f),
        (R::Snapshot(x), V::Snapshot(_, version, _)) if x == record => f(version),
        _ => {}
    };
    for (row, value) in &mut state.store {
        of_value(*row, value, f);
    }
    for flight in &mut state.flights {
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
    for message in &mut state.net {
        if let Message::Granted { record: x, header, .. } = message
            && *x == record
        {
            of_header(header, f);
        }
    }
    for node in &mut state.nodes {
        if let Some(held) = node.held[usize::from(record)].as_mut() {
            of_header(&mut held.header, f);
            of_header(&mut held.proposed, f);
        }
    }
}
