//! What all workers of a node share.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use throughline_cluster::{Header, Snapshot};
use tokio::sync::watch;

use throughline_link::{CloseCode, LinkConfig, Secret, SessionId};
use throughline_store_hub::HubStore;

use crate::{
    actor::{Rate, ToSession},
    admission::Admission,
    arrive::{Arriving, Coming},
    clock::Clock,
    cluster::Cluster,
    config::Config,
    counters::{Counters, is_worth_a_line},
    directory::{Directory, Reserved},
    environment::fill_random,
    kinds::{Expiring, Kind, later},
    listen::Pages,
    operator::Operator,
    queues::Queues,
    session::{Arrival, Recipient, Refusal, ServerMessage, Undelivered},
    transport::Transport,
    vactor::VActors,
    worker::WeakWorker,
};

/// The game's admission hook.
pub(crate) type Admit = dyn Fn(&Arrival<'_>) -> Result<(), Refusal> + Send + Sync;

/// What a game makes a node of.
pub(crate) struct Parts {
    pub(crate) kinds: Vec<Box<dyn Kind>>,
    pub(crate) vactors: VActors,
    pub(crate) pages: Pages,
    pub(crate) admit: Option<Box<Admit>>,
}

/// What all workers of a node share. Nothing here is locked for a frame.
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// What links are told that run over TCP, and over WebSockets.
    links: [Arc<LinkConfig>; 2],
    pub(crate) rate: Rate,
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) admission: Arc<Admission>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) kinds: Vec<Box<dyn Kind>>,
    pub(crate) vactors: VActors,
    pub(crate) queues: Queues,
    pub(crate) pages: Pages,
    pub(crate) admit: Option<Box<Admit>>,
    /// What operators have asked for.
    pub(crate) operator: Operator,
    /// Turns true when the node stops.
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) cluster: Arc<Cluster>,
    /// The store, if a hub lends it: each worker has a connection of its own.
    pub(crate) hub: Option<HubStore>,
    /// The workers, set once they run.
    pub(crate) workers: OnceLock<Vec<WeakWorker>>,
    next_worker: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        parts: Parts,
        cluster: Arc<Cluster>,
        hub: Option<HubStore>,
    ) -> Arc<Self> {
        let Parts { kinds, vactors, pages, admit } = parts;
        let (link, session) = (&config.link, &config.session);
        let link_config = LinkConfig {
            heartbeat: link.heartbeat,
            ack_delay: link.ack_delay,
            ack_every: link.ack_every,
            window_messages: link.window_messages,
            window_bytes: link.window_bytes,
            retained_messages: link.retained_messages,
            retained_bytes: link.retained_bytes,
            max_frame: link.max_frame,
            ack_timeout: link.ack_timeout,
            session_timeout: session.timeout,
            idle_limit: (!session.idle_limit.is_zero()).then_some(session.idle_limit),
            advertise: None,
        };
        let rate = Rate {
            messages: session.messages_per_second,
            bytes: session.bytes_per_second,
            burst: session.burst,
            patience: session.flood_time,
        };
        Arc::new(Self {
            links: [false, true].map(|is_websocket| {
                let advertise = suits(&config.listen.advertise, is_websocket).next();
                Arc::new(LinkConfig { advertise: advertise.cloned(), ..link_config.clone() })
            }),
            rate,
            clock: cluster.clock,
            directory: Directory::default(),
            admission: Admission::new(config.limits.clone()),
            counters: Arc::default(),
            kinds,
            vactors,
            queues: Queues::new(&config.queue),
            pages,
            admit,
            operator: Operator::default(),
            stopping: watch::Sender::new(false),
            cluster,
            hub,
            workers: OnceLock::new(),
            next_worker: AtomicUsize::new(0),
            config,
        })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// What a link over this connection is told.
    pub(crate) fn link_over(&self, transport: &Transport) -> &Arc<LinkConfig> {
        &self.links[usize::from(transport.is_websocket())]
    }

    /// What a link without a connection is told.
    pub(crate) const fn link_away(&self) -> &Arc<LinkConfig> {
        &self.links[0]
    }

    /// The number of a served kind.
    pub(crate) fn kind_named(&self, name: &str) -> Option<usize> {
        let served = &self.config.listen.kinds;
        if !served.is_empty() && !served.iter().any(|kind| kind == name) {
            return None;
        }
        self.kinds.iter().position(|kind| kind.name() == name)
    }

    /// What becomes of an expired session of this kind; `None` if no node of this build serves it.
    pub(crate) fn expiring(&self, kind: &str) -> Option<Expiring> {
        // Also what this node's listeners do not serve: the law gives it what it reads.
        let number = self.kinds.iter().position(|own| own.name() == kind)?;
        let destroys = self.kinds[number].destroys_expired();
        Some(if destroys { Expiring::Destroyed(number) } else { Expiring::Dropped })
    }

    /// Starts an expired session on one of the workers, for its last hook.
    pub(crate) fn expire(
        &self,
        kind: usize,
        header: Header,
        snapshot: Snapshot,
        reserved: Reserved,
    ) {
        let Some(workers) = self.workers.get() else { return };
        // A node has one worker at least.
        let next = self.next_worker.fetch_add(1, Ordering::Relaxed) % workers.len();
        let coming = Coming { header, snapshot };
        let arriving = Arriving { coming, client: None, reserved, began: self.clock.now() };
        // What finds no worker is found by a later sweep.
        workers[next].run(move |worker| {
            let node = Arc::clone(&worker.node);
            actix_rt::spawn(async move {
                // Without a client nobody is rejected.
                let _ = node.kinds[kind].arrive(worker, kind, arriving).await;
            });
        });
    }

    /// Asks the game whether this client may come in.
    pub(crate) fn admit(&self, arrival: &Arrival<'_>) -> Result<(), Refusal> {
        let Some(admit) = &self.admit else { return Ok(()) };
        catch_unwind(AssertUnwindSafe(|| admit(arrival))).unwrap_or_else(|_| {
            log::error!("the admission hook panicked");
            Err(later(CloseCode::LoadFailed, "the admission failed"))
        })
    }

    /// Sends a message to a session of this node.
    pub(crate) fn deliver(&self, to: SessionId, message: ServerMessage) -> Result<(), Undelivered> {
        self.directory.deliver(to, self.config.session.mailbox, message)
    }

    /// Tells a sender that its message did not arrive.
    pub(crate) fn report_undelivered(&self, sender: SessionId, to: Recipient, why: Undelivered) {
        // A message from outside any session has nobody to tell.
        let is_own = to == Recipient::Session(sender);
        if let Some(actor) = self.directory.find(sender).filter(|_| !is_own) {
            let _ = actor.try_send(ToSession::Undelivered(to, why));
        }
    }

    /// Counts and logs a refused handshake.
    pub(crate) fn note_refused(&self, peer: SocketAddr, refusal: &Refusal) {
        let code = refusal.code;
        let count = self.counters.refused.add(code);
        if is_worth_a_line(count) {
            // The game's words may quote the login payload, which has no place in a log.
            let text = if refusal.is_of_game { "by the game" } else { &refusal.text };
            log::info!("refused {peer}: {code}: {}; {count} so far", text.escape_debug());
        }
    }

    /// A new session id, from the system's random numbers unless others are injected.
    pub(crate) fn random_id(&self) -> SessionId {
        SessionId(random())
    }

    /// A new secret, from the same.
    pub(crate) fn random_secret(&self) -> Secret {
        Secret(random())
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The addresses that a client can use who has come over a WebSocket, or not.
pub(crate) fn suits(addresses: &[String], is_websocket: bool) -> impl Iterator<Item = &String> {
    let is_url = |address: &str| address.starts_with("ws://") || address.starts_with("wss://");
    addresses.iter().filter(move |address| is_url(address) == is_websocket)
}

/// Whether the system gives random numbers. After one success it does not stop doing so, on every
/// system that the `getrandom` crate supports.
pub(crate) fn check_random() -> io::Result<()> {
    getrandom::fill(&mut [0; 1]).map_err(io::Error::other)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The system had random bytes when the node started, and goes on having them.
    fill_random(&mut bytes).expect("checked when the node started");
    bytes
}
