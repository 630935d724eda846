//! Asks and tells in the name of a session, a VActor, or somebody outside.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use throughline_cluster::RecordId;
use throughline_link::{Instant, SessionId};
use tokio::sync::mpsc;

use super::{
    AskError, Payload, Rejection, route,
    route::{Begun, Errand},
    serve,
};
use crate::{
    cluster::{self, Sending},
    node::Shared,
    session::Recipient,
    token::{Origin, TurnToken},
};

/// One-way messages of one sender that wait behind each other, at most; one more is dropped, and
/// counted.
const TELLS_MAX: usize = 256;

/// A tell, and what keeps a node that stops waiting for it.
type Held = (Errand, Arc<()>);

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub(crate) id: RecordId,
    pub(crate) kind: &'static str,
}

impl Target {
    /// The VActor of this kind and key.
    ///
    /// # Errors
    /// Kind and key together have more than 253 bytes.
    pub fn new(kind: &'static str, key: &str) -> Result<Self, Rejection> {
        let id = RecordId::vactor(kind, key.as_bytes()).map_err(|_| Rejection::TooLarge)?;
        Ok(Self { id, kind })
    }
}

/// The means to ask and tell.
pub struct Caller {
    node: Arc<Shared>,
    /// `None`: somebody outside.
    who: Option<RecordId>,
    /// Who waits for the turn under way, the first one first.
    waiting: RefCell<Vec<RecordId>>,
    /// Until when they wait.
    until: Cell<Option<Instant>>,
    /// What the turn under way is run for.
    origin: Cell<Origin>,
    /// Others have what it was: nothing of it is asked any more.
    is_fenced: Cell<bool>,
    /// Where tells go, in order; made when first needed.
    courier: OnceCell<mpsc::Sender<Held>>,
    /// The same for messages to sessions, of a VActor.
    sendings: OnceCell<mpsc::Sender<Sending>>,
}

impl Caller {
    pub(crate) fn new(node: Arc<Shared>, who: Option<RecordId>) -> Self {
        Self {
            node,
            who,
            waiting: RefCell::default(),
            until: Cell::default(),
            origin: Cell::default(),
            is_fenced: Cell::default(),
            courier: OnceCell::new(),
            sendings: OnceCell::new(),
        }
    }

    pub(crate) const fn node(&self) -> &Arc<Shared> {
        &self.node
    }

    /// In whose name; `None`: somebody outside.
    pub(super) const fn who(&self) -> Option<&RecordId> {
        self.who.as_ref()
    }

    /// A turn begins, for that.
    pub(crate) fn set_origin(&self, origin: Origin) {
        self.origin.set(origin);
    }

    /// Others have what it was, since its node was thought dead: its turns may go on, and what they
    /// ask is rejected.
    pub(crate) fn fence(&self) {
        self.is_fenced.set(true);
    }

    /// What the turn under way is called outside; `None` if it has no name that lasts.
    pub fn token(&self) -> Option<TurnToken> {
        self.origin.get().token(self.who.as_ref()?.as_bytes())
    }

    /// A turn begins, for which these wait, until then.
    pub(super) fn set_chain(&self, waiting: &[RecordId], until: Option<Instant>) {
        let mut kept = self.waiting.borrow_mut();
        kept.clear();
        kept.extend_from_slice(waiting);
        self.until.set(until);
    }

    /// Asks, and waits for the reply, for `deadline` at most, and no longer than whoever waits for
    /// the turn that asks.
    pub fn ask(
        &self,
        to: Target,
        message: &'static str,
        payload: Payload,
        deadline: Duration,
    ) -> impl Future<Output = Result<Payload, AskError>> + Send + use<> {
        let now = self.node.clock.now();
        let own = now + deadline;
        let until = self.until.get().map_or(own, |until| until.min(own));
        let left = until.since(now);
        let chain = self.waiting.borrow().iter().chain(&self.who).cloned().collect();
        let errand = Box::new(Errand { to, message, payload, chain, until, left, is_tell: false });
        let node = Arc::clone(&self.node);
        // What is here already is asked in the order in which it was called.
        let begun = match self.is_fenced.get() {
            true => Begun::Over(Rejection::Late.into()),
            false => route::begin(&node, errand),
        };
        async move { route::finish(node, begun).await }
    }

    /// Has a VActor go to the node of this number, if it is in memory somewhere and that node
    /// serves its kind. A hint: it may be lost.
    pub async fn move_to(&self, vactor: &Target, node: u32) {
        serve::move_to(&self.node, &vactor.id, node).await;
    }

    /// Sends a one-way message, behind those sent before. Best effort.
    pub fn tell(&self, to: Target, message: &'static str, payload: Payload) {
        let left = route::TELL_TIME;
        let until = self.node.clock.now() + left;
        let chain = Vec::new();
        let errand = Errand { to, message, payload, chain, until, left, is_tell: true };
        // Held while it is under way: a node that stops waits for it.
        let errand = (errand, self.node.cluster.errand());
        let courier = self.courier.get_or_init(|| start_courier(&self.node));
        if courier.try_send(errand).is_err() {
            self.node.vactors.counts.lost_tell();
        }
    }

    /// Sends to a session, from outside any session: nobody is told if it is not delivered.
    pub(super) fn send_to_session(&self, to: Recipient, payload: bytes::Bytes) {
        let sendings = self.sendings.get_or_init(|| cluster::start_courier(&self.node));
        let from = SessionId([0; 16]);
        let errand = self.node.cluster.errand();
        if sendings.try_send(Sending { from, to, payload, _errand: errand }).is_err() {
            self.node.vactors.counts.lost_tell();
        }
    }
}

fn start_courier(node: &Arc<Shared>) -> mpsc::Sender<Held> {
    let (sender, mut errands) = mpsc::channel::<Held>(TELLS_MAX);
    let node = Arc::clone(node);
    node.cluster.handle().clone().spawn(async move {
        while let Some((mut errand, _held)) = errands.recv().await {
            errand.pass_time(node.clock.now());
            let begun = route::begin(&node, Box::new(errand));
            if route::finish(Arc::clone(&node), begun).await.is_err() {
                node.vactors.counts.lost_tell();
            }
        }
    });
    sender
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("who", &self.who).finish_non_exhaustive()
    }
}
