//! An ask finds its VActor: here, at another node, or nowhere yet.
//!
//! It is sent again only if it surely was not run: the VActor had just left, or could not be
//! reached. What may have run is never sent twice.

use std::sync::Arc;
use std::time::Duration;

use throughline_canary::canary;
use throughline_cluster::{Member, RecordId, State};
use throughline_link::Instant;
use tokio::sync::oneshot;

use super::{
    AskError, Payload, Rejection, Target, activate,
    actor::{Failure, Replier, Work},
    place,
    table::NotPushed,
    wire::{self, Reply},
};
use crate::{
    cluster::rows,
    node::Shared,
    peers::{CallError, Called},
};

/// A tell looks for its VActor so long.
pub(super) const TELL_TIME: Duration = Duration::from_secs(5);

/// Between two tries; it doubles, up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// What is asked, of whom, and until when.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) to: Target,
    pub(super) message: &'static str,
    pub(super) payload: Payload,
    pub(super) chain: Vec<RecordId>,
    pub(super) until: Instant,
    /// How long that is from now.
    pub(super) left: Duration,
    pub(super) is_tell: bool,
}

impl Errand {
    /// Time has passed.
    pub(super) fn pass_time(&mut self, now: Instant) {
        self.left = self.until.since(now);
    }
}

/// What became of the first look, which is made at once.
#[derive(Debug)]
pub(super) enum Begun {
    /// It is in the mailbox; who waits, if somebody does, and until when.
    Pushed(Option<oneshot::Receiver<Result<Payload, Failure>>>, Box<Errand>),
    /// Another node was called.
    Called(Called, Box<Errand>),
    /// It is not here, nor anywhere that is known.
    Away(Box<Errand>),
    Over(AskError),
}

/// Puts it into the mailbox, if its VActor is here, or calls the node where it was last seen.
pub(super) fn begin(node: &Shared, errand: Box<Errand>) -> Begun {
    let errand = match begin_here(node, errand) {
        Begun::Away(errand) => errand,
        begun => return begun,
    };
    match node.vactors.place_of(&errand.to.id) {
        Some(member) => begin_there(node, member, errand),
        None => Begun::Away(errand),
    }
}

fn begin_here(node: &Shared, mut errand: Box<Errand>) -> Begun {
    let Some((_, message)) = node.vactors.message(errand.to.kind, errand.message) else {
        return Begun::Away(errand);
    };
    let (replier, answer) = match errand.is_tell {
        true => (Replier::Nobody, None),
        false => {
            let (sender, receiver) = oneshot::channel();
            (Replier::Here(sender), Some(receiver))
        }
    };
    let payload = std::mem::replace(&mut errand.payload, Payload::Bytes(bytes::Bytes::new()));
    let chain = errand.chain.clone();
    let work = Work { message, payload, replier, until: errand.until, chain };
    match node.vactors.push(&errand.to.id, node.config.vactor.mailbox, work) {
        Ok(()) => Begun::Pushed(answer, errand),
        Err(NotPushed::Absent(work)) => {
            errand.payload = work.payload;
            Begun::Away(errand)
        }
        Err(NotPushed::Full(_, retry_after)) => Begun::Over(AskError::Overloaded { retry_after }),
    }
}

/// Waits for the reply, wherever the VActor is.
pub(super) async fn finish(node: Arc<Shared>, mut begun: Begun) -> Result<Payload, AskError> {
    let (mut pause, longest) = AGAIN;
    loop {
        let mut errand = match begun {
            Begun::Over(error) => return Err(error),
            Begun::Pushed(None, _) => return Ok(nothing()),
            Begun::Pushed(Some(answer), mut errand) => {
                match wait(&node, answer, errand.until).await {
                    Ok(payload) => return Ok(payload),
                    Err(Failure::Ask(error)) => return Err(error),
                    Err(Failure::NotHere(payload)) => {
                        errand.payload = payload;
                        errand
                    }
                }
            }
            Begun::Called(called, errand) => {
                let answer = called.await;
                match there(&node, answer, errand) {
                    Ok(payload) => return Ok(payload),
                    Err(Missed::Over(error)) => return Err(error),
                    Err(Missed::Again(errand)) => errand,
                }
            }
            // Rarely, and much of it: kept out of what every ask moves about.
            Begun::Away(errand) => match Box::pin(away(&node, errand)).await {
                // It has just gone from where it was found.
                Found::Nothing(errand) | Found::Begun(Begun::Away(errand)) => errand,
                Found::Begun(again) => {
                    begun = again;
                    continue;
                }
            },
        };
        let now = node.clock.now();
        if now + pause >= errand.until {
            return Err(Rejection::Late.into());
        }
        errand.pass_time(now + pause);
        Box::pin(tokio::time::sleep(pause)).await;
        pause = (pause * 2).min(longest);
        begun = begin(&node, errand);
    }
}

/// A reply that nobody looks at.
pub(super) fn nothing() -> Payload {
    Payload::Bytes(bytes::Bytes::new())
}

/// Waits for a VActor of this process. One that does not answer in time may still run it.
async fn wait(
    node: &Shared,
    answer: oneshot::Receiver<Result<Payload, Failure>>,
    until: Instant,
) -> Result<Payload, Failure> {
    // A timer is large, and an ask is moved about before it waits.
    match Box::pin(tokio::time::timeout_at(node.clock.at(until), answer)).await {
        Ok(Ok(result)) => result,
        // It was dropped unanswered, or is late.
        Ok(Err(_)) | Err(_) => Err(Failure::Ask(AskError::Unknown)),
    }
}

/// How an ask of another node ended without a reply.
enum Missed {
    Over(AskError),
    /// It surely was not run.
    Again(Box<Errand>),
}

/// Where a VActor is, or is to be.
enum Where {
    Here,
    At(Member),
}

