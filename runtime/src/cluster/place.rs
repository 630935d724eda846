//! A resume finds its session: the driver of a placement.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use throughline_cluster::{
    Entry, Header, Host as PlacementHost, Outcome, Placed, Placement, PlacementAction, Proof,
    RecordId, Refusal as No, Reply, Snapshot, StepName,
};
use throughline_link::{CloseCode, Resume};

use super::{holding::elsewhere, message, random_number, rows};
use crate::{
    kinds::{later, overloaded, refusal},
    node::Shared,
    session::{Arrival, Refusal},
};

/// Who comes, beside the Resume itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    pub(crate) peer: std::net::SocketAddr,
}

/// How a resume ended.
#[derive(Debug)]
pub(crate) enum Found {
    /// The record is this node's, not started yet.
    Here(Header, Option<Snapshot>),
    /// It is over, and the client may hear its last messages.
    Over(CloseCode, Option<Snapshot>),
}

/// Brings the session of this resume here.
pub(crate) async fn place(
    node: &Arc<Shared>,
    resume: &Resume<'_>,
    host: Host,
) -> Result<Found, Refusal> {
    let cluster = &node.cluster;
    let Ok(_permit) = cluster.places.try_acquire() else {
        return Err(overloaded("too many sessions are on their way here"));
    };
    let id = RecordId::session(resume.session_id);
    let view = cluster.view();
    let own = PlacementHost {
        me: view.me.clone(),
        others: view.others(None),
        lost: cluster.lost(),
        life: random_number(node),
    };
    let request = cluster.next_request();
    let mut placement = Placement::new(own, id.clone(), resume.attempt, request, node.clock.now());
    let asked = Box::pin(pending());
    let mut driver = Driver {
        node,
        resume,
        host,
        id,
        request,
        header: None,
        key: None,
        asked,
        refused: false,
        reads: 0,
    };
    loop {
        while let Some(action) = placement.poll_action() {
            match action {
                PlacementAction::Done(placed) => return driver.done(placed).await,
                action => driver.act(&mut placement, action).await?,
            }
            placement.handle_timeout(node.clock.now());
        }
        let at = placement.poll_timeout().map(|at| node.clock.at(at));
        let Some(at) = at else { return Err(later(CloseCode::NotYet, "")) };
        tokio::select! {
            reply = &mut driver.asked => {
                driver.asked = Box::pin(pending());
                match reply {
                    Some(reply) => placement.handle_reply(request, reply),
                    None => placement.handle_unreachable(request),
                }
            }
            () = tokio::time::sleep_until(at) => {}
        }
        placement.handle_timeout(node.clock.now());
    }
}

/// Reads of one placement without a pause between them: each step of a handover takes one.
const READS_AT_ONCE: u32 = 8;

/// The pause after that.
const READ_PAUSE: Duration = Duration::from_millis(10);

/// A read that takes longer means that the store is out of this node's reach, mostly: the client is
/// better off elsewhere than waiting here.
const READ_PATIENCE: Duration = Duration::from_millis(500);

struct Driver<'a> {
    /// Looks at the record so far.
    reads: u32,
    node: &'a Arc<Shared>,
    resume: &'a Resume<'a>,
    host: Host,
    id: RecordId,
    request: u64,
    /// The record's head, as last read.
    header: Option<Header>,
    /// The session's key, as last read.
    key: Option<String>,
    asked: BoxFuture<'static, Option<Reply>>,
    /// A commit was refused, or its outcome is unknown.
    refused: bool,
}

