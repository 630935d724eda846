//! What nodes say to each other, and how it is written.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use throughline_cluster::{Ask, Header, Member, Refusal as No, Reply, Snapshot, defaults};
use throughline_link::SessionId;

use crate::{
    codec::{self, Codec},
    node::Shared,
    session::{Recipient, Undelivered},
};

/// A call to another node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    /// A client of this session is at the caller.
    #[serde(rename = "ask")]
    Ask {
        /// The record's id.
        id: Bytes,
        epoch: u64,
        request: u64,
        attempt: u64,
    },
    /// A message of one session for another.
    #[serde(rename = "deliver")]
    Deliver { from: SessionId, to: SessionId, payload: Bytes },
    /// Another session wants the key that this one holds.
    #[serde(rename = "end-for-key")]
    EndForKey { id: SessionId, key: String },
    /// These queues have something new: whoever reads them here is to look.
    #[serde(rename = "poke")]
    Poke { queues: Vec<Bytes> },
    /// A message of this session was not handled by that one after all.
    #[serde(rename = "undelivered")]
    Undelivered { sender: SessionId, to: Addressee, why: Why },
    /// How long ago was the last beat of the node that is asked, and for how long has it counted
    /// the caller's silence? The caller cannot beat.
    #[serde(rename = "since-beat")]
    SinceBeat,
}

/// Who a message was for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Addressee {
    Session(SessionId),
    Key(String),
}

impl From<Recipient> for Addressee {
    fn from(to: Recipient) -> Self {
        match to {
            Recipient::Session(id) => Self::Session(id),
            Recipient::Key(key) => Self::Key(key),
        }
    }
}

impl From<Addressee> for Recipient {
    fn from(to: Addressee) -> Self {
        match to {
            Addressee::Session(id) => Self::Session(id),
            Addressee::Key(key) => Self::Key(key),
        }
    }
}

/// Why a message was not delivered.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Why {
    NoSuchSession,
    MailboxFull,
    Parked,
    Unreachable,
    Unknown,
}

impl From<Undelivered> for Why {
    fn from(why: Undelivered) -> Self {
        match why {
            Undelivered::NoSuchSession => Self::NoSuchSession,
            Undelivered::MailboxFull => Self::MailboxFull,
            Undelivered::Parked => Self::Parked,
            Undelivered::Unreachable => Self::Unreachable,
            Undelivered::Unknown => Self::Unknown,
        }
    }
}

impl From<Why> for Undelivered {
    fn from(why: Why) -> Self {
        match why {
            Why::NoSuchSession => Self::NoSuchSession,
            Why::MailboxFull => Self::MailboxFull,
            Why::Parked => Self::Parked,
            Why::Unreachable => Self::Unreachable,
            Why::Unknown => Self::Unknown,
        }
    }
}

/// A word to another node, which may be lost.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Tell {
    /// The teller's standing has changed: it has joined, drains or leaves.
    #[serde(rename = "look-again")]
    LookAgain,
    /// This VActor is the other node's now, or is wanted there.
    #[serde(rename = "start")]
    Start {
        /// The record's id.
        id: Bytes,
    },
    /// This VActor is to go from the other node to that one.
    #[serde(rename = "move")]
    Move {
        /// The record's id.
        id: Bytes,
        node: u32,
    },
    /// A message for the members of a group that are at the other node.
    #[serde(rename = "group")]
    Group { group: String, from: SessionId, payload: Bytes },
    /// How many VActors the teller has.
    #[serde(rename = "load")]
    Load { vactors: u32 },
}

/// Tells a node that a VActor is to begin there. If it is lost, the next ask begins it, or the look
/// at what that node owns.
pub(crate) fn tell_start(node: &Shared, to: Member, id: &throughline_cluster::RecordId) {
    let cluster = &node.cluster;
    let view = cluster.view();
    let (Some(peers), Some(address)) = (cluster.peers(), view.address(to)) else {
        return;
    };
    let id = Bytes::copy_from_slice(id.as_bytes());
    peers.tell(to, address, encode(&Tell::Start { id }));
}

/// Asks a node to send one of its VActors to another one.
pub(crate) fn tell_move(
    node: &Shared,
    to: Member,
    id: &throughline_cluster::RecordId,
    target: u32,
) {
    let cluster = &node.cluster;
    let view = cluster.view();
    let (Some(peers), Some(address)) = (cluster.peers(), view.address(to)) else {
        return;
    };
    let tell = Tell::Move { id: Bytes::copy_from_slice(id.as_bytes()), node: target };
    peers.tell(to, address, encode(&tell));
}

/// Tells the others how many VActors this node has.
pub(super) fn tell_load(node: &Shared) {
    let vactors = u32::try_from(node.vactors.len()).unwrap_or(u32::MAX);
    tell_all(node, &Tell::Load { vactors });
}

