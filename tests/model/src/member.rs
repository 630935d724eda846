//! What happens to the nodes: faults, and what they commit about themselves and each other.
//!
//! The nodes see of each part what stands in `Said`; a part then follows what became of them.

use throughline_cluster::{Beat, Commit, NodeState};

use crate::{
    Bounds,
    env::{Env, News, NodeFlight},
    part::{Part, name},
    small::{M, R, SmallCommit, V, id, info, small_commit},
    state::{Left, State},
    store,
};

/// One thing that may happen to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStep {
    /// A commit reaches the store, and its answer the node.
    Land(usize),
    /// A node does not learn what became of a commit, which is still on its way.
    Unknown(usize),
    /// A process dies.
    Crash(usize),
    /// A process stops.
    Freeze(usize),
    /// A stopped process goes on.
    Thaw(usize),
    /// The term of a stopped process is over.
    Expire(usize),
    /// A node without a lease beats.
    Beat(usize),
    /// A node declares another one dead.
    Mark(usize, usize),
    /// A process of a node that is gone, or crashed, joins.
    Join(usize),
    /// A node begins to drain.
    Drain(usize),
    /// A node leaves.
    Leave(usize),
    /// The entry of a node that is gone is deleted.
    Forget(usize, M),
}

impl NodeStep {
    /// Whether it is a fault or a choice of an operator.
    pub(crate) const fn is_fault(self) -> bool {
        use NodeStep::{Crash, Drain, Freeze, Join, Unknown};
        matches!(self, Unknown(_) | Crash(_) | Freeze(_) | Drain(_) | Join(_))
    }
}

pub(crate) fn list(bounds: &Bounds, env: &Env, left: &Left, to: &mut Vec<NodeStep>) {
    to.extend((0..env.flights.len()).map(NodeStep::Land));
    if left.unknown > 0 {
        to.extend((0..env.flights.len()).map(NodeStep::Unknown));
    }
    for index in 0..env.nodes.len() {
        of_node(bounds, env, left, index, to);
    }
}

fn of_node(bounds: &Bounds, env: &Env, left: &Left, index: usize, to: &mut Vec<NodeStep>) {
    let node = &env.nodes[index];
    if node.up && left.faults > 0 {
        if bounds.crash {
            to.push(NodeStep::Crash(index));
        }
        if bounds.freeze && !node.frozen {
            to.push(NodeStep::Freeze(index));
        }
    }
    if node.frozen {
        to.push(NodeStep::Thaw(index));
        if node.lease {
            to.push(NodeStep::Expire(index));
        }
    }
    if node.up && !node.frozen && !node.lease && !node.busy {
        to.push(NodeStep::Beat(index));
    }
    if !node.up && left.joins > 0 {
        to.push(NodeStep::Join(index));
    }
    if env.works(index) {
        let others = (0..env.nodes.len()).filter(|&other| other != index);
        let silent = others.filter(|&other| is_silent(env, other));
        to.extend(silent.map(|other| NodeStep::Mark(index, other)));
        if left.drains > 0 && !node.busy {
            to.push(NodeStep::Drain(index));
        }
        if node.standing == NodeState::Draining && !node.busy {
            to.push(NodeStep::Leave(index));
        }
        if bounds.sweep {
            let members = env.rows.0.iter().filter_map(|(row, _)| match row {
                R::Standing(m) => Some(*m),
                _ => None,
            });
            to.extend(members.map(|m| NodeStep::Forget(index, m)));
        }
    }
}

/// What a part says to those who ask whether a node may go.
struct Said {
    /// Records that it owns, as the index has them.
    owned: usize,
    /// Records that others want of it.
    requests: Vec<u8>,
    /// All records of the part.
    records: usize,
}

impl Said {
    fn of(part: &Part, m: M) -> Self {
        let requests = part.requested_of(m).collect();
        Self { owned: part.owned_by(m), requests, records: part.sessions.len() }
    }
}

/// What becomes of each part.
enum Then {
    /// Nothing.
    Nothing,
    /// This node's process is gone.
    Stop(M),
    /// Of each, these rows are deleted.
    Delete(Vec<Vec<R>>),
}

