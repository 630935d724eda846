//! What other nodes ask of this one, over a connection or through the store.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use throughline_cluster::{
    Ask, Entry, Law, Member, RecordId, Refusal, Reply, Request, defaults::ASK_TIMEOUT,
};
use throughline_link::Instant;
use throughline_store::Store;

use super::{
    Order, group, message, message::Answer, message::Call, message::Tell, poke, rows, unheld,
    versions,
};
use crate::{
    actor::ToSession,
    node::Shared,
    peers::{Answerer, Serve},
    session::{ServerMessage, Undelivered},
    vactor,
};

/// Another node wants a session that this one has in memory.
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    /// The entry of who asks.
    pub(crate) to: Entry,
    /// `None` if it asked through the store, and reads its answer there.
    pub(crate) answer: Option<Answerer>,
}

impl Asked {
    pub(crate) fn say(answer: Option<Answerer>, reply: Reply) {
        if let Some(answerer) = answer {
            answerer.answer(message::encode(&message::answer(reply)));
        }
    }

    /// Who asks comes again later.
    pub(crate) fn say_not_yet(answer: Option<Answerer>) {
        Self::say(answer, Reply::Refused(Refusal::NOT_YET));
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("ask", &self.ask).finish_non_exhaustive()
    }
}

/// Answers the other nodes.
pub(crate) struct Server(pub(crate) Arc<Shared>);

impl Serve for Server {
    fn handle_call(&self, now: Instant, from: Member, payload: Bytes, answer: Answerer) {
        let node = &self.0;
        if vactor::is_invocation(&payload) {
            return vactor::handle_call(node, now, payload, answer);
        }
        let Some(call) = message::decode::<Call>(&payload) else {
            return answer.answer(message::encode(&message::not_yet()));
        };
        match call {
            Call::Ask { id, epoch, request, attempt } => {
                let Some(id) = RecordId::from_bytes(&id) else { return };
                let to = node.cluster.member();
                let ask = Ask { id, epoch, request, from, to, attempt };
                let node = Arc::clone(node);
                node.cluster.handle().clone().spawn(async move {
                    // Dropped unanswered, if nobody could take it.
                    asked(&node, ask, Some(answer)).await;
                });
            }
            Call::Deliver { from, to, payload } => {
                let delivered = node.deliver(to, ServerMessage::new(from, payload));
                answer.answer(message::encode(&match delivered {
                    Ok(()) => Answer::Done,
                    Err(Undelivered::MailboxFull) => Answer::Full,
                    Err(_) => Answer::ReadAgain,
                }));
            }
            Call::Undelivered { sender, to, why } => {
                let is_here = node.directory.find(sender).is_some();
                node.report_undelivered(sender, to.into(), why.into());
                let said = if is_here { Answer::Done } else { Answer::ReadAgain };
                answer.answer(message::encode(&said));
            }
            Call::Poke { queues } => {
                let said =
                    if poke::poked(node, &queues) { Answer::Done } else { Answer::ReadAgain };
                answer.answer(message::encode(&said));
            }
            // By who counts, and not by what it said last.
            Call::SinceBeat => node.cluster.order(Order::Say(from, answer)),
            Call::EndForKey { id, key } => match node.directory.find(id) {
                Some(actor) => {
                    let told = actor.try_send(ToSession::EndForKey(key)).is_ok();
                    let said = if told { Answer::Done } else { Answer::Full };
                    answer.answer(message::encode(&said));
                }
                None => {
                    let node = Arc::clone(node);
                    node.cluster.handle().clone().spawn(async move {
                        unheld::put_away(&node, &RecordId::session(id)).await;
                        answer.answer(message::encode(&Answer::ReadAgain));
                    });
                }
            },
        }
    }

    fn handle_end_of_batch(&self) {
        vactor::push_gathered(&self.0);
    }

    fn handle_tell(&self, from: Member, payload: Bytes) {
        match message::decode(&payload) {
            Some(Tell::LookAgain) => look_again(&self.0, from),
            Some(Tell::Start { id }) => {
                if let Some(id) = RecordId::from_bytes(&id) {
                    vactor::start(&self.0, &id);
                }
            }
            Some(Tell::Move { id, node }) => {
                if let Some(id) = RecordId::from_bytes(&id) {
                    vactor::send_to_node(&self.0, &id, node);
                }
            }
            Some(Tell::Group { group, from, payload }) => {
                group::told(&self.0, &group, from, &payload);
            }
            Some(Tell::Load { vactors }) => self.0.vactors.note_load(from, vactors),
            None => log::debug!("cluster: {from} says something that this build does not know"),
        }
    }

    fn refuses(&self, from: Member) -> bool {
        self.0.cluster.view().refuses(from, self.0.clock.lease_now())
    }

    fn answers_anybody(&self, payload: &Bytes) -> bool {
        // Asked by one that may be the only one that does not hear from the store.
        matches!(message::decode(payload), Some(Call::SinceBeat))
    }
}

