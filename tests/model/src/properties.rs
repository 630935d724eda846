//! What must hold in every state.

use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::Property;
use throughline_cluster::{NodeState, State as Life};

use crate::{
    Bounds,
    env::Env,
    fair::settles,
    memory::Op,
    part::{Part, Session, name},
    small::{R, V},
    state::State,
};

/// What must hold of a part, as it sees the nodes: of several parts it holds if it does of each.
type OfPart = fn(&Bounds, &Env, &Part) -> bool;

/// Whether a node may emit effects for a session, as far as it knows.
pub(crate) fn acts(env: &Env, session: &Session, node: usize) -> bool {
    let n = &env.nodes[node];
    n.up && n.lease
        && session.held[node].is_some_and(|held| {
            held.started && matches!(held.op, Op::Idle | Op::Turn | Op::Counter | Op::Key)
        })
}

/// Over all nodes and records of sessions that act without a commit per turn.
fn all_acting(env: &Env, part: &Part, holds: impl Fn(usize, usize) -> bool) -> bool {
    part.sessions.iter().enumerate().filter(|(_, session)| !session.every_turn).all(
        |(record, session)| {
            let acting = (0..env.nodes.len()).filter(|&node| acts(env, session, node));
            acting.into_iter().all(|node| holds(node, record))
        },
    )
}

fn one_owner_acts(_: &Bounds, env: &Env, part: &Part) -> bool {
    part.sessions
        .iter()
        .filter(|session| !session.every_turn)
        .all(|session| (0..env.nodes.len()).filter(|&node| acts(env, session, node)).count() <= 1)
}

fn one_owner_commits(_: &Bounds, _: &Env, part: &Part) -> bool {
    part.sessions.iter().enumerate().all(|(record, session)| {
        let Some(now) = part.header(record) else { return true };
        session.held.iter().flatten().filter(|held| held.header == now && held.started).count() <= 1
    })
}

fn who_acts_owns(_: &Bounds, env: &Env, part: &Part) -> bool {
    all_acting(env, part, |node, record| {
        part.header(record).is_some_and(|h| h.owner == Some(env.member(node)))
    })
}

fn never_lost_and_running(_: &Bounds, env: &Env, part: &Part) -> bool {
    all_acting(env, part, |_, record| part.header(record).is_some_and(|h| !h.state.is_ended()))
}

fn acked_is_kept(_: &Bounds, _: &Env, part: &Part) -> bool {
    let kept = |(record, session): (usize, &Session)| {
        let acked = session.client.acked;
        part.header(record).is_none_or(|h| {
            !h.state.has_snapshot() || part.snapshot(record).is_some_and(|handled| handled >= acked)
        })
    };
    !part.broken.stale && part.sessions.iter().enumerate().all(kept)
}

fn left_owns_nothing(_: &Bounds, env: &Env, part: &Part) -> bool {
    part.rows.0.iter().all(|(row, _)| match row {
        R::Owned(owner, _) => env.standing(*owner).is_some_and(|state| state != NodeState::Left),
        _ => true,
    })
}

fn index_is_true(_: &Bounds, _: &Env, part: &Part) -> bool {
    let rows_are_owned = part.rows.0.iter().all(|(row, _)| match row {
        R::Owned(owner, record) => {
            part.header(usize::from(*record)).is_some_and(|h| h.owner == Some(*owner))
        }
        _ => true,
    });
    let owned_have_rows = (0..part.sessions.len()).all(|record| {
        let owner = part.header(record).and_then(|h| h.owner);
        owner.is_none_or(|owner| part.rows.get(R::Owned(owner, name(record))).is_some())
    });
    rows_are_owned && owned_have_rows
}

fn owner_reads_it(b: &Bounds, _: &Env, part: &Part) -> bool {
    (0..part.sessions.len()).all(|record| {
        part.header(record)
            .is_none_or(|h| h.owner.is_none_or(|owner| h.reads <= b.nodes[usize::from(owner.node)]))
    })
}