/// Changes the state; `None` if this cannot happen in it.
pub(crate) fn take(bounds: &Bounds, s: &mut State, step: NodeStep) -> Option<()> {
    let asks = match step {
        NodeStep::Leave(node) => Some(s.env.member(node)),
        NodeStep::Forget(_, m) => Some(m),
        _ => None,
    };
    let said: Vec<Said> = match asks {
        Some(m) => s.parts.iter().map(|part| Said::of(part, m)).collect(),
        None => Vec::new(),
    };
    match change(bounds, &mut s.env, &mut s.left, step, &said)? {
        Then::Nothing => {}
        Then::Stop(m) => s.parts.iter_mut().for_each(|part| part.stop(m)),
        Then::Delete(rows) => {
            for (part, rows) in s.parts.iter_mut().zip(rows) {
                rows.into_iter().for_each(|row| part.rows.put(row, None));
            }
        }
    }
    s.env.drop_hopeless();
    Some(())
}

/// Changes the nodes.
fn change(
    bounds: &Bounds,
    env: &mut Env,
    left: &mut Left,
    step: NodeStep,
    said: &[Said],
) -> Option<Then> {
    match step {
        NodeStep::Land(at) => {
            let mut flight = env.flights.remove(at);
            let landed = store::land_of_nodes(env, &flight.commit);
            let requests = core::mem::take(&mut flight.requests);
            Some(match answer(env, &flight, landed) {
                Then::Nothing if landed => Then::Delete(requests),
                then => then,
            })
        }
        NodeStep::Unknown(at) => {
            left.unknown -= 1;
            unknown(env, at)
        }
        NodeStep::Crash(node) => {
            left.faults -= 1;
            Some(stop(env, node))
        }
        NodeStep::Freeze(node) => {
            left.faults -= 1;
            env.nodes[node].frozen = true;
            Some(Then::Nothing)
        }
        NodeStep::Thaw(node) => {
            env.nodes[node].frozen = false;
            Some(Then::Nothing)
        }
        NodeStep::Expire(node) => {
            env.nodes[node].lease = false;
            Some(Then::Nothing)
        }
        NodeStep::Beat(node) => {
            let entry = env.own_entry(bounds, node);
            env.nodes[node].beat += 1;
            let next = Beat::new(env.nodes[node].beat.into(), 0);
            fly(env, node, News::Beat, &bounds.law.beat(&entry, next).commit)
        }
        NodeStep::Mark(node, other) => mark(bounds, env, node, other),
        NodeStep::Join(node) => join(bounds, env, left, node),
        NodeStep::Drain(node) => {
            left.drains -= 1;
            let step = bounds.law.drain(&env.own_entry(bounds, node)).ok()?;
            fly(env, node, News::Drain, &step.commit)
        }
        NodeStep::Leave(node) => {
            let owned = said.iter().map(|said| said.owned).sum();
            let step = bounds.law.leave(&env.own_entry(bounds, node), owned).ok()?;
            fly(env, node, News::Leave, &step.commit)
        }
        NodeStep::Forget(node, member) => forget(bounds, env, node, member, said),
    }
}

/// Whether a term without a beat can have passed: only if its lease is over, margin included.
pub(crate) fn is_silent(env: &Env, node: usize) -> bool {
    !env.nodes[node].lease
}

fn mark(bounds: &Bounds, env: &mut Env, node: usize, other: usize) -> Option<Then> {
    let member = env.member(other);
    let Some(V::Beat(number)) = env.rows.get(R::Beat(member)) else { return None };
    let seen = Beat::new(number.into(), 0);
    let step = bounds.law.mark_dead(&env.entry(bounds, member), seen).ok()?;
    fly_once(env, node, small_commit(&step.commit), Vec::new())
}

fn join(bounds: &Bounds, env: &mut Env, left: &mut Left, node: usize) -> Option<Then> {
    let old = env.member(node);
    let Some(V::Incarnation(last)) = env.rows.get(R::Node(old.node)) else { return None };
    let before = env.entry(bounds, M { node: old.node, inc: last });
    let me = M { node: old.node, inc: old.inc + 1 };
    let first = Beat::new(0, 0);
    let info = info(bounds.nodes[node]);
    let step = bounds.law.join(crate::small::member(me), &info, Some(&before), first).ok()?;
    left.joins -= 1;
    env.nodes[node].inc = me.inc;
    env.nodes[node].up = true;
    env.nodes[node].lease = false;
    env.nodes[node].standing = NodeState::Alive;
    env.nodes[node].beat = 0;
    fly(env, node, News::Beat, &step.commit)
}

