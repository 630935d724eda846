//! How a resume finds its session: by what the store says.

use throughline_cluster::{Creation, NotNow, Request, State as Life, Step, Taken};

use super::{held::ending, join_here, load, tell_over};
use crate::{
    memory::Stage,
    message::Message,
    part::{Of, name},
    small::{H, id, identity, member, small},
    state::LOST,
    view::View,
};

/// What is wanted of a dead owner's record.
fn taken(attempt: Option<u8>) -> Taken {
    Taken { attempt: attempt.map(u64::from), expires: 1, lost: ending(LOST), life: 9 }
}

/// Sends the commit that makes this node the owner.
fn own(s: &mut View<'_>, node: usize, record: usize, attempt: u8, step: &Step) -> Option<()> {
    let handled = s.part.snapshot(record).unwrap_or(0);
    let after = step.after.as_ref().map(small);
    let by = s.env.member(node);
    s.place_mut(node, record).as_mut()?.stage = Stage::Committing;
    s.fly(by, Of::Place(name(record), attempt, handled), after, &step.commit)
}

/// The resume goes on from what the store has now.
pub(crate) fn read(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let attempt = s.place(node, record)?.attempt;
    let me = s.own_entry(node);
    if s.held(node, record).is_some() {
        *s.place_mut(node, record) = None;
        join_here(s, node, record, attempt);
        return Some(());
    }
    let Some(real) = s.part.real_header(record) else {
        if s.part.sessions[record].client.welcomed > 0 {
            // Unknown: it expired.
            tell_over(s, record, attempt);
            *s.place_mut(node, record) = None;
            return Some(());
        }
        let state_version = s.bounds.nodes[node].into();
        let new = Creation {
            id: id(name(record)),
            identity: identity(),
            life: 1,
            state_version,
            attempt: attempt.into(),
        };
        let step = s.bounds.law.create(&new, &me);
        return own_or_stop(s, node, record, attempt, step);
    };
    let h = small(&real);
    if h.state.is_ended() {
        tell_over(s, record, attempt);
        *s.place_mut(node, record) = None;
        return Some(());
    }
    if h.owner == Some(s.env.member(node)) {
        *s.place_mut(node, record) = None;
        return load(s, node, record, attempt.max(h.attempt));
    }
    from_other(s, node, record, attempt, h)
}

/// Another node owns it, or nobody.
fn from_other(s: &mut View<'_>, node: usize, record: usize, attempt: u8, h: H) -> Option<()> {
    let real = s.part.real_header(record)?;
    let me = s.own_entry(node);
    let Some(owner) = h.owner else {
        let step = s.bounds.law.claim(&real, &me, Some(attempt.into()));
        return own_or_stop(s, node, record, attempt, step);
    };
    let entry = s.entry(owner);
    match s.bounds.law.take(&real, &entry, &me, &taken(Some(attempt))) {
        Err(NotNow::OwnerAlive(_)) => {
            let from = s.env.member(node);
            if s.is_full(record) {
                return None;
            }
            s.part.net.push(Message::Ask { record: name(record), attempt, from, to: owner });
            s.place_mut(node, record).as_mut()?.stage = Stage::Asked(owner);
            Some(())
        }
        step => own_or_stop(s, node, record, attempt, step),
    }
}

/// A step that the law forbids is a refusal to the client, which may try again.
fn own_or_stop(
    s: &mut View<'_>,
    node: usize,
    record: usize,
    attempt: u8,
    step: Result<Step, NotNow>,
) -> Option<()> {
    if let Ok(step) = step {
        return own(s, node, record, attempt, &step);
    }
    *s.place_mut(node, record) = None;
    Some(())
}

/// The owner does not answer: what commits every turn is seized; for the rest it is asked again,
/// by message or through the store.
pub(crate) fn timeout(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let place = s.place(node, record)?;
    let Stage::Asked(owner) = place.stage else { return None };
    let me = s.own_entry(node);
    if let Some(real) = s.part.real_header(record) {
        let h = small(&real);
        if h.owner == Some(owner) && s.held(node, record).is_none() {
            if let Ok(step) = s.bounds.law.seize(&real, &me, place.attempt.into()) {
                return own(s, node, record, place.attempt, &step);
            }
            if s.bounds.requests {
                let from = s.env.member(node);
                let request =
                    Request { epoch: 1, attempt: place.attempt.into(), from: member(from) };
                let entry = s.entry(owner);
                if let Ok(step) = s.bounds.law.request(&real, &entry, request) {
                    let _ = s.fly_once(node, &step.commit);
                }
            }
        }
    }
    s.place_mut(node, record).as_mut()?.stage = Stage::Read;
    Some(())
}

/// A node sweeps a record of a dead owner that nobody asks for.
pub(crate) fn sweep(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let real = s.part.real_header(record)?;
    let owner = small(&real).owner.filter(|owner| *owner != s.env.member(node))?;
    let me = s.own_entry(node);
    let step = s.bounds.law.take(&real, &s.entry(owner), &me, &taken(None)).ok()?;
    s.fly_once(node, &step.commit)
}

/// A node deletes what is over and aged, or parked and expired.
pub(crate) fn remove(s: &mut View<'_>, node: usize, record: usize) -> Option<()> {
    let real = s.part.real_header(record)?;
    if !matches!(real.state, Life::Parked | Life::Ended(_)) {
        return None;
    }
    let now = u64::from(s.part.sessions[record].due);
    let step = s.bounds.law.remove(&real, now).ok()?;
    s.fly_once(node, &step.commit)
}
