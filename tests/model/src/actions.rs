//! What may happen next.

use throughline_cluster::{Beat, NodeState};

use crate::{
    Bounds, node,
    small::{M, R, V, entry, header, id, info, small_commit},
    state::{ENDED, Flight, Message, Of, Op, Stage, State},
    store,
};

/// One thing that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A client closes its connection and tries a node.
    Try(usize, usize),
    /// A message arrives.
    Deliver(usize),
    /// A resume goes on from what the store has.
    Read(usize, usize),
    /// A resume gives up waiting for the owner's answer.
    Timeout(usize, usize),
    /// A new owner commits before its first effect.
    First(usize, usize),
    /// A client is let in over a record that has a snapshot.
    Counter(usize, usize),
    /// A turn.
    Turn(usize, usize),
    /// A record whose client is elsewhere, or whose node drains, is parked.
    Park(usize, usize),
    /// An unknown outcome is settled.
    Settle(usize, usize),
    /// A session registers the key.
    Key(usize, usize),
    /// The game ends a session.
    End(usize, usize),
    /// A node looks for requests.
    Requests(usize, usize),
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
    /// A node sweeps a record of a dead owner.
    Sweep(usize, usize),
    /// Time passes for a record.
    Due(usize),
    /// A node deletes a record that is due.
    Remove(usize, usize),
}

/// Whether the action is a fault or a choice of an operator, not the system's own progress.
pub(crate) const fn is_fault(action: Action) -> bool {
    matches!(
        action,
        Action::Unknown(_)
            | Action::Crash(_)
            | Action::Freeze(_)
            | Action::Drain(_)
            | Action::Due(_)
            | Action::Join(_)
    )
}

pub(crate) fn list(bounds: &Bounds, state: &State, actions: &mut Vec<Action>) {
    let nodes = state.nodes.len();
    let records = state.clients.len();
    actions.extend((0..state.net.len()).map(Action::Deliver));
    actions.extend((0..state.flights.len()).map(Action::Land));
    if state.left.unknown > 0 {
        actions.extend((0..state.flights.len()).map(Action::Unknown));
    }
    for node in 0..nodes {
        for record in 0..records {
            of_record(bounds, state, node, record, actions);
        }
        of_node(bounds, state, node, actions);
    }
    for record in 0..records {
        let client = &state.clients[record];
        if client.attempt < bounds.attempts && !client.over {
            actions.extend((0..nodes).map(|node| Action::Try(record, node)));
        }
        if state.left.dues > 0 && !state.due[record] {
            actions.push(Action::Due(record));
        }
    }
}

fn of_record(bounds: &Bounds, s: &State, node: usize, record: usize, to: &mut Vec<Action>) {
    if !s.works(node) {
        return;
    }
    if let Some(place) = s.nodes[node].places[record] {
        match place.stage {
            Stage::Read => to.push(Action::Read(node, record)),
            Stage::Asked(_) => to.push(Action::Timeout(node, record)),
            Stage::Committing => {}
        }
    }
    if let Some(held) = s.nodes[node].held[record] {
        match held.op {
            Op::Unknown => to.push(Action::Settle(node, record)),
            Op::Idle => {
                to.push(Action::First(node, record));
                to.push(Action::Counter(node, record));
                to.push(Action::Turn(node, record));
                to.push(Action::Park(node, record));
                if bounds.ends {
                    to.push(Action::End(node, record));
                }
                if bounds.keys {
                    to.push(Action::Key(node, record));
                }
            }
            _ => {}
        }
    }
    if bounds.requests {
        to.push(Action::Requests(node, record));
    }
    if bounds.sweep {
        to.push(Action::Sweep(node, record));
    }
    if bounds.left.dues > 0 {
        to.push(Action::Remove(node, record));
    }
}

