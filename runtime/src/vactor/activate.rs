//! A VActor begins on this node: its record becomes this node's, then its actor starts.

use std::hash::{Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, atomic::Ordering};

use throughline_canary::canary;
use throughline_cluster::{
    Creation, Ending, Entry, Header, Identity, Law, NotNow, Outcome, RecordId, Snapshot, State,
    Step, Taken, defaults,
};
use throughline_link::Secret;
use throughline_queue::{Inbox, QueueName};

use super::{
    Activation, Caller, Durability, Instance, Rejection, Stage,
    actor::{Beginning, Failure, Replier, VActorActor, VActorSnapshot, Work},
    route,
};
use crate::{
    cluster::{self, Holding, random_number, rows},
    codec::{self, Codec},
    counters::is_worth_a_line,
    directory::Reserved,
    node::Shared,
    peers::Answerer,
    worker::Worker,
};

/// Looks at one record, at most, when others keep changing it.
const LOOKS_MAX: u32 = 8;

/// Brings a VActor here; `first` is its first work, or gets the reason why not.
pub(super) fn begin(node: &Arc<Shared>, kind: usize, reserved: Reserved, first: First) {
    let Some(workers) = node.workers.get() else { return };
    // It may have begun between the look and the reservation.
    if node.vactors.has(reserved.id()) {
        return;
    }
    let mut hasher = std::hash::DefaultHasher::new();
    reserved.id().hash(&mut hasher);
    // A node has one worker at least.
    let worker = hasher.finish() % workers.len() as u64;
    let worker = &workers[usize::try_from(worker).unwrap_or(0)];
    // What does not fit into the worker's queue is dropped, and answers as it goes.
    worker.run(move |worker| {
        actix_rt::spawn(bring(worker, kind, reserved, first));
    });
}

/// The first work of one that is to begin: whatever becomes of that, its asker hears of it.
#[derive(Default)]
pub(super) struct First {
    work: Option<Work>,
    /// Who told it, on another node.
    tells: Option<Answerer>,
}

impl First {
    pub(super) fn new(work: Work, tells: Option<Answerer>) -> Self {
        Self { work: Some(work), tells }
    }

    /// It has begun: its work is taken, and whoever told it hears so.
    fn take(mut self) -> Option<Work> {
        if let Some(answer) = self.tells.take() {
            Replier::There(answer).reply(Ok(route::nothing()));
        }
        self.work.take()
    }

    /// It cannot be run, for good, or since the VActor is elsewhere: then who told it looks for it
    /// anew, as who asked does.
    fn refuse(&mut self, why: Option<Rejection>) {
        let failure = |payload| match why {
            Some(why) => Failure::Ask(why.into()),
            None => Failure::NotHere(payload),
        };
        if let Some(answer) = self.tells.take() {
            Replier::There(answer).reply(Err(failure(route::nothing())));
        }
        if let Some(work) = self.work.take() {
            work.replier.reply(Err(failure(work.payload)));
        }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        self.refuse(None);
    }
}

/// A record that is this node's.
struct Ready {
    header: Header,
    snapshot: Option<Snapshot>,
    why: Activation,
}

/// Why it is not.
enum NotReady {
    /// It is elsewhere, or on its way: to be looked at again.
    Away,
    For(Rejection),
}

async fn bring(worker: Rc<Worker>, kind: usize, reserved: Reserved, mut first: First) {
    let node = Arc::clone(&worker.node);
    let id = reserved.id().clone();
    let ready = match own(&node, kind, &id, first.work.is_some()).await {
        Ok(ready) => ready,
        Err(NotReady::Away) => return,
        Err(NotReady::For(why)) => return first.refuse(Some(why)),
    };
    let Ready { header, snapshot, why } = ready;
    let loaded = match load(&node, kind, &header, snapshot.as_ref()) {
        Ok(loaded) => loaded,
        Err(text) => {
            note_load_failure(&node, &header, &text);
            if let Some(snapshot) = snapshot {
                cluster::park_as_it_was(&node, header, snapshot.body).await;
            }
            return first.refuse(Some(Rejection::LoadFailed));
        }
    };
    node.vactors.counts.activated.fetch_add(1, Ordering::Relaxed);
    if why == Activation::Lost {
        node.vactors.counts.lost.fetch_add(1, Ordering::Relaxed);
    }
    let holding = Holding::new(&node.cluster.store, header);
    let (stage, instance, read) = loaded;
    let first = first.take();
    VActorActor::begin(
        worker,
        Beginning { kind, id, stage, instance, holding, read, snapshot, why, first },
    );
    drop(reserved);
}