impl Driver<'_> {
    async fn act(
        &mut self,
        placement: &mut Placement,
        action: PlacementAction,
    ) -> Result<(), Refusal> {
        let cluster = &self.node.cluster;
        match action {
            PlacementAction::Read => {
                self.reads += 1;
                if self.reads > READS_AT_ONCE {
                    // Others keep changing the record, or it is damaged: not a loop without pause.
                    tokio::time::sleep(READ_PAUSE).await;
                }
                // Once a commit was refused, what was last seen of the owner may be what changed:
                // the next one would be refused for it, too, again and again until the next beat.
                let view = Some(cluster.view()).filter(|_| !self.refused);
                let read = rows::record(&cluster.store, view.as_deref(), &self.id);
                let Ok(read) = tokio::time::timeout(READ_PATIENCE, read).await else {
                    return Err(said(No::STORE_DOWN));
                };
                if let Err(error) = &read {
                    log::warn!("cluster: cannot read {}: {error}", self.id);
                }
                let read = read.ok();
                let header = read.as_ref().and_then(|read| read.header.as_ref());
                let key = header.and_then(|header| header.key.as_ref());
                self.key = key.map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
                self.header = header.cloned();
                placement.handle_read(read, self.node.clock.now());
            }
            PlacementAction::Prove(identity) => {
                let proof = if self.resume.is_proved(identity.secret()) {
                    self.admit()?;
                    Proof::Good
                } else {
                    Proof::Bad
                };
                placement.handle_proof(proof, self.node.clock.now());
            }
            PlacementAction::Commit(step) => {
                if step.name == StepName::Claim && self.rests() {
                    return Err(later(CloseCode::LoadFailed, "its loads here failed, all of them"));
                }
                let outcome = rows::commit(&cluster.store, &step.commit).await;
                self.refused |= outcome != Outcome::Done;
                placement.handle_commit(outcome, self.node.clock.now());
            }
            PlacementAction::Ask(ask) => {
                self.asked = message::ask(self.node, ask);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it is parked and could not be loaded here, time and again: a claim would come to
    /// nothing, too.
    fn rests(&self) -> bool {
        self.node.cluster.failing().rests(&self.id, self.node.clock.now()).is_some()
    }

    /// Asks the game's ban hook: its own words go to the client.
    fn admit(&self) -> Result<(), Refusal> {
        self.node.admit(&Arrival {
            peer: self.host.peer,
            session_id: self.resume.session_id,
            key: self.key.as_deref(),
            game_version: self.resume.game_version(),
            resumes: true,
        })
    }

    async fn done(&self, placed: Placed) -> Result<Found, Refusal> {
        let no = match placed {
            Placed::Here(header, snapshot) => return Ok(Found::Here(*header, snapshot)),
            Placed::Refused(no) => no,
        };
        log::debug!("cluster: resume {} of {} ended with {no:?}", self.request, self.id);
        if let No::Ended(number) = no {
            let Ok(last) = rows::snapshot(&self.node.cluster.store, &self.id).await else {
                return Err(said(No::STORE_DOWN));
            };
            let last = last.filter(|last| last.body != Bytes::new());
            return Ok(Found::Over(CloseCode::from_number(number), last));
        }
        if let No::GoElsewhere(addresses) = no {
            // Of a record that was read, to those who can have it.
            let cluster = &self.node.cluster;
            let header = self.header.as_ref();
            let read = header.map(|header| cluster.others(Some(header)));
            // If no node that lives reads it, its client waits for one, and asks nobody in vain.
            let exists = cluster.has_others(header) || self.has_an_owner();
            return Err(elsewhere(read.unwrap_or(addresses), exists));
        }
        Err(said(no))
    }

    /// Whether the record has an owner which may live, as far as this node knows: one that it has
    /// not seen yet joined a moment ago, and reads what it owns.
    fn has_an_owner(&self) -> bool {
        let view = self.node.cluster.view();
        let owner = self.header.as_ref().and_then(|header| header.owner);
        owner.is_some_and(|owner| {
            owner != view.me.member && view.entry(owner).is_none_or(Entry::is_alive)
        })
    }
}

/// A refusal of ownership, as a client is told.
pub(super) fn said(no: No) -> Refusal {
    let wait = |code, after| Refusal { retry_after: after, ..refusal(code, "") };
    match no {
        No::Ended(number) => refusal(CloseCode::from_number(number), ""),
        No::BadProof => refusal(CloseCode::BadProof, ""),
        No::OldAttempt => refusal(CloseCode::OldAttempt, ""),
        No::Banned => refusal(CloseCode::Banned, ""),
        No::UpgradeNeeded => refusal(CloseCode::UpgradeNeeded, ""),
        No::NotYet(after) => wait(CloseCode::NotYet, after),
        // Its driver knows whether there is another node.
        No::GoElsewhere(addresses) => elsewhere(addresses, true),
        No::StoreDown(after) => wait(CloseCode::StoreDown, after),
        No::Overloaded(after) => wait(CloseCode::Overloaded, after),
        No::LoadFailed(after) => wait(CloseCode::LoadFailed, after),
        _ => refusal(CloseCode::Unknown, "no such session"),
    }
}
