//! The actor of one VActor: a thin driver round its record and its turns.
//!
//! One turn at a time; reads may run beside each other. What a turn does leaves at its end, after
//! the commit that it needs, if it needs one. While a commit is under way nothing begins.
//!
//! # Layout
//! `drive` is the loop; `turn` begins and ends turns, `commit` is what comes of them, `reminded`
//! begins those of reminders; `own` is the driver of the record, `leave` how it leaves this node;
//! `queued` takes durable messages out of its inbox, `careful` is for those whose turns end their
//! process, `dead` for those that nobody handles; `peers` is whom it has met; `work` is what it is
//! asked, and how it answers.

mod careful;
mod commit;
mod dead;
mod drive;
mod leave;
mod own;
mod peers;
mod queued;
mod reminded;
mod turn;
mod work;

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix::Actor;
use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use throughline_cluster::{Entry, RecordId, Snapshot};
use throughline_link::Instant;
use tokio::time::Sleep;

pub(super) use work::{Failure, Replier, Work};

use super::{
    Activation, Deactivation, Instance, Settings, Stage, reminders::Reminders, table::Usage,
};
use crate::{
    batch,
    care::{Care, Noted},
    cluster::Holding,
    queues::{Inboxes, News, Peers, TravellingPeer},
    worker::Worker,
};
use commit::Committing;
use leave::Leaving;
use turn::{ReadFuture, Turn};
use work::Input;

/// A message for a VActor's actor, from any thread.
#[derive(Debug)]
pub(crate) enum ToVActor {
    Work(Work),
    /// There may be something new in its inbox.
    Poked,
    /// Something was found out of somebody whom it has met.
    Heard(Box<News>),
    /// It is to leave: to that node, or into the store.
    Leave(Deactivation, Option<Box<Entry>>),
    /// Others declared this node dead.
    Fenced,
}

/// What travels of a VActor, beside what its record's header has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct VActorSnapshot {
    /// The game's state, in CBOR.
    pub(super) state: Bytes,
    #[serde(default)]
    pub(super) reminders: Reminders,
    /// The time of the last message that it enqueued, which never goes back within a life.
    #[serde(default)]
    pub(super) enqueued_ms: u64,
    /// Whom it has met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) peers: Vec<TravellingPeer>,
    /// Messages whose turns began when this was written, after a node of this VActor had died.
    #[serde(default, skip_serializing_if = "Noted::is_none")]
    pub(super) care: Noted,
}

/// A VActor that begins on this worker.
pub(super) struct Beginning {
    pub(super) kind: usize,
    pub(super) id: RecordId,
    pub(super) stage: Rc<Stage>,
    pub(super) instance: Box<dyn Instance>,
    pub(super) holding: Box<Holding>,
    /// What was read of the snapshot.
    pub(super) read: VActorSnapshot,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) why: Activation,
    pub(super) first: Option<Work>,
}

/// The actor of one VActor.
pub(super) struct VActorActor {
    worker: Rc<Worker>,
    kind: usize,
    settings: Settings,
    id: RecordId,
    stage: Rc<Stage>,
    instance: Box<dyn Instance>,
    /// The record; gone when it is another node's, or no more.
    holding: Option<Box<Holding>>,
    usage: Arc<Usage>,
    /// What is said to it.
    mailbox: batch::Receiver<ToVActor>,
    /// What was taken out of that; empty but for moments.
    mail: Vec<ToVActor>,
    /// What waits for its turn.
    inbox: VecDeque<Input>,
    turn: Option<Turn>,
    reads: FuturesUnordered<ReadFuture>,
    /// What the commit under way is for.
    committing: Option<Committing>,
    /// Its inbox of durable messages.
    inboxes: Inboxes,
    /// Turns since one of them was handled.
    since_queued: u32,
    /// The last turn that began was a reminder's.
    has_reminded: bool,
    /// The state before the turn under way, and its version.
    copy: (Vec<u8>, u32),
    reminders: Reminders,
    enqueued_ms: u64,
    care: Option<Box<Care>>,
    /// As it stands in the store, until the first commit here.
    loaded: Option<Snapshot>,
    leaving: Leaving,
    /// When it last had anything to do.
    used: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// When `sleep` ends.
    armed: Instant,
    /// Whether this node may act, as of this wake-up.
    acts: bool,
    is_over: bool,
}

impl VActorActor {
    /// Starts the actor, and enters it into the table.
    pub(super) fn begin(worker: Rc<Worker>, beginning: Beginning) {
        let Beginning { kind, id, stage, instance, holding, read, snapshot, why, first } =
            beginning;
        let node = Arc::clone(&worker.node);
        let (now, crashes) = (node.clock.now(), holding.held.header().crashes);
        let life = holding.held.header().life;
        let usage = Arc::new(Usage { life, ..Usage::default() });
        usage.used.store(now.as_micros(), std::sync::atomic::Ordering::Relaxed);
        let mut inbox = VecDeque::from([Input::Activated(why)]);
        inbox.extend(first.map(|work| {
            usage.waiting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Input::Work(work)
        }));
        let (sender, mailbox) = batch::queue();
        let mut actor = Self {
            settings: node.vactors.kind(kind).settings(),
            worker,
            kind,
            id: id.clone(),
            stage,
            instance,
            holding: Some(holding),
            usage: Arc::clone(&usage),
            mailbox,
            mail: Vec::new(),
            inbox,
            turn: None,
            reads: FuturesUnordered::new(),
            committing: None,
            inboxes: Inboxes::default(),
            since_queued: 0,
            has_reminded: false,
            copy: (Vec::new(), 0),
            reminders: read.reminders,
            enqueued_ms: read.enqueued_ms,
            care: Care::new(crashes, read.care, careful::TURNS),
            loaded: snapshot,
            leaving: Leaving::default(),
            used: now,
            sleep: None,
            armed: Instant::ZERO,
            acts: true,
            is_over: false,
        };
        actor.inboxes.look(Inboxes::RECORD);
        let peers = Peers::import(read.peers);
        let watched = peers.watched();
        actor.stage.effects().borrow_mut().peers = peers;
        actor.start();
        node.queues.meetings.watch(&id, watched);
        for surplus in node.vactors.insert(id, kind, sender, usage) {
            // One that has ended makes room already.
            let _ = surplus.send(ToVActor::Leave(Deactivation::Idle, None));
        }
    }
}

impl Actor for VActorActor {
    type Context = actix::Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        actix::AsyncContext::spawn(ctx, drive::Drive);
    }
}

impl Drop for VActorActor {
    /// However the actor ends, also by a panic, nothing points to it any more.
    fn drop(&mut self) {
        self.unlist();
        self.answer_unknown();
        self.send_on();
        // Nothing, if it has gone.
        let drain = &self.worker.node.cluster.drain;
        drain.failed(&self.id, "its actor has ended");
    }
}