fn of_node(bounds: &Bounds, s: &State, index: usize, to: &mut Vec<Action>) {
    let node = &s.nodes[index];
    if node.up && s.left.faults > 0 {
        if bounds.crash {
            to.push(Action::Crash(index));
        }
        if bounds.freeze && !node.frozen {
            to.push(Action::Freeze(index));
        }
    }
    if node.frozen {
        to.push(Action::Thaw(index));
        if node.lease {
            to.push(Action::Expire(index));
        }
    }
    if node.up && !node.frozen && !node.lease && !node.busy {
        to.push(Action::Beat(index));
    }
    if !node.up && s.left.joins > 0 {
        to.push(Action::Join(index));
    }
    if s.works(index) {
        for other in (0..s.nodes.len()).filter(|&other| other != index) {
            to.push(Action::Mark(index, other));
        }
        if s.left.drains > 0 && !node.busy {
            to.push(Action::Drain(index));
        }
        if node.standing == NodeState::Draining && !node.busy {
            to.push(Action::Leave(index));
        }
        if bounds.sweep {
            let members = s.store.iter().filter_map(|(row, _)| match row {
                R::Standing(m) => Some(*m),
                _ => None,
            });
            to.extend(members.map(|m| Action::Forget(index, m)));
        }
    }
}

/// Changes the state; `None` if this cannot happen in it.
pub(crate) fn take(bounds: &Bounds, s: &mut State, action: Action) -> Option<()> {
    match action {
        Action::Try(client, node) => try_node(bounds, s, client, node),
        Action::Deliver(at) => node::deliver(bounds, s, at),
        Action::Read(node, record) => node::read(bounds, s, node, record),
        Action::Timeout(node, record) => node::timeout(bounds, s, node, record),
        Action::First(node, record) => node::first(bounds, s, node, record),
        Action::Counter(node, record) => node::counter(bounds, s, node, record),
        Action::Turn(node, record) => node::turn(bounds, s, node, record),
        Action::Park(node, record) => node::park(bounds, s, node, record),
        Action::Settle(node, record) => node::settle(bounds, s, node, record),
        Action::Key(node, record) => node::key(bounds, s, node, record),
        Action::End(node, record) => node::end_with(bounds, s, node, record, ENDED),
        Action::Requests(node, record) => node::requests(bounds, s, node, record),
        Action::Sweep(node, record) => node::sweep(bounds, s, node, record),
        Action::Remove(node, record) => node::remove(bounds, s, node, record),
        Action::Land(at) => {
            let flight = s.flights.remove(at);
            let landed = store::land(s, &flight.commit);
            node::answer(bounds, s, &flight, landed);
            Some(())
        }
        Action::Unknown(at) => {
            s.left.unknown -= 1;
            node::unknown(s, at)
        }
        Action::Due(record) => {
            s.left.dues -= 1;
            s.due[record] = true;
            Some(())
        }
        other => take_member(bounds, s, other),
    }?;
    s.flights = core::mem::take(&mut s.flights)
        .into_iter()
        .filter(|flight| flight.of != Of::Nobody || store::can_land(s, &flight.commit))
        .collect();
    Some(())
}

fn take_member(bounds: &Bounds, s: &mut State, action: Action) -> Option<()> {
    match action {
        Action::Crash(node) => {
            s.left.faults -= 1;
            stop(s, node);
            Some(())
        }
        Action::Freeze(node) => {
            s.left.faults -= 1;
            s.nodes[node].frozen = true;
            Some(())
        }
        Action::Thaw(node) => {
            s.nodes[node].frozen = false;
            Some(())
        }
        Action::Expire(node) => {
            s.nodes[node].lease = false;
            Some(())
        }
        Action::Beat(node) => {
            let me = s.member(node);
            let entry = own_entry(bounds, s, node);
            s.nodes[node].beat += 1;
            let next = Beat::new(s.nodes[node].beat.into(), 0);
            let step = bounds.law.beat(&entry, next);
            s.nodes[node].busy = true;
            fly(s, me, Of::Beat, None, &step.commit)
        }
        Action::Mark(node, other) => mark(bounds, s, node, other),
        Action::Join(node) => join(bounds, s, node),
        Action::Drain(node) => {
            s.left.drains -= 1;
            let me = s.member(node);
            let step = bounds.law.drain(&own_entry(bounds, s, node)).ok()?;
            s.nodes[node].busy = true;
            fly(s, me, Of::Drain, None, &step.commit)
        }
        Action::Leave(node) => {
            let me = s.member(node);
            let owned = owned(s, me);
            let step = bounds.law.leave(&own_entry(bounds, s, node), owned).ok()?;
            s.nodes[node].busy = true;
            fly(s, me, Of::Leave, None, &step.commit)
        }
        Action::Forget(node, member) => {
            let requests = s.store.iter().filter_map(|(row, _)| match row {
                R::Request(owner, record) if *owner == member => Some(id(*record)),
                _ => None,
            });
            let requests: Vec<_> = requests.collect();
            let entry = entry_of(bounds, s, member);
            let step = bounds.law.forget(&entry, owned(s, member), &requests).ok()?;
            fly_once(s, node, &step.commit)
        }
        _ => None,
    }
}