/// Tells all other nodes.
pub(super) fn tell_all(node: &Shared, tell: &Tell) {
    let (cluster, view) = (&node.cluster, node.cluster.view());
    let Some(peers) = cluster.peers() else { return };
    let payload = encode(tell);
    for other in view.nodes.iter().filter(|e| !e.is_gone() && e.member != view.me.member) {
        if let Some(address) = view.address(other.member) {
            peers.tell(other.member, address, payload.clone());
        }
    }
}

/// The answer to a call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The record is the caller's: header and snapshot as they stand in the store.
    #[serde(rename = "granted")]
    Granted { header: Bytes, snapshot: Bytes },
    /// It is not this node's (any more): read again.
    #[serde(rename = "read-again")]
    ReadAgain,
    /// The client is refused, by the number of a close code.
    #[serde(rename = "refused")]
    Refused { code: u16, retry_ms: u64, addresses: Vec<String> },
    /// It was done: the message is in the mailbox, the session is ending.
    #[serde(rename = "done")]
    Done,
    /// The mailbox of the session is full.
    #[serde(rename = "full")]
    Full,
    /// The last beat was so long ago, and so much of the caller's silence is counted; `None`: that
    /// one may be dead, or who answers is of a build that does not say.
    #[serde(rename = "since-beat")]
    SinceBeat {
        ms: u64,
        #[serde(default)]
        counted_ms: Option<u64>,
    },
}

pub(super) fn encode<T: Serialize>(message: &T) -> Bytes {
    let mut out = Vec::new();
    // Plain data: nothing of it can fail to be written to memory.
    if let Err(error) = codec::encode(Codec::Cbor, message, &mut out) {
        log::error!("cluster: a message cannot be written: {error}");
    }
    out.into()
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    codec::decode(Codec::Cbor, bytes)
        .inspect_err(|error| log::warn!("cluster: a message cannot be read: {error}"))
        .ok()
}

/// How long a call to another node may take: the caller of a placement looks elsewhere sooner.
const CALL_TIME: Duration = Duration::from_secs(2);

/// Calls another node. `Err(true)`: surely not handled; `Err(false)`: nobody knows.
pub(super) async fn call(node: &Shared, to: Member, call: &Call) -> Result<Answer, bool> {
    let cluster = &node.cluster;
    let view = cluster.view();
    let (Some(peers), Some(address)) = (cluster.peers(), view.address(to)) else {
        return Err(true);
    };
    let answered = peers.call(to, address, encode(call), CALL_TIME).await;
    let answer = answered.map_err(|error| {
        log::debug!("cluster: a call to {to} failed: {error}");
        !error.is_unknown()
    })?;
    decode(&answer).ok_or(false)
}

/// Asks the owner of a record. `None`: it surely was not asked, or does not answer. Never ready if
/// nothing comes.
pub(super) fn ask(node: &Arc<Shared>, ask: Ask) -> BoxFuture<'static, Option<Reply>> {
    let node = Arc::clone(node);
    Box::pin(async move {
        let id = Bytes::copy_from_slice(ask.id.as_bytes());
        let Ask { epoch, request, attempt, to, .. } = ask;
        match call(&node, to, &Call::Ask { id, epoch, request, attempt }).await {
            Ok(answer) => Some(reply(answer)),
            Err(true) => None,
            // The placement has a time of its own for an owner that does not answer.
            Err(false) => std::future::pending().await,
        }
    })
}

fn reply(answer: Answer) -> Reply {
    match answer {
        Answer::Granted { header, snapshot } => {
            match (Header::decode(&header), Snapshot::decode(&snapshot)) {
                (Ok(header), Ok(snapshot)) => Reply::Granted(Box::new(header), snapshot),
                // What was committed stands in the store.
                _ => Reply::ReadAgain,
            }
        }
        Answer::Refused { code, retry_ms, addresses } => {
            Reply::Refused(refusal(code, Duration::from_millis(retry_ms), addresses))
        }
        _ => Reply::ReadAgain,
    }
}

fn refusal(code: u16, retry_after: Duration, addresses: Vec<String>) -> No {
    use throughline_link::CloseCode as Code;
    match Code::from_number(code) {
        Code::OldAttempt => No::OldAttempt,
        Code::GoElsewhere => No::GoElsewhere(addresses),
        Code::StoreDown => No::StoreDown(retry_after),
        Code::Overloaded => No::Overloaded(retry_after),
        Code::LoadFailed => No::LoadFailed(retry_after),
        Code::Banned => No::Banned,
        _ => No::NotYet(retry_after),
    }
}

/// The owner's reply, for the wire.
pub(super) fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Granted(header, snapshot) => {
            Answer::Granted { header: header.encode(), snapshot: snapshot.encode() }
        }
        Reply::ReadAgain => Answer::ReadAgain,
        Reply::Refused(no) => {
            let said = super::place::said(no);
            Answer::Refused {
                code: said.code.number(),
                retry_ms: u64::try_from(said.retry_after.as_millis()).unwrap_or(u64::MAX),
                addresses: said.elsewhere,
            }
        }
    }
}

/// Not now: the client tries again.
pub(super) fn not_yet() -> Answer {
    answer(Reply::Refused(No::NotYet(defaults::RETRY_AFTER)))
}
