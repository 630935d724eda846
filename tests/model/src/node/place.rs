//! How a resume finds its session: by what the store says.

use throughline_cluster::{Creation, NotNow, Request, State as Life, Step, Taken};

use super::{held::ending, join_here, load, tell_over};
use crate::{
    Bounds,
    actions::{entry_of, fly, fly_once, header_of, own_entry},
    small::{H, id, identity, member, small},
    state::{LOST, Message, Of, Stage, State},
};

/// What is wanted of a dead owner's record.
fn taken(attempt: Option<u8>) -> Taken {
    Taken { attempt: attempt.map(u64::from), expires: 1, lost: ending(LOST), life: 9 }
}

/// Sends the commit that makes this node the owner.
fn own(s: &mut State, node: usize, record: usize, attempt: u8, step: &Step) -> Option<()> {
    let small_record = u8::try_from(record).ok()?;
    let handled = s.snapshot(small_record).unwrap_or(0);
    let after = step.after.as_ref().map(small);
    let by = s.member(node);
    s.nodes[node].places[record].as_mut()?.stage = Stage::Committing;
    fly(s, by, Of::Place(small_record, attempt, handled), after, &step.commit)
}

/// The resume goes on from what the store has now.
pub(crate) fn read(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let attempt = s.nodes[node].places[record]?.attempt;
    let me = own_entry(bounds, s, node);
    if s.nodes[node].held[record].is_some() {
        s.nodes[node].places[record] = None;
        join_here(s, node, record, attempt);
        return Some(());
    }
    let Some(real) = header_of(s, record) else {
        if s.clients[record].welcomed > 0 {
            // Unknown: it expired.
            tell_over(s, record, attempt);
            s.nodes[node].places[record] = None;
            return Some(());
        }
        let state_version = bounds.nodes[node].into();
        let small_record = u8::try_from(record).ok()?;
        let new = Creation {
            id: id(small_record),
            identity: identity(),
            life: 1,
            state_version,
            attempt: attempt.into(),
        };
        let step = bounds.law.create(&new, &me);
        return own_or_stop(s, node, record, attempt, step);
    };
    let h = small(&real);
    if h.state.is_ended() {
        tell_over(s, record, attempt);
        s.nodes[node].places[record] = None;
        return Some(());
    }
    if h.owner == Some(s.member(node)) {
        s.nodes[node].places[record] = None;
        return load(bounds, s, node, record, attempt.max(h.attempt));
    }
    from_other(bounds, s, node, record, attempt, h)
}

/// Another node owns it, or nobody.
fn from_other(
    bounds: &Bounds,
    s: &mut State,
    node: usize,
    record: usize,
    attempt: u8,
    h: H,
) -> Option<()> {
    let real = header_of(s, record)?;
    let me = own_entry(bounds, s, node);
    let Some(owner) = h.owner else {
        let step = bounds.law.claim(&real, &me, Some(attempt.into()));
        return own_or_stop(s, node, record, attempt, step);
    };
    let entry = entry_of(bounds, s, owner);
    match bounds.law.take(&real, &entry, &me, &taken(Some(attempt))) {
        Err(NotNow::OwnerAlive(_)) => {
            let from = s.member(node);
            let record_id = u8::try_from(record).ok()?;
            if s.is_full(bounds, record_id) {
                return None;
            }
            s.net.push(Message::Ask { record: record_id, attempt, from, to: owner });
            s.nodes[node].places[record].as_mut()?.stage = Stage::Asked(owner);
            Some(())
        }
        step => own_or_stop(s, node, record, attempt, step),
    }
}

/// A step that the law forbids is a refusal to the client, which may try again.
fn own_or_stop(
    s: &mut State,
    node: usize,
    record: usize,
    attempt: u8,
    step: Result<Step, NotNow>,
) -> Option<()> {
    if let Ok(step) = step {
        return own(s, node, record, attempt, &step);
    }
    s.nodes[node].places[record] = None;
    Some(())
}

/// The owner does not answer: what commits every turn is seized; for the rest it is asked again,
/// by message or through the store.
pub(crate) fn timeout(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let place = s.nodes[node].places[record]?;
    let Stage::Asked(owner) = place.stage else { return None };
    let me = own_entry(bounds, s, node);
    if let Some(real) = header_of(s, record) {
        let h = small(&real);
        if h.owner == Some(owner) && s.nodes[node].held[record].is_none() {
            if let Ok(step) = bounds.law.seize(&real, &me, place.attempt.into()) {
                return own(s, node, record, place.attempt, &step);
            }
            if bounds.requests {
                let from = s.member(node);
                let request =
                    Request { epoch: 1, attempt: place.attempt.into(), from: member(from) };
                let entry = entry_of(bounds, s, owner);
                if let Ok(step) = bounds.law.request(&real, &entry, request) {
                    let _ = fly_once(s, node, &step.commit);
                }
            }
        }
    }
    s.nodes[node].places[record].as_mut()?.stage = Stage::Read;
    Some(())
}

/// A node sweeps a record of a dead owner that nobody asks for.
pub(crate) fn sweep(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let real = header_of(s, record)?;
    let owner = small(&real).owner.filter(|owner| *owner != s.member(node))?;
    let me = own_entry(bounds, s, node);
    let step = bounds.law.take(&real, &entry_of(bounds, s, owner), &me, &taken(None)).ok()?;
    fly_once(s, node, &step.commit)
}

/// A node deletes what is over and aged, or parked and expired.
pub(crate) fn remove(bounds: &Bounds, s: &mut State, node: usize, record: usize) -> Option<()> {
    let real = header_of(s, record)?;
    if !matches!(real.state, Life::Parked | Life::Ended(_)) {
        return None;
    }
    let now = u64::from(s.due[record]);
    let step = bounds.law.remove(&real, now).ok()?;
    fly_once(s, node, &step.commit)
}