/// The law counts the records of all parts through.
fn forget(bounds: &Bounds, env: &mut Env, node: usize, m: M, said: &[Said]) -> Option<Then> {
    let owned = said.iter().map(|said| said.owned).sum();
    let mut requests = Vec::new();
    let mut firsts = Vec::new();
    let mut first = 0;
    for said in said {
        firsts.push(first);
        requests.extend(said.requests.iter().map(|record| id(name(first) + record)));
        first += said.records;
    }
    let step = bounds.law.forget(&env.entry(bounds, m), owned, &requests).ok()?;
    let mut commit = small_commit(&step.commit);
    let mut of_parts = vec![Vec::new(); if requests.is_empty() { 0 } else { said.len() }];
    commit.writes.retain(|(row, _)| {
        let R::Request(owner, record) = *row else { return true };
        let part = firsts.partition_point(|first| name(*first) <= record) - 1;
        of_parts[part].push(R::Request(owner, record - name(firsts[part])));
        false
    });
    fly_once(env, node, commit, of_parts)
}

/// A process is gone with all it had; what it sent may still land.
fn stop(env: &mut Env, node: usize) -> Then {
    let me = env.member(node);
    let stopped = &mut env.nodes[node];
    stopped.up = false;
    stopped.frozen = false;
    stopped.lease = false;
    stopped.busy = false;
    for flight in env.flights.iter_mut().filter(|flight| flight.by == me) {
        flight.of = News::Nobody;
    }
    Then::Stop(me)
}

/// Sends what a node commits about itself.
fn fly(env: &mut Env, node: usize, of: News, commit: &Commit) -> Option<Then> {
    env.nodes[node].busy = true;
    let (by, commit) = (env.member(node), small_commit(commit));
    env.flights.push(NodeFlight { by, of, commit, requests: Vec::new() });
    Some(Then::Nothing)
}

/// A commit that nobody waits for; one at a time of a kind is enough.
fn fly_once(
    env: &mut Env,
    node: usize,
    commit: SmallCommit,
    requests: Vec<Vec<R>>,
) -> Option<Then> {
    let is_same = |flight: &NodeFlight| flight.commit == commit && flight.requests == requests;
    if env.flights.iter().any(is_same) {
        return None;
    }
    let by = env.member(node);
    env.flights.push(NodeFlight { by, of: News::Nobody, commit, requests });
    Some(Then::Nothing)
}

/// What the store's answer changes in the node that waits for it.
fn answer(env: &mut Env, flight: &NodeFlight, landed: bool) -> Then {
    if flight.of == News::Nobody || !env.is_up(flight.by) {
        return Then::Nothing;
    }
    let node = usize::from(flight.by.node);
    env.nodes[node].busy = false;
    match flight.of {
        News::Beat if landed => env.nodes[node].lease = true,
        News::Beat => return not_renewed(env, node),
        News::Drain if landed => env.nodes[node].standing = NodeState::Draining,
        News::Leave if landed => {
            env.nodes[node].standing = NodeState::Left;
            return stop(env, node);
        }
        News::Drain | News::Leave | News::Nobody => {}
    }
    Then::Nothing
}

/// A beat was refused: dead only if the entry says so, or is absent.
fn not_renewed(env: &mut Env, node: usize) -> Then {
    match env.standing(env.member(node)) {
        Some(state @ (NodeState::Alive | NodeState::Draining)) => {
            env.nodes[node].standing = state;
            Then::Nothing
        }
        // Fenced: it drops all it held.
        _ => stop(env, node),
    }
}

/// The node does not learn what became of a commit, which is still on its way.
fn unknown(env: &mut Env, at: usize) -> Option<Then> {
    let (by, of) = (env.flights[at].by, env.flights[at].of);
    let node = usize::from(by.node);
    if of == News::Nobody || env.member(node) != by {
        return None;
    }
    env.flights[at].of = News::Nobody;
    env.nodes[node].busy = false;
    Some(Then::Nothing)
}
