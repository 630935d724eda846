//! What must hold in every state.

use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::Property;
use throughline_cluster::{NodeState, State as Life};

use crate::{
    Bounds,
    fair::settles,
    small::{R, V},
    state::{Op, State},
};

/// Whether a node may emit effects for a record, as far as it knows.
pub(crate) fn acts(s: &State, node: usize, record: usize) -> bool {
    let n = &s.nodes[node];
    let held = n.held[record];
    n.up && n.lease
        && held.is_some_and(|held| {
            held.started && matches!(held.op, Op::Idle | Op::Turn | Op::Counter | Op::Key)
        })
}

fn small(record: usize) -> u8 {
    u8::try_from(record).unwrap_or(u8::MAX)
}

/// Over all nodes and records of sessions that act without a commit per turn.
fn all_acting(b: &Bounds, s: &State, holds: impl Fn(usize, usize) -> bool) -> bool {
    (0..s.nodes.len()).all(|node| {
        (0..s.clients.len())
            .all(|record| b.clients[record] || !acts(s, node, record) || holds(node, record))
    })
}

fn one_owner_acts(b: &Bounds, s: &State) -> bool {
    (0..s.clients.len()).all(|record| {
        b.clients[record] || (0..s.nodes.len()).filter(|&n| acts(s, n, record)).count() <= 1
    })
}

fn one_owner_commits(_: &Bounds, s: &State) -> bool {
    (0..s.clients.len()).all(|record| {
        let Some(now) = s.header(small(record)) else { return true };
        let can = |node: &&crate::Node| {
            node.held[record].is_some_and(|held| held.header == now && held.started)
        };
        s.nodes.iter().filter(can).count() <= 1
    })
}

fn who_acts_owns(b: &Bounds, s: &State) -> bool {
    all_acting(b, s, |node, record| {
        s.header(small(record)).is_some_and(|h| h.owner == Some(s.member(node)))
    })
}

fn never_lost_and_running(b: &Bounds, s: &State) -> bool {
    all_acting(b, s, |_, record| s.header(small(record)).is_some_and(|h| !h.state.is_ended()))
}

fn acked_is_kept(_: &Bounds, s: &State) -> bool {
    let kept = |record: usize| {
        let acked = s.clients[record].acked;
        let id = small(record);
        s.header(id).is_none_or(|h| {
            !h.state.has_snapshot() || s.snapshot(id).is_some_and(|handled| handled >= acked)
        })
    };
    !s.broken.stale && (0..s.clients.len()).all(kept)
}

fn left_owns_nothing(_: &Bounds, s: &State) -> bool {
    s.store.iter().all(|(row, _)| match row {
        R::Owned(owner, _) => s.standing(*owner).is_some_and(|state| state != NodeState::Left),
        _ => true,
    })
}

fn index_is_true(_: &Bounds, s: &State) -> bool {
    let rows_are_owned = s.store.iter().all(|(row, _)| match row {
        R::Owned(owner, record) => s.header(*record).is_some_and(|h| h.owner == Some(*owner)),
        _ => true,
    });
    let owned_have_rows = (0..s.clients.len()).map(small).all(|record| {
        let owner = s.header(record).and_then(|h| h.owner);
        owner.is_none_or(|owner| s.get(R::Owned(owner, record)).is_some())
    });
    rows_are_owned && owned_have_rows
}

fn owner_reads_it(b: &Bounds, s: &State) -> bool {
    (0..s.clients.len()).map(small).all(|record| {
        s.header(record)
            .is_none_or(|h| h.owner.is_none_or(|owner| h.reads <= b.nodes[usize::from(owner.node)]))
    })
}

fn snapshot_fits(_: &Bounds, s: &State) -> bool {
    (0..s.clients.len()).map(small).all(|record| {
        let snapshot = s.get(R::Snapshot(record));
        match s.header(record) {
            Some(h) if h.state.has_snapshot() => {
                matches!(snapshot, Some(V::Snapshot(life, version, _))
                    if life == h.life && version == h.snapshot)
            }
            Some(h) => h.state.is_ended() || snapshot.is_none(),
            None => snapshot.is_none(),
        }
    })
}

fn key_is_held_once(_: &Bounds, s: &State) -> bool {
    let row = match s.get(R::Key) {
        Some(V::Holder(record, life)) => Some((record, life)),
        _ => None,
    };
    (0..s.clients.len()).map(small).all(|record| {
        let Some(h) = s.header(record) else { return row.is_none_or(|(r, _)| r != record) };
        let has = h.key && !matches!(h.state, Life::Ended(_));
        has == (row == Some((record, h.life)))
    })
}

fn one_incarnation_lives(_: &Bounds, s: &State) -> bool {
    (0..s.nodes.len()).map(small).all(|node| {
        let alive = |(row, value): &&(R, V)| {
            matches!(row, R::Standing(m) if m.node == node)
                && matches!(value, V::Standing(NodeState::Alive | NodeState::Draining))
        };
        s.store.iter().filter(alive).count() <= 1
    })
}

fn requests_reach_somebody(_: &Bounds, s: &State) -> bool {
    s.store.iter().all(|(row, _)| match row {
        R::Request(owner, _) => s.standing(*owner).is_some(),
        _ => true,
    })
}

fn history_goes_forward(_: &Bounds, s: &State) -> bool {
    let broken = s.broken;
    !(broken.attempt || broken.version || broken.standing || broken.removed)
}

fn settles_when_faults_stop(b: &Bounds, s: &State) -> bool {
    let mut hasher = DefaultHasher::new();
    s.hash(&mut hasher);
    let chosen = b.settle_one_in > 0 && hasher.finish().is_multiple_of(b.settle_one_in);
    !chosen || settles(b, s).is_ok()
}

/// Every property.
pub(crate) fn all() -> Vec<Property<Bounds>> {
    vec![
        Property::always("at most one node acts for a session", one_owner_acts),
        Property::always("at most one node can commit", one_owner_commits),
        Property::always("who acts is the owner", who_acts_owns),
        Property::always("no session is both lost and running", never_lost_and_running),
        Property::always("no acknowledged message is lost", acked_is_kept),
        Property::always("a node that left owns nothing", left_owns_nothing),
        Property::always("the owner index is true", index_is_true),
        Property::always("an owner reads what it owns", owner_reads_it),
        Property::always("a snapshot stands beside its header", snapshot_fits),
        Property::always("a key is held by one session", key_is_held_once),
        Property::always("one incarnation of a node lives", one_incarnation_lives),
        Property::always("a request is left for somebody", requests_reach_somebody),
        Property::always("everything settles once faults stop", settles_when_faults_stop),
        Property::always("attempts, versions and standings go forward", history_goes_forward),
    ]
}
