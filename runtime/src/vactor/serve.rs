//! What other nodes, and the rest of this one, ask of the VActors here.

use std::sync::Arc;

use bytes::Buf as _;
use throughline_cluster::{Entry, Header, NodeInfo, RecordId, State};
use throughline_link::Instant;

use super::{
    AskError, Deactivation, Payload, Rejection, activate,
    activate::First,
    actor::{Failure, Replier, ToVActor, Work},
    gathered::Row,
    place,
    table::NotPushed,
    wire::Invoked,
};
use crate::{
    cluster::{View, rows, tell_move, tell_start},
    node::Shared,
    peers::Answerer,
};

/// Another node's ask or tell.
pub(crate) fn handle_call(
    node: &Arc<Shared>,
    now: Instant,
    mut bytes: bytes::Bytes,
    answer: Answerer,
) {
    // Dropped unanswered: not handled.
    let Some(call) = Invoked::decode(&bytes) else { return };
    let mut gathered = node.vactors.gathered();
    if !call.is_tell
        && let Some(row) = gathered.row(call.id, call.message)
    {
        let Invoked { left, chain, payload_at, .. } = call;
        bytes.advance(payload_at);
        let (payload, replier) = (Payload::Bytes(bytes), Replier::There(answer));
        let work = Work { message: row.message, payload, replier, until: now + left, chain };
        return gather(node, row, work);
    }
    let is_again = gathered.break_off(call.id) && !call.is_tell;
    drop(gathered);
    let Some(id) = RecordId::from_bytes(call.id) else { return };
    let (replier, tells) = match call.is_tell {
        true => (Replier::Nobody, Some(answer)),
        false => (Replier::There(answer), None),
    };
    let name = std::str::from_utf8(call.message).unwrap_or_default();
    let kind = id.vactor_name().map(|(kind, _)| kind).unwrap_or_default();
    let Some((kind, message)) = node.vactors.message(kind, name) else {
        let known = node.vactors.kind_named(kind).is_some();
        let no = if known { Rejection::NoSuchMessage } else { Rejection::NoSuchKind };
        return refuse(replier, tells, no.into());
    };
    let until = now + call.left;
    let Invoked { chain, payload_at, .. } = call;
    let name = if is_again { call.message.to_vec() } else { Vec::new() };
    bytes.advance(payload_at);
    let work = Work { message, payload: Payload::Bytes(bytes), replier, until, chain };
    match is_again.then(|| node.vactors.find_used(&id)).flatten() {
        Some(found) => {
            let mut gathered = node.vactors.gathered();
            gather(node, gathered.begin(Row::new(id, name, message, found)), work);
        }
        None => push(node, id, kind, work, tells),
    }
}

fn gather(node: &Shared, row: &mut Row, work: Work) {
    if let Err((work, retry_after)) = row.push(node.config.vactor.mailbox, work) {
        refuse(work.replier, None, AskError::Overloaded { retry_after });
    }
}

/// The calls that came together were handed over.
pub(crate) fn push_gathered(node: &Shared) {
    node.vactors.gathered().end();
}

/// Gives work to a VActor that is here, or begins here. `tells`: who told, and is answered.
fn push(node: &Arc<Shared>, id: RecordId, kind: usize, work: Work, tells: Option<Answerer>) {
    let taken = |tells: Option<Answerer>| {
        if let Some(answer) = tells {
            Replier::There(answer).reply(Ok(Payload::Bytes(bytes::Bytes::new())));
        }
    };
    match node.vactors.push(&id, node.config.vactor.mailbox, work) {
        Ok(()) => taken(tells),
        Err(NotPushed::Full(work, retry_after)) => {
            refuse(work.replier, tells, AskError::Overloaded { retry_after });
        }
        Err(NotPushed::Absent(work)) => match node.directory.reserve_record(&id) {
            Some(reserved) => {
                activate::begin(node, kind, reserved, First::new(work, tells));
            }
            // It is on its way here: who asks comes again.
            None => {
                work.replier.reply(Err(Failure::NotHere(work.payload)));
                if let Some(answer) = tells {
                    Replier::There(answer).reply(Err(Failure::NotHere(super::route::nothing())));
                }
            }
        },
    }
}

fn refuse(replier: Replier, tells: Option<Answerer>, error: AskError) {
    let replier = tells.map_or(replier, Replier::There);
    replier.reply(Err(Failure::Ask(error)));
}

/// The node drains: this VActor goes to another node, or into the store. Whether it is in memory.
pub(crate) fn release(node: &Arc<Shared>, id: &RecordId) -> bool {
    let Some(actor) = node.vactors.find(id) else { return false };
    let to = id.vactor_name().and_then(|(kind, _)| another(node, id, kind));
    actor.send(ToVActor::Leave(Deactivation::Drain, to.map(Box::new))).is_ok()
}

