//! A session comes to this node: its client came back here, or its time in the store is over.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, atomic::Ordering};

use futures_util::FutureExt as _;
use throughline_canary::canary;
use throughline_cluster::{Header, Snapshot, defaults};
use throughline_link::{Answer, CloseCode, Frame, Instant, NodeLink, Resume, SessionId, wire};

use crate::{
    actor::{self, Beginning, Hook, Input, Resuming, SessionActor, SessionSnapshot, ToSession},
    actor::{Timers, TurnEnd, Turns},
    admission::{ConnectionPermit, SessionPermit},
    care::Care,
    clock::wall_ms,
    cluster::{self, Found, Holding},
    codec::{self, Codec},
    counters::is_worth_a_line,
    directory::Reserved,
    handshake::{self, MOVE_TIME},
    kinds::{Rejected, later, overloaded, refusal},
    node::Shared,
    queues::{GroupName, Peers},
    session::{self, Effect, Refusal, Session},
    transport::Transport,
    worker::Worker,
};

/// How often a resume looks again when others are at work on its session: each look waits for them.
const LOOKS_MAX: u32 = 8;

/// A client wants to resume a session over this connection.
pub(crate) async fn resume(
    worker: Rc<Worker>,
    resuming: Resuming<Transport>,
    id: SessionId,
) -> Result<(), Box<Rejected>> {
    let node = Arc::clone(&worker.node);
    let began = node.clock.now();
    if let Some(refusal) = node.cluster.sends_away() {
        return Err(reject(resuming, refusal));
    }
    for _ in 0..LOOKS_MAX {
        if let Some(actor) = node.directory.find(id) {
            return take_to(&node, &actor, resuming).await;
        }
        if node.is_stopping() {
            break;
        }
        if let Some(reserved) = node.directory.reserve(id) {
            return come_here(worker, resuming, reserved, began).await;
        }
        let others = node.directory.unreserved(id);
        if tokio::time::timeout(defaults::PLACEMENT_TIMEOUT, others).await.is_err() {
            break;
        }
    }
    Err(reject(resuming, later(CloseCode::NotYet, "the session is not ready")))
}

fn reject(resuming: Resuming<Transport>, refusal: Refusal) -> Box<Rejected> {
    Box::new(Rejected { transport: resuming.transport, peer: resuming.peer, refusal })
}

/// The session is here: its worker gets the connection.
async fn take_to(
    node: &Shared,
    actor: &actix::Recipient<ToSession>,
    resuming: Resuming<Transport>,
) -> Result<(), Box<Rejected>> {
    let Resuming { transport, peer, body, permit } = resuming;
    let Ok(transport) = transport.detach() else { return Ok(()) };
    node.counters.moved.fetch_add(1, Ordering::Relaxed);
    let resuming = Box::new(Resuming { transport, peer, body, permit });
    // A session too busy to take the connection drops it: the client comes again.
    let sent = tokio::time::timeout(MOVE_TIME, actor.send(ToSession::Resume(resuming))).await;
    if !matches!(sent, Ok(Ok(()))) {
        node.note_refused(peer, &overloaded("the session's mailbox is full"));
    }
    Ok(())
}

/// The session has gone while its client came back: it is looked for once more.
pub(crate) fn come_again(worker: &Rc<Worker>, resuming: Resuming<Transport>) {
    let worker = Rc::clone(worker);
    let Ok(resume) = read_resume(&resuming.body) else { return };
    let id = resume.session_id;
    actix_rt::spawn(async move {
        let node = Arc::clone(&worker.node);
        if let Err(rejected) = resume_boxed(worker, resuming, id).await {
            handshake::reject(&node, *rejected).await;
        }
    });
}

/// Boxed, since an actor's type would else have itself inside.
fn resume_boxed(
    worker: Rc<Worker>,
    resuming: Resuming<Transport>,
    id: SessionId,
) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Box<Rejected>>>>> {
    Box::pin(resume(worker, resuming, id))
}

