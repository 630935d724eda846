//! One record that this node owns, with its call to the store under way.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{
    Creation, Gone, Header, Held, HeldAction, Identity, Law, NotNow, Outcome, RecordId, Reply, Row,
    Turn, TurnState, Value, defaults,
};
use throughline_link::{CloseCode, Secret, SessionId};
use throughline_store::{Batch, CommitError, GetError, Store, StoreFuture};
use tokio::time::Sleep;

use super::{Cluster, random_number, rows};
use crate::{
    kinds::{later, refusal},
    node::Shared,
    session::Refusal,
};

/// After a read that the store did not answer, the next one waits so long.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// After a commit that the store did not take, the next one waits as long as the store says, within
/// this: a full disk must not be asked again by each session all the time.
const COMMIT_PAUSE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_secs(1);

/// A record in memory: its machine, and the store's answer that it waits for.
pub(crate) struct Holding {
    pub(crate) held: Held,
    store: Arc<dyn Store>,
    call: Option<Call>,
    /// How long the next commit waits.
    pause: Option<Duration>,
}

enum Call {
    Commit(StoreFuture<Result<(), CommitError>>),
    Later(Pin<Box<Sleep>>, Batch),
    Read(StoreFuture<Result<Option<Bytes>, GetError>>),
    Pause(Pin<Box<Sleep>>),
}

impl Holding {
    pub(crate) fn new(store: &Arc<dyn Store>, header: Header) -> Box<Self> {
        Box::new(Self {
            held: Held::new(header),
            store: Arc::clone(store),
            call: None,
            pause: None,
        })
    }

    /// What the machine asks of its driver next, the store apart. `Pending` if there is nothing;
    /// the store's answer wakes the task.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HeldAction> {
        loop {
            if let Some(action) = self.held.poll_action() {
                match action {
                    HeldAction::Commit(step) => {
                        let batch = rows::batch(&step.commit);
                        self.call = Some(match self.pause.take() {
                            None => Call::Commit(self.store.commit(batch)),
                            Some(pause) => Call::Later(Box::pin(tokio::time::sleep(pause)), batch),
                        });
                    }
                    HeldAction::Read => self.read(),
                    action => return Poll::Ready(action),
                }
                continue;
            }
            match &mut self.call {
                None => return Poll::Pending,
                Some(Call::Commit(call)) => {
                    let Poll::Ready(answer) = call.as_mut().poll(cx) else { return Poll::Pending };
                    self.call = None;
                    if let Err(CommitError::Down(outage)) = &answer {
                        let (least, most) = COMMIT_PAUSE.into_inner();
                        self.pause = Some(outage.retry_after.clamp(least, most));
                    }
                    if let Err(error) = &answer {
                        log::debug!("{}: a commit was not made: {error}", self.held.header().id);
                    }
                    self.held.handle_commit(rows::outcome(&answer));
                }
                Some(Call::Later(pause, batch)) => {
                    if pause.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let batch = std::mem::take(batch);
                    self.call = Some(Call::Commit(self.store.commit(batch)));
                }
                Some(Call::Read(call)) => {
                    let Poll::Ready(answer) = call.as_mut().poll(cx) else { return Poll::Pending };
                    self.call = None;
                    match self.taken(answer) {
                        Some(read) => self.held.handle_read(Some(read)),
                        None => {
                            self.call = Some(Call::Pause(Box::pin(tokio::time::sleep(READ_PAUSE))));
                        }
                    }
                }
                Some(Call::Pause(pause)) => {
                    if pause.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.read();
                }
            }
        }
    }

    fn read(&mut self) {
        let row = Row::Header(self.held.header().id.clone());
        self.call = Some(Call::Read(self.store.get(row.key())));
    }

    /// The header as it stands; `None` if that cannot be known yet.
    fn taken(&self, answer: Result<Option<Bytes>, GetError>) -> Option<Option<Header>> {
        let row = Row::Header(self.held.header().id.clone());
        match answer {
            Ok(None) => Some(None),
            Ok(Some(bytes)) => match Value::decode(&row, &bytes) {
                Ok(Value::Header(header)) => Some(Some(header)),
                _ => None,
            },
            Err(_) => None,
        }
    }

    /// Runs until a commit that was begun is in, or is surely not.
    pub(crate) async fn committed(&mut self) -> Result<(), NotMade> {
        let mut is_in = false;
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                HeldAction::Committed => is_in = true,
                HeldAction::GoOn if is_in => return Ok(()),
                HeldAction::GoOn => return Err(NotMade::Refused),
                HeldAction::Gone(gone) => return Err(NotMade::Gone(gone)),
                _ => {}
            }
        }
    }

    /// Runs until the record has gone, or stays. A snapshot that is wanted is `body`, of
    /// `version`; `say` takes what is said to whoever asked.
    pub(crate) async fn gone(
        &mut self,
        snapshot: Option<(Bytes, u32)>,
        mut say: impl FnMut(Reply),
    ) -> Option<Gone> {
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                HeldAction::SwapOut => self.held.handle_snapshot(snapshot.clone()),
                HeldAction::Reply(_, reply) => say(reply),
                HeldAction::Gone(gone) => return Some(gone),
                HeldAction::GoOn => return None,
                _ => {}
            }
        }
    }

    /// Makes the record `Running`, or `Committed` with this snapshot and its version, with the
    /// attempt that was let in: the commit before the first effect.
    pub(crate) async fn run(&mut self, snapshot: Option<(Bytes, u32)>) -> Result<(), NotMade> {
        let attempt = self.held.header().attempt;
        let state = match snapshot {
            None => TurnState::Running,
            Some((snapshot, state_version)) => TurnState::Committed { snapshot, state_version },
        };
        let turn = Turn { state, attempt, due: None, more: Default::default() };
        self.held.turn(turn).map_err(NotMade::NotNow)?;
        self.committed().await
    }
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMade {
    /// A check other than the header did not hold.
    #[error("a check did not hold")]
    Refused,
    /// The record is no longer this node's.
    #[error("it is no longer this node's: {0:?}")]
    Gone(Gone),
    /// The law does not allow it now.
    #[error("{0}")]
    NotNow(NotNow),
}