type Loaded = (Rc<Stage>, Box<dyn Instance>, VActorSnapshot);

/// Makes one of what the store has.
fn load(
    node: &Arc<Shared>,
    kind: usize,
    header: &Header,
    snapshot: Option<&Snapshot>,
) -> Result<Loaded, String> {
    let key = header.id.vactor_name().map(|(_, key)| String::from_utf8_lossy(key).into_owned());
    let caller = Caller::new(Arc::clone(node), Some(header.id.clone()));
    let stage = Rc::new(Stage::new(caller, key.unwrap_or_default()));
    let read: VActorSnapshot = match snapshot {
        Some(snapshot) => codec::decode(Codec::Cbor, &snapshot.body)
            .map_err(|error| format!("its snapshot is {error}"))?,
        None => VActorSnapshot::default(),
    };
    let state = snapshot.map(|_| (&read.state[..], header.state_version));
    // The game's own types may read themselves, and panic.
    let made = catch_unwind(AssertUnwindSafe(|| node.vactors.kind(kind).make(&stage, state)));
    let made = match made {
        Ok(Err(_)) if canary!(LoadFailureIsDefault) => {
            Ok(node.vactors.kind(kind).make(&stage, None))
        }
        made => made,
    };
    match made {
        Ok(Ok(instance)) => Ok((stage, instance, read)),
        Ok(Err(error)) => Err(format!("its state cannot be read: {error}")),
        Err(_) => Err("reading its state panicked".to_owned()),
    }
}

pub(super) fn note_load_failure(node: &Shared, header: &Header, why: &str) {
    let count = node.cluster.counts.load_failures.fetch_add(1, Ordering::Relaxed) + 1;
    let tries = node.cluster.failing().handle_failed(&header.id, node.clock.now());
    if tries == defaults::LOAD_TRIES || is_worth_a_line(count) {
        let id = &header.id;
        let rests = if tries < defaults::LOAD_TRIES { "" } else { ", and rests for a while" };
        log::error!(
            "{id} could not be loaded, for the {tries}. time, and stays as it was{rests}: {why}; \
             {count} loads failed so far"
        );
    }
}

/// Makes the record this node's.
async fn own(
    node: &Arc<Shared>,
    kind: usize,
    id: &RecordId,
    is_asked: bool,
) -> Result<Ready, NotReady> {
    let cluster = &node.cluster;
    let mut lost = false;
    let mut tried = None;
    for look in 0..LOOKS_MAX {
        // What was last seen of the owner may be what changed.
        let view = Some(cluster.view()).filter(|_| look == 0);
        let Ok(read) = rows::record(&cluster.store, view.as_deref(), id).await else {
            return Err(NotReady::Away);
        };
        let me = cluster.view().me.clone();
        let Some(header) = read.header else {
            if !is_asked && !has_messages(node, id).await {
                // It has forgotten itself meanwhile: nobody wants it.
                return Err(NotReady::Away);
            }
            let (header, outcome) = create(node, kind, id).await?;
            if outcome == Outcome::Done {
                return Ok(Ready { header, snapshot: None, why: created(lost) });
            }
            // It may be in, or come in.
            tried = Some(header.life);
            continue;
        };
        let step = match (header.state, header.owner) {
            (State::Ended(_), _) => {
                cluster.dismiss(&header).await;
                continue;
            }
            (State::Parked, _) => {
                if cluster.failing().rests(id, node.clock.now()).is_some() {
                    return Err(NotReady::For(Rejection::LoadFailed));
                }
                Law::default().claim(&header, &me, None)
            }
            (state, Some(owner)) if owner == me.member => {
                let fits = read.snapshot.as_ref().is_some_and(|s| s.belongs_to(&header));
                match state {
                    State::New => {
                        let why = created(lost || header.crashes > 0);
                        return Ok(Ready { header, snapshot: None, why });
                    }
                    // Created here just now, which was not heard: nothing of it has run.
                    State::Running if tried == Some(header.life) => {
                        let Some(header) = settle(node, &header).await else { continue };
                        return Ok(Ready { header, snapshot: None, why: created(lost) });
                    }
                    State::Running => {
                        lost = true;
                        Law::default().restart(&header, random_number(node))
                    }
                    _ if fits => {
                        let why = Activation::Restored;
                        return Ok(Ready { header, snapshot: read.snapshot, why });
                    }
                    _ => continue,
                }
            }
            (_, Some(_)) => {
                let Some(owner) = read.owner.filter(Entry::is_gone) else {
                    return Err(NotReady::Away);
                };
                lost |= !header.state.has_snapshot();
                take(node, &header, &owner, &me)
            }
            (_, None) => continue,
        };
        commit(node, step).await?;
    }
    Err(NotReady::Away)
}