/// What a look away from here came to.
enum Found {
    Begun(Begun),
    /// It cannot be known now.
    Nothing(Box<Errand>),
}

async fn away(node: &Arc<Shared>, mut errand: Box<Errand>) -> Found {
    // A store that hangs must not hold an ask up beyond its time.
    let found = tokio::time::timeout_at(node.clock.at(errand.until), find(node, &errand.to)).await;
    errand.pass_time(node.clock.now());
    match found.unwrap_or(Err(Rejection::Late)) {
        Ok(Some(Where::Here)) => here(node, errand).await,
        Ok(Some(Where::At(member))) => Found::Begun(begin_there(node, member, errand)),
        Ok(None) => Found::Nothing(errand),
        Err(rejection) => Found::Begun(Begun::Over(rejection.into())),
    }
}

/// Looks in the store. `None`: it cannot be known now.
async fn find(node: &Shared, to: &Target) -> Result<Option<Where>, Rejection> {
    let cluster = &node.cluster;
    let Ok(header) = rows::header(&cluster.store, &to.id).await else { return Ok(None) };
    let me = cluster.member();
    if let Some(header) = &header
        && let (false, Some(owner)) = (header.state.is_ended(), header.owner)
        && !matches!(header.state, State::Parked)
    {
        if owner == me {
            return Ok(Some(Where::Here));
        }
        let entry = cluster.entry(owner).await;
        let Some(entry) = entry else { return Ok(None) };
        if !entry.is_gone() {
            node.vactors.note_place(&to.id, owner);
            return Ok(Some(Where::At(owner)));
        }
    }
    let version = header.as_ref().filter(|h| !h.state.is_ended()).map(|h| h.state_version);
    match place::choose(node, &to.id, to.kind, version) {
        Some(chosen) if chosen == me => Ok(Some(Where::Here)),
        Some(chosen) => {
            // It begins there, or that node says that it is elsewhere.
            node.vactors.note_place(&to.id, chosen);
            Ok(Some(Where::At(chosen)))
        }
        // All that serve it drain, or have not joined yet.
        None if place::is_served(node, to.kind) => Ok(None),
        None => Err(Rejection::NoSuchKind),
    }
}

/// It begins here, with this as its first work.
async fn here(node: &Arc<Shared>, mut errand: Box<Errand>) -> Found {
    let Some((kind, message)) = node.vactors.message(errand.to.kind, errand.message) else {
        let known = node.vactors.kind_named(errand.to.kind).is_some();
        let no = if known { Rejection::NoSuchMessage } else { Rejection::NoSuchKind };
        return Found::Begun(Begun::Over(no.into()));
    };
    let id = errand.to.id.clone();
    let Some(reserved) = node.directory.reserve_record(&id) else {
        // Somebody else brings it here already.
        let others = node.directory.unreserved_record(&id);
        let _ = tokio::time::timeout_at(node.clock.at(errand.until), others).await;
        return Found::Nothing(errand);
    };
    let (sender, answer) = oneshot::channel();
    let payload = std::mem::replace(&mut errand.payload, nothing());
    let replier = Replier::Here(sender);
    let chain = errand.chain.clone();
    let work = Work { message, payload, replier, until: errand.until, chain };
    activate::begin(node, kind, reserved, activate::First::new(work, None));
    Found::Begun(Begun::Pushed(Some(answer), errand))
}

/// Calls another node.
fn begin_there(node: &Shared, member: Member, errand: Box<Errand>) -> Begun {
    let cluster = &node.cluster;
    let view = cluster.view();
    let (Some(peers), Some(address)) = (cluster.peers(), view.address(member)) else {
        node.vactors.forget_place(&errand.to.id);
        return Begun::Away(errand);
    };
    let call = wire::Invocation {
        id: &errand.to.id,
        message: errand.message,
        left: errand.left,
        is_tell: errand.is_tell,
        chain: &errand.chain,
        payload: &errand.payload,
    };
    let Ok(call) = call.encode() else { return Begun::Over(Rejection::Unreadable.into()) };
    Begun::Called(peers.call_until(member, address, call, errand.until), errand)
}

/// What another node has answered.
fn there(
    node: &Shared,
    answer: Result<bytes::Bytes, CallError>,
    errand: Box<Errand>,
) -> Result<Payload, Missed> {
    match answer {
        Ok(answer) => match Reply::decode(answer) {
            Some(Reply::Done(payload)) => Ok(Payload::Bytes(payload)),
            Some(Reply::Failed(error)) => Err(Missed::Over(error)),
            Some(Reply::NotHere) => {
                log::debug!("{}: asked again: it is not where it was", errand.to.id);
                node.vactors.forget_place(&errand.to.id);
                Err(Missed::Again(errand))
            }
            // An answer that cannot be read says that it was handled, and not how.
            None => Err(Missed::Over(AskError::Unknown)),
        },
        Err(error) if error.is_unknown() && !canary!(AskSentTwice) => {
            node.vactors.forget_place(&errand.to.id);
            Err(Missed::Over(AskError::Unknown))
        }
        Err(CallError::TooLarge { .. }) => Err(Missed::Over(Rejection::TooLarge.into())),
        Err(error) => {
            log::debug!("{}: asked again: {error}", errand.to.id);
            node.vactors.forget_place(&errand.to.id);
            Err(Missed::Again(errand))
        }
    }
}

/// What a VActor that leaves had not begun, and nobody waits for: it goes after it.
pub(super) fn forward(node: &Arc<Shared>, errand: Errand) {
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        let _errand = node.cluster.errand();
        let begun = begin(&node, Box::new(errand));
        if finish(Arc::clone(&node), begun).await.is_err() {
            node.vactors.counts.lost_tell();
        }
    });
}