/// Creates the record of a new session, and makes it `Running`, or `Committed` with its first
/// snapshot.
pub(crate) async fn create(
    node: &Shared,
    id: SessionId,
    secret: &Secret,
    kind: &str,
    state_version: u32,
    snapshot: Option<(Bytes, u32)>,
) -> Result<Box<Holding>, Refusal> {
    let cluster: &Cluster = &node.cluster;
    if let Some(refusal) = cluster.sends_away() {
        return Err(refusal);
    }
    let identity = Identity::new(kind, &[], secret.clone());
    let identity = identity.map_err(|error| refusal(CloseCode::UnknownKind, error.to_string()))?;
    let creation = Creation {
        id: RecordId::session(id),
        identity: Arc::new(identity),
        life: random_number(node),
        state_version,
        attempt: 0,
    };
    let view = cluster.view();
    let not_here = || elsewhere(cluster.others(None), cluster.has_others(None));
    let Ok(step) = Law::default().create(&creation, &view.me) else { return Err(not_here()) };
    let made = cluster.store.commit(rows::batch(&step.commit)).await;
    // The store knows sooner than this node that it drains, or is gone.
    let is_refused = matches!(made, Err(CommitError::Refused(_)));
    match rows::outcome(&made) {
        Outcome::Done => {}
        // Whatever became of it, this id is used for nothing; the sweep ends it if it landed.
        _ if is_refused || !cluster.view().me.is_alive() => return Err(not_here()),
        _ => return Err(store_down()),
    }
    let Some(header) = step.after else { return Err(store_down()) };
    let mut holding = Holding::new(&cluster.store, header);
    match holding.run(snapshot).await {
        Ok(()) => Ok(holding),
        Err(why) => {
            log::debug!("session {id}: not begun: {why}");
            Err(store_down())
        }
    }
}

/// A client that is sent elsewhere without an address asks the next one that it knows, mostly the
/// load balancer's, so soon: it has found the wrong node, and waits for nothing.
const NEXT_AFTER: Duration = Duration::from_millis(20);

/// The client is to go to one of these nodes, or, if none has an address for it, to ask wherever it
/// came from for another node; `exists` is whether there is one.
pub(crate) fn elsewhere(addresses: Vec<String>, exists: bool) -> Refusal {
    if !exists {
        let wait = defaults::RETRY_AFTER;
        return Refusal { retry_after: wait, ..later(CloseCode::NotYet, "no node takes it now") };
    }
    Refusal {
        retry_after: NEXT_AFTER,
        elsewhere: addresses,
        ..refusal(CloseCode::GoElsewhere, "this node takes nothing new")
    }
}

pub(crate) fn store_down() -> Refusal {
    let retry_after = defaults::RETRY_AFTER;
    Refusal { retry_after, ..later(CloseCode::StoreDown, "the store does not answer") }
}

impl std::fmt::Debug for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holding").field("held", &self.held).finish_non_exhaustive()
    }
}