/// A live node that serves the kind, and is not this one.
fn another(node: &Shared, id: &RecordId, kind: &str) -> Option<Entry> {
    let view = node.cluster.view();
    let me = view.me.member;
    let written = written(node, &view, kind)?;
    let serves = |entry: &&Entry| entry.member != me && entry.reads(kind, written);
    let others: Vec<_> = view.alive().filter(serves).collect();
    let home = place::home(id, others.iter().map(|entry| entry.member))?;
    others.into_iter().find(|entry| entry.member == home).cloned()
}

/// The version in which this node writes states of the kind now; `None`: it does not serve it.
fn written(node: &Shared, view: &View, kind: &str) -> Option<u32> {
    let own = node.vactors.kind(node.vactors.kind_named(kind)?).settings();
    Some(view.common_version(kind, own.state_version, own.oldest_version))
}

/// The live node of this number, if it serves the VActor's kind, and reads what is written of it
/// here.
fn serving<'a>(node: &Shared, view: &'a View, id: &RecordId, number: u32) -> Option<&'a Entry> {
    let (kind, _) = id.vactor_name()?;
    let written = written(node, view, kind);
    // What this node has read may be older than itself.
    let others = view.alive().filter(|entry| entry.member != view.me.member);
    std::iter::once(&view.me).chain(others).find(|entry| {
        let info = entry.standing.as_ref().map(|standing| &standing.info);
        let reads = |info: &NodeInfo| match written {
            Some(version) => info.reads(kind, version),
            None => info.readable(kind).is_some(),
        };
        entry.is_alive() && entry.member.node.0 == number && info.is_some_and(|info| reads(info))
    })
}

/// Whether a live node of this number serves the VActor's kind, as far as this node can tell.
pub(crate) fn is_served_at(node: &Shared, id: &RecordId, number: u32) -> bool {
    serving(node, &node.cluster.view(), id, number).is_some()
}

/// Sends a VActor of this node to that one, if that one serves its kind. Whether it is here.
pub(crate) fn send_to_node(node: &Arc<Shared>, id: &RecordId, to: u32) -> bool {
    let Some(actor) = node.vactors.find(id) else { return false };
    if let Some(to) = serving(node, &node.cluster.view(), id, to)
        && to.member != node.cluster.member()
    {
        let leave = ToVActor::Leave(Deactivation::Moves, Some(Box::new(to.clone())));
        // One that has just ended is in no memory any more.
        let _ = actor.send(leave);
    }
    true
}

/// Moves a VActor, wherever it is; one that is in no memory stays where it is.
pub(crate) async fn move_to(node: &Arc<Shared>, id: &RecordId, to: u32) {
    if send_to_node(node, id, to) {
        return;
    }
    if let Ok(Some(header)) = rows::header(&node.cluster.store, id).await
        && let Some(owner) = header.owner.filter(|owner| *owner != node.cluster.member())
    {
        tell_move(node, owner, id, to);
    }
}

/// This VActor is this node's, or nobody's, and is wanted in memory here: it was moved here, or
/// lost with another node.
pub(crate) fn start(node: &Arc<Shared>, id: &RecordId) {
    let kind = id.vactor_name().and_then(|(kind, _)| node.vactors.kind_named(kind));
    if let (Some(kind), Some(reserved)) = (kind, node.directory.reserve_record(id)) {
        activate::begin(node, kind, reserved, First::default());
    }
}

/// A VActor that is in no node's memory is started where it belongs: a reminder is due, or
/// something was sent to it.
pub(crate) async fn wake(node: &Arc<Shared>, id: &RecordId) {
    let Ok(header) = rows::header(&node.cluster.store, id).await else { return };
    let header = header.filter(|header| !header.state.is_ended());
    if let Some(header) = header.as_ref().filter(|header| header.state != State::Parked) {
        return start_at_owner(node, header);
    }
    let version = header.map(|header| header.state_version);
    let Some((kind, _)) = id.vactor_name() else { return };
    match place::choose(node, id, kind, version) {
        Some(member) if member == node.cluster.member() => start(node, id),
        Some(member) => tell_start(node, member, id),
        None => {}
    }
}

/// It was handed over, and who has it now may not have heard of that: what it was told is lost with
/// a connection. One that has it in memory takes no notice.
fn start_at_owner(node: &Arc<Shared>, header: &Header) {
    let Some(owner) = header.owner.filter(|_| header.state == State::Handed) else { return };
    if owner == node.cluster.member() {
        start(node, &header.id);
    } else {
        tell_start(node, owner, &header.id);
    }
}
