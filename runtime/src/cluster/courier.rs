//! Messages between sessions of different nodes: best effort, with an honest result.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{RecordId, SessionKey, State};
use throughline_link::SessionId;
use tokio::sync::mpsc;

use super::{message, message::Answer, message::Call, rows};
use crate::{
    node::Shared,
    session::{Recipient, ServerMessage, Undelivered},
};

/// A message may look for its receiver so long: a session is between two nodes for milliseconds,
/// and for a term and some if its owner died.
const DELIVER_TIME: Duration = Duration::from_secs(5);

/// Between two looks at where the receiver is; it doubles, up to the second.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// Who a message goes to.
pub(crate) type Target = Recipient;

/// A message on its way.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    pub(crate) from: SessionId,
    pub(crate) to: Target,
    pub(crate) payload: Bytes,
    /// Counts it as under way: a node that stops waits for what its sessions sent.
    pub(crate) _errand: Arc<()>,
}

/// Where a receiver is, or why it surely does not get the message.
enum Place {
    Here(SessionId),
    At(throughline_cluster::Member, SessionId),
    /// Between two nodes, or the store does not answer: look again.
    Moving,
}

impl Sending {
    /// Delivers it into the mailbox of its receiver, wherever that is.
    pub(crate) async fn deliver(self, node: &Arc<Shared>) -> Result<(), Undelivered> {
        let until = node.clock.now() + DELIVER_TIME;
        let (mut pause, longest) = LOOK_AGAIN;
        loop {
            match self.find(node).await? {
                Place::Here(to) => {
                    let message = ServerMessage::new(self.from, self.payload.clone());
                    match node.deliver(to, message) {
                        // It has just gone from here.
                        Err(Undelivered::NoSuchSession) => {}
                        result => return result,
                    }
                }
                Place::At(owner, to) => {
                    let payload = self.payload.clone();
                    let call = Call::Deliver { from: self.from, to, payload };
                    match message::call(node, owner, &call).await {
                        Ok(Answer::Done) => return Ok(()),
                        Ok(Answer::Full) => return Err(Undelivered::MailboxFull),
                        // It moved on, or was surely not asked.
                        Ok(_) | Err(true) => {}
                        Err(false) => return Err(Undelivered::Unknown),
                    }
                }
                Place::Moving => {}
            }
            if node.clock.now() + pause >= until {
                return Err(Undelivered::Unreachable);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn find(&self, node: &Arc<Shared>) -> Result<Place, Undelivered> {
        let store = &node.cluster.store;
        let id = match &self.to {
            Recipient::Session(id) => *id,
            Recipient::Key(key) => {
                let key = SessionKey::new(key).map_err(|_| Undelivered::NoSuchSession)?;
                let Ok(holder) = rows::holder(store, &key).await else { return Ok(Place::Moving) };
                let id = holder.and_then(|holder| holder.id.session_id());
                id.ok_or(Undelivered::NoSuchSession)?
            }
        };
        if node.directory.find(id).is_some() {
            return Ok(Place::Here(id));
        }
        let read = rows::header(store, &RecordId::session(id)).await;
        let Ok(header) = read else { return Ok(Place::Moving) };
        let header = header.ok_or(Undelivered::NoSuchSession)?;
        match (header.state, header.owner) {
            (State::Ended(_), _) => Err(Undelivered::NoSuchSession),
            (State::Parked, _) => Err(Undelivered::Parked),
            (_, Some(owner)) if owner != node.cluster.member() => Ok(Place::At(owner, id)),
            _ => Ok(Place::Moving),
        }
    }
}

/// Messages of one sender that are on their way to other nodes, at most; one more is refused.
const UNDER_WAY_MAX: usize = 256;

/// Delivers the messages of one sender one behind the other, so that they stay in order.
pub(crate) fn start_courier(node: &Arc<Shared>) -> mpsc::Sender<Sending> {
    let (sender, mut messages) = mpsc::channel::<Sending>(UNDER_WAY_MAX);
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        while let Some(sending) = messages.recv().await {
            let (from, to) = (sending.from, sending.to.clone());
            if let Err(why) = sending.deliver(&node).await {
                report(&node, from, to, why);
            }
        }
    });
    sender
}

/// Tells the sender of a message, wherever it is, that it was not handled after all. Best effort: a
/// sender that is parked or has ended, or cannot be reached, is not told.
pub(crate) fn report(node: &Arc<Shared>, sender: SessionId, to: Recipient, why: Undelivered) {
    // A message from outside any session has nobody to tell.
    if to == Recipient::Session(sender) || sender == SessionId([0; 16]) {
        return;
    }
    if node.directory.find(sender).is_some() {
        return node.report_undelivered(sender, to, why);
    }
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        let until = node.clock.now() + DELIVER_TIME;
        let (mut pause, longest) = LOOK_AGAIN;
        while !told(&node, sender, &to, why).await && node.clock.now() + pause < until {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    });
}

/// Whether the sender was told, or cannot be.
async fn told(node: &Arc<Shared>, sender: SessionId, to: &Recipient, why: Undelivered) -> bool {
    if node.directory.find(sender).is_some() {
        node.report_undelivered(sender, to.clone(), why);
        return true;
    }
    let read = rows::header(&node.cluster.store, &RecordId::session(sender)).await;
    let Ok(header) = read else { return false };
    match header.and_then(|header| header.owner) {
        Some(owner) if owner != node.cluster.member() => {
            let call = Call::Undelivered { sender, to: to.clone().into(), why: why.into() };
            // Told perhaps is told: it must not hear of it twice.
            !matches!(message::call(node, owner, &call).await, Ok(Answer::ReadAgain) | Err(true))
        }
        Some(_) => false,
        None => true,
    }
}