fn read_resume(body: &[u8]) -> Result<Resume<'_>, ()> {
    match Frame::read(wire::RESUME, body) {
        Ok(Frame::Resume(resume)) => Ok(resume),
        _ => Err(()),
    }
}

/// The session is elsewhere, or in the store: it comes here, or its client is told why not.
async fn come_here(
    worker: Rc<Worker>,
    resuming: Resuming<Transport>,
    reserved: Reserved,
    began: Instant,
) -> Result<(), Box<Rejected>> {
    let node = Arc::clone(&worker.node);
    // Read without an error before.
    let body = resuming.body.clone();
    let Ok(resume) = read_resume(&body) else { return Ok(()) };
    let permit = match node.admission.session(resuming.peer.ip()) {
        Ok(permit) => permit,
        Err(full) => return Err(reject(resuming, overloaded(&full.to_string()))),
    };
    let host = cluster::Host { peer: resuming.peer };
    let (kind, coming) = match cluster::place(&node, &resume, host).await {
        Ok(Found::Here(header, Some(snapshot))) => {
            let Some(kind) = node.kind_named(header.identity.kind()) else {
                // The law gives a node only what it reads; its listeners may serve less.
                cluster::park(&node, header, snapshot.body).await;
                return Err(reject(resuming, later(CloseCode::NotYet, "not served here")));
            };
            (kind, Coming { header, snapshot })
        }
        Ok(Found::Here(..)) => {
            return Err(reject(resuming, later(CloseCode::NotYet, "the session is not ready")));
        }
        Ok(Found::Over(code, None)) => return Err(reject(resuming, refusal(code, ""))),
        Ok(Found::Over(code, Some(last))) => {
            return node.kinds[0].tell_end(worker, code, &last.body, resuming);
        }
        Err(refusal) => return Err(reject(resuming, refusal)),
    };
    let arriving = Arriving { coming, client: Some((resuming, permit)), reserved, began };
    node.kinds[kind].arrive(worker, kind, arriving).await
}

/// A record that is this node's, and not started yet.
#[derive(Debug)]
pub(crate) struct Coming {
    pub(crate) header: Header,
    pub(crate) snapshot: Snapshot,
}

/// A session that is to be started from a snapshot.
#[derive(Debug)]
pub(crate) struct Arriving {
    pub(crate) coming: Coming,
    /// The client that came for it; without one it came since it has expired.
    pub(crate) client: Option<(Resuming<Transport>, SessionPermit)>,
    pub(crate) reserved: Reserved,
    pub(crate) began: Instant,
}

/// What was made of a snapshot.
struct Loaded<S: Session> {
    turns: Turns<S>,
    shared: Rc<session::Shared>,
    link: NodeLink,
    timers: Timers,
    enqueued_ms: u64,
    /// The state as it was read, and its version.
    committed: (bytes::Bytes, u32),
    care: Option<Box<Care>>,
    /// All of it.
    snapshot: (bytes::Bytes, u32),
}

