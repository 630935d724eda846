//! The queues of a node: its limits and counts, and the producer of those who are no actors.

use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

use bytes::Bytes;
use throughline_queue::{
    Clock, EnqueueError, Estimates, Limits, Position, Queue, QueueName, QueueOptions,
};
use tokio::sync::{Mutex, Semaphore};

use super::{
    Address, GroupName, Groups, Meetings, Poke, QueueCounts, SendReliableError, queue_of, seal,
    send,
};
use crate::{cluster, config::QueueSettings, node::Shared};

/// Commits whose receivers are being poked at other nodes, at most: more are not poked, and found
/// by the regular look.
const POKES_MAX: usize = 1024;

/// Producers that one message tries: a new one is fenced only if it is swept at once.
const PRODUCERS_MAX: usize = 2;

/// What a node knows of queues and groups.
pub(crate) struct Queues {
    pub(crate) estimates: Estimates,
    pub(super) limits: Limits,
    /// The producer of messages from outside any actor, once there was one.
    outside: Mutex<Option<Arc<Queue>>>,
    pub(crate) groups: Groups,
    pub(crate) meetings: Meetings,
    pub(crate) counts: QueueCounts,
    pub(crate) pokes: Arc<Semaphore>,
    /// Dead letters were written here since the last look at how many there are.
    pub(super) has_new_dead: AtomicBool,
}

impl Queues {
    pub(crate) fn new(settings: &QueueSettings) -> Self {
        let mut limits = Limits::default();
        limits.queue_messages = settings.messages;
        limits.queue_bytes = settings.bytes;
        limits.all_messages = settings.total_messages;
        limits.all_bytes = settings.total_bytes;
        Self {
            estimates: Estimates::new(limits),
            limits,
            outside: Mutex::default(),
            groups: Groups::default(),
            meetings: Meetings::default(),
            counts: QueueCounts::default(),
            pokes: Arc::new(Semaphore::new(POKES_MAX)),
            has_new_dead: AtomicBool::default(),
        }
    }

    /// Enqueues as the producer of messages from outside any actor.
    pub(super) async fn enqueue(
        &self,
        node: &Arc<Shared>,
        to: &QueueName,
        payload: Bytes,
        expires_ms: u64,
    ) -> Result<Position, SendReliableError> {
        let mut fenced = None;
        for _ in 0..PRODUCERS_MAX {
            let queue = self.outside(node, fenced.as_ref()).await?;
            match queue.enqueue_at(to, payload.clone(), expires_ms).await {
                // It was not used for so long that it was swept, and has written nothing.
                Err(EnqueueError::Fenced) => fenced = Some(queue),
                enqueued => return Ok(enqueued?),
            }
        }
        Err(EnqueueError::Fenced.into())
    }

    /// The producer of messages from outside any actor, of a name for each incarnation of the node;
    /// another one than that which was found to be fenced.
    async fn outside(
        &self,
        node: &Arc<Shared>,
        fenced: Option<&Arc<Queue>>,
    ) -> Result<Arc<Queue>, SendReliableError> {
        let mut outside = self.outside.lock().await;
        if let Some(queue) = &*outside
            && fenced.is_none_or(|fenced| !Arc::ptr_eq(fenced, queue))
        {
            return Ok(Arc::clone(queue));
        }
        let member = node.cluster.member();
        let producer = format!("node-{}-{:016x}", member.node.0, member.incarnation);
        let mut options = QueueOptions::default();
        options.limits = self.limits;
        options.life = Some(cluster::random_number(node));
        let clock = Arc::downgrade(node);
        options.clock = Clock::new(move || match clock.upgrade() {
            Some(node) => node.cluster.wall_ms(),
            None => crate::clock::wall_ms(),
        });
        let opened = Queue::open(Arc::clone(&node.cluster.store), &producer, options).await;
        let opened = opened.map_err(|error| SendReliableError::NoProducer(error.to_string()))?;
        Ok(Arc::clone(outside.insert(Arc::new(opened))))
    }

    /// Enqueues a message from outside any actor.
    pub(crate) async fn send(
        &self,
        node: &Arc<Shared>,
        to: &Address,
        body: &[u8],
        ttl: Duration,
    ) -> Result<Position, SendReliableError> {
        let to = queue_of(to)?;
        let expires_ms = send::expires(node, ttl);
        let position = self.enqueue(node, &to, seal(None, body), expires_ms).await?;
        self.is_enqueued(node, vec![to.into()]);
        Ok(position)
    }

    /// The same to each member of a group; to how many.
    pub(crate) async fn send_to_group(
        &self,
        node: &Arc<Shared>,
        group: &GroupName,
        body: &[u8],
        ttl: Duration,
    ) -> Result<usize, SendReliableError> {
        let expires_ms = send::expires(node, ttl);
        let mut to = Vec::new();
        for member in send::members(node, group).await? {
            let name = QueueName::record(member.as_bytes())?;
            match self.enqueue(node, &name, seal(None, body), expires_ms).await {
                Ok(_) => to.push(name),
                Err(SendReliableError::Enqueue(EnqueueError::Full(_))) => {}
                Err(error) => return Err(error),
            }
        }
        let sent = to.len();
        self.is_enqueued(node, to.into_iter().map(Poke::from).collect());
        Ok(sent)
    }

    /// A commit that enqueued to these is in.
    pub(crate) fn is_enqueued(&self, node: &Arc<Shared>, mut to: Vec<Poke>) {
        self.take_out_dead(&mut to);
        if to.is_empty() {
            return;
        }
        let count = to.len() as u64;
        self.counts.enqueued.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        cluster::poke(node, to);
    }
}
