//! What other nodes ask of this one, over a connection or through the store.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use throughline_cluster::{Ask, Entry, Law, Member, RecordId, Refusal, Reply, Request};
use throughline_link::Instant;

use super::{
    group, message, message::Answer, message::Call, message::Tell, poke, rows, unheld, versions,
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
                node.cluster.handle().spawn(asked(Arc::clone(node), ask, Some(answer)));
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
            Call::SinceBeat => {
                let since = node.cluster.since_beat(node);
                let ms = since.map_or(u64::MAX, |since| since.as_millis() as u64);
                answer.answer(message::encode(&Answer::SinceBeat { ms }));
            }
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

/// Somebody wants a record of this node.
async fn asked(node: Arc<Shared>, ask: Ask, answer: Option<Answerer>) {
    let to = node.cluster.entry(ask.from).await;
    let Some(to) = to else { return Asked::say(answer, Reply::ReadAgain) };
    let found = ask.id.session_id().and_then(|id| node.directory.find(id));
    match found {
        Some(actor) => {
            // Dropped unsaid, if its mailbox is full: who asks tries through the store.
            let _ = actor.try_send(ToSession::Asked(Box::new(Asked { ask, to, answer })));
        }
        None => {
            let reply = unheld::pass_on(&node, ask, to).await;
            Asked::say(answer, reply);
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
    let Ok(requests) = rows::requests(store, me, REQUESTS_MAX).await else { return };
    for (id, request) in requests {
        if let Some(Request { epoch, attempt, from }) = request {
            let ask = Ask { id: id.clone(), epoch, request: 0, from, to: me, attempt };
            asked(Arc::clone(node), ask, None).await;
        }
        rows::commit(store, &Law::default().answered(me, &id).commit).await;
    }
}
