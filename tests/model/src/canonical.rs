//! One state for all that differ in names only.
//!
//! Nodes that read the same are exchangeable, and so are the sessions of a part that have the same
//! mode, and parts. Versions are only compared, never counted, so they are renumbered without gaps.

use throughline_cluster::NodeState;

use crate::{
    Bounds,
    env::{Env, News},
    memory::Op,
    message::Message,
    names::Names,
    part::{Of, Part, name},
    small::{H, M, NOBODY, R, V},
    state::State,
};

/// The representative of the state's class.
pub(crate) fn canonical(bounds: &Bounds, mut state: State) -> State {
    state.parts.iter_mut().for_each(plain);
    forget_senders(&mut state.env);
    let ranks: Vec<_> =
        (0..bounds.nodes.len()).map(|node| Rank::of(bounds, &state, node)).collect();
    let places = places(bounds, &ranks);
    let mut orders = permutations(ranks.len(), |old, new| ranks[old] == places[new]);
    let last = orders.pop().expect("an order that keeps alike nodes sorted is there");
    let others = orders.iter().map(|order| renamed(state.clone(), order)).min();
    let last = renamed(state, &last);
    others.into_iter().fold(last, State::min)
}

/// The representative of a part among those that differ in the numbering of versions, or in what
/// makes no difference.
fn plain(part: &mut Part) {
    forget(part);
    renumber(part);
    part.net.sort_unstable();
    part.net.dedup();
}

/// What no longer makes a difference.
fn forget(part: &mut Part) {
    for held in part.sessions.iter_mut().flat_map(|session| session.held.iter_mut().flatten()) {
        if held.op == Op::Idle {
            held.proposed = held.header;
            held.staged = held.handled;
        }
    }
    for flight in part.flights.iter_mut().filter(|flight| flight.of == Of::Nobody) {
        flight.by = NOBODY;
        flight.after = None;
    }
    drop_repeated(&mut part.flights, |flight, earlier| {
        flight.of == Of::Nobody && flight.commit == earlier.commit
    });
}

/// Who sent what nobody waits for makes no difference, nor whether it is sent twice.
fn forget_senders(env: &mut Env) {
    for flight in env.flights.iter_mut().filter(|flight| flight.of == News::Nobody) {
        flight.by = NOBODY;
    }
    drop_repeated(&mut env.flights, |flight, earlier| {
        flight.of == News::Nobody
            && (&flight.commit, &flight.requests) == (&earlier.commit, &earlier.requests)
    });
}

/// Drops what repeats something before it.
fn drop_repeated<T>(all: &mut Vec<T>, repeats: impl Fn(&T, &T) -> bool) {
    for at in (1..all.len()).rev() {
        if all[..at].iter().any(|earlier| repeats(&all[at], earlier)) {
            all.remove(at);
        }
    }
}

/// All orders of `count` things that exchange only alike ones. `order[old] = new`.
fn permutations(count: usize, alike: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::with_capacity(count)];
    for old in 0..count {
        for order in std::mem::take(&mut all) {
            let free = (0..count).filter(|new| !order.contains(new) && alike(old, *new));
            all.extend(free.map(|new| [order.as_slice(), &[new]].concat()));
        }
    }
    all
}

/// What of a node has no names in it. The more it says, the fewer nodes have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    version: u8,
    standing: NodeState,
    inc: u8,
    /// Up, frozen, with a lease, busy.
    is: [bool; 4],
    /// How much of it there is in all parts.
    has: Has,
}

/// How much of a node there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Has {
    held: usize,
    attempts: usize,
    places: usize,
    received: usize,
    asked: usize,
    commits: usize,
    owned: usize,
}

impl Rank {
    fn of(bounds: &Bounds, state: &State, node: usize) -> Self {
        let n = &state.env.nodes[node];
        let mut has = Has::default();
        state.parts.iter().for_each(|part| has.count(part, node));
        Self {
            version: bounds.nodes[node],
            standing: n.standing,
            inc: n.inc,
            is: [n.up, n.frozen, n.lease, n.busy],
            has,
        }
    }
}

impl Has {
    fn count(&mut self, part: &Part, node: usize) {
        let is_it = |m: M| usize::from(m != NOBODY && usize::from(m.node) == node);
        for session in &part.sessions {
            if let Some(held) = session.held[node] {
                self.held += 1;
                self.attempts += usize::from(held.conn);
            }
            self.places += usize::from(session.places[node].is_some());
        }
        for message in &part.net {
            self.received += is_it(message.receiver());
            self.asked += message.sender().map_or(0, is_it);
        }
        for flight in &part.flights {
            self.commits += is_it(flight.by);
        }
        for (row, _) in &part.rows.0 {
            if let R::Owned(owner, _) = row {
                self.owned += is_it(*owner);
            }
        }
    }
}

/// Which rank comes to each place: sorted, each to a place of its version. It leaves few orders.
fn places(bounds: &Bounds, ranks: &[Rank]) -> Vec<Rank> {
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let next = |version: &u8| {
        let at = sorted.iter().position(|rank| rank.version == *version);
        sorted.remove(at.expect("a node for each place"))
    };
    bounds.nodes.iter().map(next).collect()
}

/// Renames nodes everywhere, and sessions so that what comes out is the least.
fn renamed(mut state: State, nodes: &[usize]) -> State {
    Names { nodes, records: &[] }.env(&mut state.env);
    for (index, part) in state.parts.iter_mut().enumerate() {
        let orders = permutations(part.sessions.len(), |a, b| alike(part, a, b));
        if let [_] = &orders[..] {
            Names { nodes, records: &[] }.part(part);
            continue;
        }
        let kept = orders.iter().filter(|records| keeps_clients(part, records));
        let of = |records| {
            let mut part = part.clone();
            Names { nodes, records }.part(&mut part);
            (part, records)
        };
        let (least, records) =
            kept.map(|order| of(&order[..])).min().expect("so is one for alike clients");
        let flights = &mut state.env.flights;
        for rows in flights.iter_mut().filter_map(|flight| flight.requests.get_mut(index)) {
            rows.iter_mut().for_each(|row| *row = Names { nodes: &[], records }.row(*row));
            rows.sort_unstable();
        }
        *part = least;
    }
    in_order(&mut state);
    state
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

/// Renumbers the versions of each record from 1, in their order; 0 is that of nothing.
///
/// # Panics
/// If a version is above 127: a step adds one to those of a state, which are without gaps.
fn renumber(part: &mut Part) {
    for record in 0..part.sessions.len() {
        let mut seen = 0_u128;
        let bit = |version: u8| 1_u128.checked_shl(version.into()).expect("few versions");
        each_version(part, record, &mut |version| seen |= bit(*version));
        each_version(part, record, &mut |version| {
            let up_to = seen & (bit(*version) | (bit(*version) - 1)) & !bit(0);
            *version = name(up_to.count_ones() as usize);
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
