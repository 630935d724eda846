//! The queues of a node: its limits and counts, and the producer of those who are no actors.

use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

use throughline_queue::{Clock, Estimates, Limits, Position, Queue, QueueName, QueueOptions};
use tokio::sync::{OnceCell, Semaphore};

use super::{
    Address, GroupName, Groups, Meetings, Poke, QueueCounts, SendReliableError, queue_of, seal,
    send,
};
use crate::{cluster, config::QueueSettings, node::Shared};

/// Commits whose receivers are being poked at other nodes, at most: more are not poked, and found
/// by the regular look.
const POKES_MAX: usize = 1024;

/// What a node knows of queues and groups.
pub(crate) struct Queues {
    pub(crate) estimates: Estimates,
    pub(super) limits: Limits,
    outside: OnceCell<Queue>,
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
            outside: OnceCell::new(),
            groups: Groups::default(),
            meetings: Meetings::default(),
            counts: QueueCounts::default(),
            pokes: Arc::new(Semaphore::new(POKES_MAX)),
            has_new_dead: AtomicBool::default(),
        }
    }

    /// The producer of messages from outside any actor: one for each incarnation of the node.
    pub(super) async fn outside(&self, node: &Arc<Shared>) -> Result<&Queue, SendReliableError> {
        let open = || async {
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
            Queue::open(Arc::clone(&node.cluster.store), &producer, options).await
        };
        let opened = self.outside.get_or_try_init(open).await;
        opened.map_err(|error| SendReliableError::NoProducer(error.to_string()))
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
        let queue = self.outside(node).await?;
        let position = queue.enqueue(&to, seal(None, body), ttl).await?;
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
        let queue = self.outside(node).await?;
        let mut to = Vec::new();
        for member in send::members(node, group).await? {
            let name = QueueName::record(member.as_bytes())?;
            match queue.enqueue(&name, seal(None, body), ttl).await {
                Ok(_) => to.push(name),
                Err(throughline_queue::EnqueueError::Full(_)) => {}
                Err(error) => return Err(error.into()),
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