/// Starts a session from its snapshot.
pub(crate) async fn arrive<S: Session>(
    worker: Rc<Worker>,
    kind: usize,
    arriving: Arriving,
) -> Result<(), Box<Rejected>> {
    let node = Arc::clone(&worker.node);
    let Arriving { coming, client, reserved, began } = arriving;
    let peer = client.as_ref().map(|(resuming, _)| resuming.peer);
    let no = |client: Option<(Resuming<Transport>, SessionPermit)>, refusal| match client {
        Some((resuming, _)) => Err(reject(resuming, refusal)),
        None => Ok(()),
    };
    let loading = load::<S>(&worker, kind, &coming, peer);
    let loaded = match reserved.while_loading(loading).await {
        Ok(loaded) => loaded,
        Err(why) => {
            note_load_failure(&node, &coming.header, &why);
            cluster::park(&node, coming.header, coming.snapshot.body).await;
            return no(client, later(CloseCode::LoadFailed, "the session could not be loaded"));
        }
    };
    let mut holding = Holding::new(&node.cluster.store, coming.header);
    if let Some((resuming, _)) = &client
        && let Ok(resume) = read_resume(&resuming.body)
    {
        // Refused only for the attempt that the header has already.
        let _ = holding.held.handle_resume(resume.attempt);
    }
    let cluster = &node.cluster;
    if !cluster.may_act(node.clock.lease_now()) || !cluster.is_mine(holding.held.header().owner) {
        // Declared dead meanwhile, perhaps: as it stands, others can take it whole.
        return no(client, later(CloseCode::NotYet, "this node may not act"));
    }
    let snapshot = S::DURABILITY.is_every_turn().then(|| loaded.snapshot.clone());
    if !canary!(EffectsBeforeRunning)
        && let Err(why) = holding.run(snapshot).await
    {
        log::debug!("{}: not started here: {why}", holding.held.header().id);
        let text = "the session could not begin here".to_owned();
        return no(client, Refusal { text, ..cluster::store_down() });
    }
    node.cluster.failing().handle_loaded(&holding.held.header().id);
    node.cluster.counts.taken.fetch_add(1, Ordering::Relaxed);
    start(worker, kind, loaded, holding, client).await;
    node.cluster.counts.add_pause(node.clock.now().since(began));
    drop(reserved);
    Ok(())
}

async fn start<S: Session>(
    worker: Rc<Worker>,
    kind: usize,
    loaded: Loaded<S>,
    holding: Box<Holding>,
    client: Option<(Resuming<Transport>, SessionPermit)>,
) {
    let node = Arc::clone(&worker.node);
    let Loaded { turns, shared, mut link, timers, enqueued_ms, committed, care, .. } = loaded;
    let id = link.session_id();
    if let Some(key) = holding.held.header().key.as_ref() {
        let key = String::from_utf8_lossy(key.as_bytes()).into_owned();
        node.directory.register_key(&key, id);
        shared.key.replace(Some(key));
    }
    let (connection, permit) = match client {
        None => {
            link.end(CloseCode::Expired);
            (None, None)
        }
        Some((resuming, permit)) => (connect(&node, &mut link, resuming).await, Some(permit)),
    };
    link.raise_end();
    let inputs = connection.as_ref().map(|_| Input::Repaired);
    let beginning = Beginning {
        turns: Some(turns),
        shared,
        kind,
        link,
        timers,
        holding: Some(holding),
        connection,
        permit,
        inputs: inputs.into_iter().collect(),
        enqueued_ms,
        committed,
        care,
        ran: Some(Hook::Restored),
    };
    SessionActor::begin(worker, beginning);
}

/// Lets the client in; `None` if it was refused, and told so.
async fn connect(
    node: &Arc<Shared>,
    link: &mut NodeLink,
    resuming: Resuming<Transport>,
) -> Option<(Transport, std::net::SocketAddr, ConnectionPermit)> {
    let Resuming { transport, peer, body, permit } = resuming;
    let resume = read_resume(&body).ok()?;
    link.set_config(Arc::clone(node.link_over(&transport)));
    match link.handle_resume(&resume, node.clock.now(), wall_ms()) {
        Answer::Accepted { .. } => {
            let transport = transport.admitted(node.config.link.max_frame).await;
            Some((transport, peer, permit))
        }
        Answer::Refused(code) => {
            let node = Arc::clone(node);
            actix_rt::spawn(async move {
                let refusal = refusal(code, "");
                handshake::reject(&node, Rejected { transport, peer, refusal }).await;
                drop(permit);
            });
            None
        }
    }
}