fn snapshot_fits(_: &Bounds, _: &Env, part: &Part) -> bool {
    (0..part.sessions.len()).all(|record| {
        let snapshot = part.rows.get(R::Snapshot(name(record)));
        match part.header(record) {
            Some(h) if h.state.has_snapshot() => {
                matches!(snapshot, Some(V::Snapshot(life, version, _))
                    if life == h.life && version == h.snapshot)
            }
            Some(h) => h.state.is_ended() || snapshot.is_none(),
            None => snapshot.is_none(),
        }
    })
}

fn key_is_held_once(_: &Bounds, _: &Env, part: &Part) -> bool {
    let row = match part.rows.get(R::Key) {
        Some(V::Holder(record, life)) => Some((record, life)),
        _ => None,
    };
    (0..part.sessions.len()).all(|record| {
        let id = name(record);
        let Some(h) = part.header(record) else { return row.is_none_or(|(r, _)| r != id) };
        let has = h.key && !matches!(h.state, Life::Ended(_));
        has == (row == Some((id, h.life)))
    })
}

fn requests_reach_somebody(_: &Bounds, env: &Env, part: &Part) -> bool {
    part.rows.0.iter().all(|(row, _)| match row {
        R::Request(owner, _) => env.standing(*owner).is_some(),
        _ => true,
    })
}

fn history_goes_forward(_: &Bounds, env: &Env, part: &Part) -> bool {
    let broken = part.broken;
    !(broken.attempt || broken.version || broken.removed || env.went_back)
}

fn one_incarnation_lives(_: &Bounds, env: &Env, _: &Part) -> bool {
    (0..env.nodes.len()).map(name).all(|node| {
        let alive = |(row, value): &&(R, V)| {
            matches!(row, R::Standing(m) if m.node == node)
                && matches!(value, V::Standing(NodeState::Alive | NodeState::Draining))
        };
        env.rows.0.iter().filter(alive).count() <= 1
    })
}

fn settles_when_faults_stop(b: &Bounds, s: &State) -> bool {
    let chosen = || {
        let mut hasher = DefaultHasher::new();
        s.hash(&mut hasher);
        hasher.finish().is_multiple_of(b.settle_one_in)
    };
    b.settle_one_in == 0 || !chosen() || settles(b, s).is_ok()
}

/// Every property of a part.
const OF_PART: [(&str, OfPart); 13] = [
    ("at most one node acts for a session", one_owner_acts),
    ("at most one node can commit", one_owner_commits),
    ("who acts is the owner", who_acts_owns),
    ("no session is both lost and running", never_lost_and_running),
    ("no acknowledged message is lost", acked_is_kept),
    ("a node that left owns nothing", left_owns_nothing),
    ("the owner index is true", index_is_true),
    ("an owner reads what it owns", owner_reads_it),
    ("a snapshot stands beside its header", snapshot_fits),
    ("a key is held by one session", key_is_held_once),
    ("one incarnation of a node lives", one_incarnation_lives),
    ("a request is left for somebody", requests_reach_somebody),
    ("attempts, versions and standings go forward", history_goes_forward),
];

/// The property of each part at this place.
fn of_each<const AT: usize>() -> Property<Bounds> {
    Property::always(OF_PART[AT].0, |b: &Bounds, s: &State| {
        s.parts.iter().all(|part| OF_PART[AT].1(b, &s.env, part))
    })
}

/// Every property.
pub(crate) fn all() -> Vec<Property<Bounds>> {
    let of_parts: [_; OF_PART.len()] = [
        of_each::<0>(),
        of_each::<1>(),
        of_each::<2>(),
        of_each::<3>(),
        of_each::<4>(),
        of_each::<5>(),
        of_each::<6>(),
        of_each::<7>(),
        of_each::<8>(),
        of_each::<9>(),
        of_each::<10>(),
        of_each::<11>(),
        of_each::<12>(),
    ];
    let settles = Property::always("everything settles once faults stop", settles_when_faults_stop);
    of_parts.into_iter().chain([settles]).collect()
}
