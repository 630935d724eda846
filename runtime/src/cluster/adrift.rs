//! A node that cannot renew its lease asks the others whether they can. If it alone cannot, it lets
//! its clients go, so that they go on at another node without waiting for its silence.

use std::sync::{Arc, PoisonError, atomic::Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use throughline_cluster::{Member, is_adrift};
use throughline_link::Instant;

use super::{
    Cluster,
    holding::elsewhere,
    message::{self, Answer, Call},
};
use crate::{actor::ToSession, node::Shared, session::Refusal};

/// Others are asked again after so long: the store may come back, or be away for them, too.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A node that takes longer to answer has not answered.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// When others were asked last.
#[derive(Debug, Default)]
pub(super) struct Asking {
    asked: Option<Instant>,
    is_under_way: bool,
}

impl Asking {
    /// The lease is over: asks the others, unless that was done just now. What comes of it is to be
    /// told to [`answered`](Self::answered).
    pub(super) fn ask(
        &mut self,
        node: &Arc<Shared>,
        now: Instant,
    ) -> Option<BoxFuture<'static, Option<Vec<Member>>>> {
        let is_due = self.asked.is_none_or(|asked| now.since(asked) >= ASK_EVERY);
        if self.is_under_way || !is_due || node.cluster.is_adrift() {
            return None;
        }
        (self.asked, self.is_under_way) = (Some(now), true);
        Some(Box::pin(find_out(Arc::clone(node))))
    }

    /// The others have answered. `reach`: this node is adrift, and these are not.
    pub(super) fn answered(&mut self, node: &Shared, reach: Option<Vec<Member>>) {
        self.is_under_way = false;
        // The lease may be back by now.
        if reach.is_none() || node.cluster.may_act(node.clock.lease_now()) {
            return;
        }
        node.cluster.set_adrift(reach);
        let all = node.directory.all();
        log::warn!(
            "cluster: this node alone does not reach the store; the clients of its {} sessions \
             are sent elsewhere",
            all.len()
        );
        for (_, actor) in all {
            // One whose mailbox is full is found by the silence of its connection.
            let _ = actor.try_send(ToSession::Adrift);
        }
    }
}

impl Cluster {
    /// Whether this node, and not every other one, is without the store.
    pub(crate) fn is_adrift(&self) -> bool {
        self.adrift.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn set_adrift(&self, reach: Option<Vec<Member>>) {
        *self.adrift.write().unwrap_or_else(PoisonError::into_inner) = reach;
    }

    /// What a client is told that comes to a node that is adrift.
    pub(crate) fn sends_away(&self) -> Option<Refusal> {
        let adrift = self.adrift.read().unwrap_or_else(PoisonError::into_inner);
        let reach = adrift.as_ref()?;
        let view = self.view();
        let there = view.alive().filter(|entry| reach.contains(&entry.member));
        let infos = there.filter_map(|entry| entry.standing.as_ref());
        let addresses = infos.flat_map(|standing| standing.info.clients().to_vec()).collect();
        Some(elsewhere(addresses, true))
    }

    /// How long ago this node's last beat was; `None` before it has joined.
    pub(super) fn since_beat(&self, node: &Shared) -> Option<Duration> {
        let settings = &node.config.cluster;
        let lease = settings.term.saturating_sub(settings.margin);
        let until = self.lease.load(Ordering::Acquire);
        let now = node.clock.lease_now();
        (until > 0).then(|| (now + lease).since(Instant::from_micros(until)))
    }
}

/// If this node is adrift, who is not.
async fn find_out(node: Arc<Shared>) -> Option<Vec<Member>> {
    let own = node.cluster.since_beat(&node)?;
    let view = node.cluster.view();
    let others = view.nodes.iter().filter(|e| !e.is_gone() && e.member != view.me.member);
    let others: Vec<_> = others.map(|entry| entry.member).collect();
    let asked = others.iter().map(|to| {
        let (node, to) = (&node, *to);
        async move {
            let answer = message::call(node, to, &Call::SinceBeat);
            match tokio::time::timeout(ANSWER_WITHIN, answer).await {
                Ok(Ok(Answer::SinceBeat { ms })) => Some(Duration::from_millis(ms)),
                _ => None,
            }
        }
    });
    let since = join_all(asked).await;
    let beat = node.config.cluster.beat;
    let reaches = |since: &Option<Duration>| since.is_some() && is_adrift(own, &[*since], beat);
    let reach = others.into_iter().zip(&since).filter(|(_, since)| reaches(since));
    is_adrift(own, &since, beat).then(|| reach.map(|(member, _)| member).collect())
}