/// Makes a session of a snapshot, and runs `restored`. Nothing of it leaves yet.
async fn load<S: Session>(
    worker: &Worker,
    kind: usize,
    coming: &Coming,
    peer: Option<std::net::SocketAddr>,
) -> Result<Loaded<S>, String> {
    let node = &worker.node;
    let now = node.clock.now();
    let Coming { header, snapshot } = coming;
    let read: SessionSnapshot = codec::decode(Codec::Cbor, &snapshot.body)
        .map_err(|error| format!("its snapshot is {error}"))?;
    let link = NodeLink::import(Arc::clone(node.link_away()), &read.link, now)
        .map_err(|error| format!("its link cannot be read: {error}"))?;
    let version = header.state_version;
    let state = actor::read::<S>(&read.state, version)
        .map_err(|error| format!("its state of version {version} cannot be read: {error}"))?;
    let shared = actor::facts(worker, link.session_id(), peer);
    // One that an older build wrote has none of a longer name.
    let groups = read.groups.iter().filter_map(|name| GroupName::new(name).ok());
    shared.groups.borrow_mut().extend(groups);
    shared.effects.borrow_mut().peers = Peers::import(read.peers);
    let mut turns = Turns::new(state, Rc::clone(&shared));
    // What a crash-proof one writes here is committed, too, and older nodes may live.
    let common = node.cluster.view().common_version(S::KIND, S::STATE_VERSION, S::OLDEST_VERSION);
    turns.write_as(common);
    turns.begin(Input::Restored);
    let turn = std::future::poll_fn(|cx| {
        worker.pulse.enter(kind, Hook::Restored, node.clock.now());
        let polled = turns.poll(cx);
        worker.pulse.leave();
        polled
    });
    if let Some(key) = read.wanted_key {
        // Before what `restored` asks for: of two keys the session gets the last.
        shared.effects.borrow_mut().others.push(Effect::RegisterKey(key));
    }
    let guarded = AssertUnwindSafe(turn).catch_unwind();
    match worker.within(guarded).await {
        Ok(Ok(TurnEnd::Done)) => {}
        Ok(Ok(TurnEnd::Failed(why))) => return Err(format!("its hook `restored` failed: {why}")),
        Ok(Err(_)) => return Err("its hook `restored` panicked".to_owned()),
        Err(_) => return Err("its hook `restored` overran session.turn-deadline".to_owned()),
    }
    let crashes = if S::DURABILITY.is_every_turn() { header.crashes } else { 0 };
    let care = Care::new(crashes, read.care, actor::CAREFUL_TURNS);
    let timers = Timers::import(read.timers, now);
    let (enqueued_ms, committed) = (read.enqueued_ms, (read.state, version));
    let snapshot = (snapshot.body.clone(), version);
    Ok(Loaded { turns, shared, link, timers, enqueued_ms, committed, care, snapshot })
}

fn note_load_failure(node: &Shared, header: &Header, why: &str) {
    let count = node.cluster.counts.load_failures.fetch_add(1, Ordering::Relaxed) + 1;
    let tries = node.cluster.failing().handle_failed(&header.id, node.clock.now());
    if tries == defaults::LOAD_TRIES || is_worth_a_line(count) {
        let (id, kind) = (&header.id, header.identity.kind());
        let rests = if tries < defaults::LOAD_TRIES { "" } else { ", and rests for a while" };
        log::error!(
            "{id} of {kind} could not be loaded, for the {tries}. time, and stays parked{rests}: \
             {why}; {count} loads failed so far"
        );
    }
}

/// The client of an ended session gets its last messages, and the reason.
pub(crate) fn tell_end<S: Session>(
    worker: Rc<Worker>,
    code: CloseCode,
    last: &[u8],
    resuming: Resuming<Transport>,
) -> Result<(), Box<Rejected>> {
    let node = Arc::clone(&worker.node);
    let now = node.clock.now();
    let Ok(link) = NodeLink::import(Arc::clone(node.link_away()), last, now) else {
        return Err(reject(resuming, refusal(code, "")));
    };
    actix_rt::spawn(async move {
        let mut link = link;
        let connection = connect(&node, &mut link, resuming).await;
        if connection.is_none() {
            return;
        }
        let shared = actor::facts(&worker, link.session_id(), None);
        let beginning = Beginning::<S> {
            turns: None,
            shared,
            kind: 0,
            link,
            timers: Timers::default(),
            holding: None,
            connection,
            permit: None,
            inputs: Vec::new(),
            enqueued_ms: 0,
            committed: Default::default(),
            care: None,
            ran: None,
        };
        SessionActor::begin(worker, beginning);
    });
    Ok(())
}