/// Takes it from an owner that is dead.
fn take(node: &Shared, header: &Header, owner: &Entry, me: &Entry) -> Result<Step, NotNow> {
    let taken = Taken {
        attempt: Some(header.attempt + 1),
        expires: 0,
        lost: Ending { reason: 0, last: bytes::Bytes::new(), until: 0 },
        life: random_number(node),
    };
    Law::default().take(header, owner, me, &taken)
}

/// A read shows that its creation is in; only a commit can say that it stands. The header then.
async fn settle(node: &Shared, header: &Header) -> Option<Header> {
    let step = Law::default().settle(header, header.version);
    let outcome = rows::commit(&node.cluster.store, &step.commit).await;
    step.after.filter(|_| outcome == Outcome::Done)
}

/// Whether something waits in the inbox of a VActor that is nowhere.
async fn has_messages(node: &Shared, id: &RecordId) -> bool {
    let store = &*node.cluster.store;
    let Ok(name) = QueueName::record(id.as_bytes()) else { return false };
    let now = node.cluster.wall_ms();
    match Inbox::read(store, &name, None, INBOX_LOOKED_AT).await {
        Ok(page) if page.messages.iter().any(|message| !message.is_expired(now)) => true,
        Ok(page) => {
            // So that the regular look does not find it again and again.
            if page.messages.is_empty() {
                let _ = Inbox::tidy(store, &name).await;
            }
            page.more
        }
        Err(_) => false,
    }
}

/// Messages that are looked at to know whether one of them has not expired.
const INBOX_LOOKED_AT: usize = 32;

fn created(lost: bool) -> Activation {
    if lost && !canary!(LossNotTold) { Activation::Lost } else { Activation::Created }
}

/// Takes a step, if the law lets it; what came of it is read.
async fn commit(node: &Shared, step: Result<Step, NotNow>) -> Result<(), NotReady> {
    match step {
        Ok(step) => {
            // Refused or unknown: what stands there now is read, and what is done then is a commit
            // of its own.
            rows::commit(&node.cluster.store, &step.commit).await;
            Ok(())
        }
        Err(NotNow::Unreadable { .. }) => Err(NotReady::For(Rejection::LoadFailed)),
        Err(_) => Err(NotReady::Away),
    }
}

/// Creates the record: its header, and whether that is in.
async fn create(
    node: &Arc<Shared>,
    kind: usize,
    id: &RecordId,
) -> Result<(Header, Outcome), NotReady> {
    let settings = node.vactors.kind(kind).settings();
    let identity = Identity::new(settings.kind, &[], Secret([0; 32]));
    let creation = Creation {
        id: id.clone(),
        // The name was checked when the node was built.
        identity: Arc::new(identity.map_err(|_| NotReady::For(Rejection::TooLarge))?),
        life: random_number(node),
        state_version: settings.state_version,
        attempt: 0,
    };
    let me = node.cluster.view().me.clone();
    let step = match settings.durability {
        // One commit in all: nothing happens between creation and the first effect.
        Durability::OnSwapOut => Law::default().create_running(&creation, &me),
        Durability::EveryTurn => Law::default().create(&creation, &me),
    };
    let Ok(Step { commit, after: Some(header), .. }) = step else { return Err(NotReady::Away) };
    let outcome = rows::commit(&node.cluster.store, &commit).await;
    Ok((header, outcome))
}