/// Somebody wants a record of this node. Whether that was dealt with, or is by the session.
async fn asked(node: &Arc<Shared>, ask: Ask, answer: Option<Answerer>) -> bool {
    let to = node.cluster.entry(ask.from).await;
    let Some(to) = to else {
        Asked::say(answer, Reply::ReadAgain);
        return false;
    };
    let session = ask.id.session_id();
    if let (Some(session), true) = (session, answer.is_some()) {
        // Nothing is said while a commit hangs, as by a session that is in memory: if the record
        // may be taken from an owner that does not answer, it is.
        let settles = node.directory.settles(session);
        // After that nobody waits for an answer.
        let Ok(is_free) = tokio::time::timeout(ASK_TIMEOUT, settles).await else { return false };
        if !is_free {
            Asked::say_not_yet(answer);
            return true;
        }
    }
    let found = session.and_then(|id| node.directory.find(id));
    match found {
        Some(actor) => {
            // Dropped unsaid, if its mailbox is full: who asks tries through the store, where it
            // is found with each beat.
            actor.try_send(ToSession::Asked(Box::new(Asked { ask, to, answer }))).is_ok()
        }
        None => {
            let Some(reply) = unheld::pass_on(node, ask, to).await else { return false };
            // Whoever asked through the store asks once: it is to find the session once it is here.
            let is_dealt_with =
                answer.is_some() || !matches!(reply, Reply::Refused(Refusal::NotYet(_)));
            Asked::say(answer, reply);
            is_dealt_with
        }
    }
}

/// The standing of another node has changed: what is given to it is decided by what is read now,
/// not with the next beat. The lease does not hear of it: only reads that follow a beat count
/// there.
fn look_again(node: &Arc<Shared>, from: Member) {
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        let store = &node.cluster.store;
        let Ok(entry) = rows::entry(store, from).await else { return };
        // With the node that left, what it could read would go from this one's view: what is
        // final must be known by then. It is read afterwards, as with a beat.
        if let Ok(finals) = versions::read(&**store).await {
            node.cluster.see(entry, finals);
        }
    });
}

/// Requests that are looked at with one beat, at most.
const REQUESTS_MAX: usize = 256;

/// Reads what others ask through the store, once at a time.
#[derive(Debug, Default)]
pub(super) struct Requests {
    running: Arc<AtomicBool>,
}

impl Requests {
    /// Called after each beat that was committed.
    pub(super) fn look(&self, node: &Arc<Shared>) {
        if self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        let (node, running) = (Arc::clone(node), Arc::clone(&self.running));
        node.cluster.handle().clone().spawn(async move {
            answer_requests(&node).await;
            running.store(false, Ordering::Release);
        });
    }
}

async fn answer_requests(node: &Arc<Shared>) {
    let (store, me) = (&node.cluster.store, node.cluster.member());
    let hand_over = |ask| {
        let node = Arc::clone(node);
        async move { asked(&node, ask, None).await }
    };
    answer_each(store, me, hand_over).await;
}

/// Answers what is asked of `me`, and deletes what was dealt with. `hand_over` says whether that
/// was: who asks leaves a request once and waits, so what could not be handed over is looked at
/// again with the next beat.
async fn answer_each<Handed: Future<Output = bool>>(
    store: &Arc<dyn Store>,
    me: Member,
    hand_over: impl Fn(Ask) -> Handed,
) {
    let Ok(requests) = rows::requests(store, me, REQUESTS_MAX).await else { return };
    for (id, request) in requests {
        if let Some(Request { epoch, attempt, from }) = request {
            let ask = Ask { id: id.clone(), epoch, request: 0, from, to: me, attempt };
            if !hand_over(ask).await {
                continue;
            }
        }
        rows::commit(store, &Law::default().answered(me, &id).commit).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use throughline_cluster::{NodeId, Row, Value};
    use throughline_link::SessionId;
    use throughline_store::{Batch, MemoryStore};

    use super::*;

    #[tokio::test]
    async fn a_request_whose_session_could_not_take_it_is_looked_at_again() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let member = |n| Member { node: NodeId(n), incarnation: 1 };
        let (me, from) = (member(1), member(2));
        let request = Value::Request(Request { epoch: 1, attempt: 3, from });
        let ids = [1, 2].map(|n| RecordId::session(SessionId([n; 16])));
        for id in &ids {
            let key = Row::Request(me, id.clone()).key();
            store.commit(Batch::new().put(key, request.encode())).await.unwrap();
        }
        let left = async || {
            let left = rows::requests(&store, me, REQUESTS_MAX).await.unwrap();
            left.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        // The mailbox of the first one is full.
        answer_each(&store, me, |ask| ready(ask.id != ids[0])).await;
        assert_eq!(left().await, ids[..1]);
        answer_each(&store, me, |ask| ready(ask.id == ids[0])).await;
        assert_eq!(left().await, []);
    }
}