/// A client raises its counter, closes the old connection, and sends Resume.
fn try_node(bounds: &Bounds, s: &mut State, client: usize, node: usize) -> Option<()> {
    let record = u8::try_from(client).ok()?;
    if s.is_full(bounds, record) || !s.nodes[node].up {
        return None;
    }
    s.clients[client].attempt += 1;
    let attempt = s.clients[client].attempt;
    s.net.push(Message::Resume { record, attempt, to: s.member(node) });
    Some(())
}

fn mark(bounds: &Bounds, s: &mut State, node: usize, other: usize) -> Option<()> {
    // A term without a beat has passed only if the other's lease is over, margin included.
    if s.nodes[other].lease {
        return None;
    }
    let member = s.member(other);
    let Some(V::Beat(number)) = s.get(R::Beat(member)) else { return None };
    let seen = Beat::new(number.into(), 0);
    let step = bounds.law.mark_dead(&entry_of(bounds, s, member), seen).ok()?;
    fly_once(s, node, &step.commit)
}

fn join(bounds: &Bounds, s: &mut State, node: usize) -> Option<()> {
    let old = s.member(node);
    let Some(V::Incarnation(last)) = s.get(R::Node(old.node)) else { return None };
    let before = entry_of(bounds, s, M { node: old.node, inc: last });
    let me = M { node: old.node, inc: old.inc + 1 };
    let first = Beat::new(0, 0);
    let info = info(bounds.nodes[node]);
    let step = bounds.law.join(crate::small::member(me), &info, Some(&before), first).ok()?;
    s.left.joins -= 1;
    s.nodes[node].inc = me.inc;
    s.nodes[node].up = true;
    s.nodes[node].lease = false;
    s.nodes[node].busy = true;
    s.nodes[node].standing = NodeState::Alive;
    s.nodes[node].beat = 0;
    fly(s, me, Of::Beat, None, &step.commit)
}

/// A process is gone with all it had; what it sent may still land.
pub(crate) fn stop(s: &mut State, node: usize) {
    let me = s.member(node);
    let stopped = &mut s.nodes[node];
    stopped.up = false;
    stopped.frozen = false;
    stopped.lease = false;
    stopped.busy = false;
    stopped.held.fill(None);
    stopped.places.fill(None);
    for flight in s.flights.iter_mut().filter(|flight| flight.by == me) {
        flight.of = Of::Nobody;
        flight.after = None;
    }
    s.net.retain(|message| node::receiver(message) != me);
}

pub(crate) fn fly(
    s: &mut State,
    by: M,
    of: Of,
    after: Option<crate::small::H>,
    commit: &throughline_cluster::Commit,
) -> Option<()> {
    s.flights.push(Flight { by, of, after, commit: small_commit(commit) });
    Some(())
}

/// A commit that nobody waits for; one at a time of a kind is enough.
pub(crate) fn fly_once(
    s: &mut State,
    node: usize,
    commit: &throughline_cluster::Commit,
) -> Option<()> {
    let commit = small_commit(commit);
    if s.flights.iter().any(|flight| flight.commit == commit) {
        return None;
    }
    let by = s.member(node);
    s.flights.push(Flight { by, of: Of::Nobody, after: None, commit });
    Some(())
}

pub(crate) fn owned(s: &State, m: M) -> usize {
    s.store.iter().filter(|(row, _)| matches!(row, R::Owned(owner, _) if *owner == m)).count()
}

/// An entry as it stands in the store.
pub(crate) fn entry_of(bounds: &Bounds, s: &State, m: M) -> throughline_cluster::Entry {
    entry(m, s.standing(m), bounds.nodes[usize::from(m.node)])
}

/// A node's own entry, as it last wrote it.
pub(crate) fn own_entry(bounds: &Bounds, s: &State, node: usize) -> throughline_cluster::Entry {
    entry(s.member(node), Some(s.nodes[node].standing), bounds.nodes[node])
}

/// The real header of a record, as it stands in the store.
pub(crate) fn header_of(s: &State, record: usize) -> Option<throughline_cluster::Header> {
    let record = u8::try_from(record).ok()?;
    s.header(record).map(|h| header(record, h))
}
