//! Records that the store says are this node's, and that are not in memory: a client that left
//! before its session had come, a session that could not be loaded, a commit that landed late.

use std::sync::Arc;
use std::time::Duration;

use throughline_cluster::{
    Ask, Class, Ending, Entry, Gone, Header, HeldAction, RecordId, Refusal as No, Reply, State,
    defaults,
};
use throughline_link::CloseCode;

use super::{Cluster, Holding, rows};
use crate::{node::Shared, vactor};

/// A record of this node, reserved, so that nobody starts it meanwhile.
async fn mine(node: &Arc<Shared>, id: &RecordId) -> Option<Header> {
    let cluster = &node.cluster;
    let header = rows::header(&cluster.store, id).await.ok().flatten()?;
    is_mine(node, &header).then_some(header)
}

fn is_mine(node: &Shared, header: &Header) -> bool {
    header.owner == Some(node.cluster.member()) && !header.state.is_ended()
}

/// Another node asks for a record that is not in memory here. `None` if the store did not answer,
/// or what was committed came to nothing: nothing is said then, so that whoever asks reads the
/// record again, and does what can be done without this node.
pub(super) async fn pass_on(node: &Arc<Shared>, ask: Ask, to: Entry) -> Option<Reply> {
    let Some(session) = ask.id.session_id() else { return Some(Reply::ReadAgain) };
    // Somebody is at it already.
    let Some(_reserved) = node.directory.reserve(session) else {
        return Some(Reply::Refused(No::NOT_YET));
    };
    let cluster = &node.cluster;
    let Some(header) = rows::header(&cluster.store, &ask.id).await.ok()? else {
        return Some(Reply::ReadAgain);
    };
    if !is_mine(node, &header) {
        return Some(Reply::ReadAgain);
    }
    if !header.state.has_snapshot() {
        end_lost(node, header).await;
        return Some(Reply::ReadAgain);
    }
    let snapshot = rows::snapshot(&cluster.store, &ask.id).await.ok()?;
    let snapshot = snapshot.filter(|snapshot| snapshot.belongs_to(&header));
    // It changed meanwhile.
    let Some(snapshot) = snapshot else { return Some(Reply::ReadAgain) };
    let body = Some((snapshot.body, header.state_version));
    let mut holding = Holding::new(&cluster.store, header);
    let elsewhere = cluster.others(None);
    holding.held.handle_ask(ask, to, &elsewhere);
    if holding.held.may_act() {
        // Answered at once: nothing is under way that would end.
        return Some(match holding.held.poll_action() {
            Some(HeldAction::Reply(_, reply)) => reply,
            _ => Reply::ReadAgain,
        });
    }
    let mut said = None;
    holding.gone(body, |reply| said = Some(reply)).await;
    // Its commit came to nothing.
    said.filter(|reply| !matches!(reply, Reply::Refused(No::NotYet(_))))
}

/// Parks a record that is not in memory, or ends one that has no snapshot. How it went, `None` if
/// it is still here.
pub(super) async fn put_away(node: &Arc<Shared>, id: &RecordId) -> Option<Gone> {
    let reserved = node.directory.reserve_record(id)?;
    if node.vactors.has(id) {
        return None;
    }
    let header = mine(node, id).await?;
    if !header.state.has_snapshot() && header.class() == Class::VActor {
        // It begins anew, from nothing.
        drop(reserved);
        vactor::start(node, id);
        return None;
    }
    if !header.state.has_snapshot() {
        return end_lost(node, header).await;
    }
    let snapshot = rows::snapshot(&node.cluster.store, id).await.ok().flatten()?;
    if !snapshot.belongs_to(&header) {
        return None;
    }
    park(node, header, snapshot.body).await
}

/// Parks a record as it stands: a session until its time is over, a VActor until its reminder.
pub(crate) async fn park(node: &Arc<Shared>, header: Header, body: bytes::Bytes) -> Option<Gone> {
    let due = match header.class() {
        Class::Session => Some(node.cluster.ms_from_now(node.config.session.timeout)),
        // Its reminders are inside, and may be in no index.
        Class::VActor => header.due.or_else(|| Some(node.cluster.ms_from_now(LOAD_AGAIN))),
    };
    park_until(node, header, body, due).await
}

/// A VActor whose reminders are not known is looked at again after so long: they are inside.
const LOAD_AGAIN: Duration = Duration::from_secs(60);

/// Parks a VActor that could not be loaded.
pub(crate) async fn park_as_it_was(node: &Arc<Shared>, header: Header, body: bytes::Bytes) {
    let due = node.cluster.ms_from_now(LOAD_AGAIN);
    park_until(node, header, body, Some(due)).await;
}

async fn park_until(
    node: &Arc<Shared>,
    header: Header,
    body: bytes::Bytes,
    due: Option<u64>,
) -> Option<Gone> {
    let body = Some((body, header.state_version));
    let mut holding = Holding::new(&node.cluster.store, header);
    holding.held.park(due).ok()?;
    holding.gone(body, |_| {}).await
}

/// Deletes a record of this node that has come to nothing.
pub(crate) async fn end_and_dismiss(node: &Arc<Shared>, header: Header) {
    let mut holding = Holding::new(&node.cluster.store, header);
    if holding.held.end(&ending(&node.cluster, CloseCode::Ended.number())).is_err() {
        return;
    }
    if matches!(holding.gone(None, |_| {}).await, Some(Gone::Ended(_))) {
        node.cluster.dismiss(holding.held.header()).await;
    }
}

/// It ran without a snapshot, and what ran is no more: it is lost. One that nobody was welcomed to,
/// since its login failed, has lost nothing, and just ends.
async fn end_lost(node: &Arc<Shared>, header: Header) -> Option<Gone> {
    debug_assert!(matches!(header.state, State::New | State::Running));
    let cluster = &node.cluster;
    let is_new = header.state == State::New;
    let mut holding = Holding::new(&cluster.store, header);
    let how = if is_new { ending(cluster, CloseCode::Ended.number()) } else { cluster.lost() };
    holding.held.end(&how).ok()?;
    let gone = holding.gone(None, |_| {}).await;
    if !is_new && matches!(gone, Some(Gone::Ended(_))) {
        cluster.counts.add_lost(1);
    }
    gone
}

/// How a session ends whose `Ending` has nothing to tell.
pub(crate) fn ending(cluster: &Cluster, reason: u16) -> Ending {
    let until = cluster.ms_from_now(defaults::ENDED_KEPT);
    Ending { reason, last: bytes::Bytes::new(), until }
}
