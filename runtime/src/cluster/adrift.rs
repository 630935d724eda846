//! A node that cannot renew its lease asks the others whether they can, and for how long they have
//! counted its silence. If it alone cannot, it lets its clients go, so that they go on at another
//! node without waiting for its silence; if nobody can, it may play on.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use throughline_cluster::{LeaseConfig, Member, Membership, is_adrift};
use throughline_link::Instant;
use throughline_store::Scope;

use super::{
    Cluster,
    holding::elsewhere,
    message::{self, Answer, Call},
};
use crate::{actor::ToSession, config::ClusterSettings, node::Shared, session::Refusal};

/// Beats in a lease that others can extend: two are missing before they are asked, they count up to
/// two that came before, and they are asked once a beat.
const LEASE_BEATS: u32 = 5;

/// A node that takes longer to answer has not answered.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// What another node says when it is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    /// Since its last beat.
    since: Duration,
    /// For how long it has counted this node's silence; `None`: it does not say.
    counted: Option<Duration>,
}

/// What all others said to one question.
#[derive(Debug)]
pub(super) struct Heard {
    asked: Instant,
    /// `None`: it did not answer in time.
    others: Vec<(Member, Option<Said>)>,
}

impl Heard {
    /// What this node may conclude from it for its lease. If it is adrift: who is not.
    pub(super) fn tell(
        &self,
        membership: &mut Membership,
        lease: &LeaseConfig,
    ) -> Option<Vec<Member>> {
        for (from, said) in &self.others {
            // What one said before holds for its time; who does not answer says nothing new.
            if let Some(said) = said {
                membership.handle_counted(*from, self.asked, said.counted);
            }
        }
        // As of the question: the slowest answer makes nobody's last beat older.
        let own = membership.last_beat().map(|at| self.asked.since(at))?;
        let reach = self.reach(own, lease);
        if reach.as_ref().is_some_and(|reach| !reach.is_empty()) {
            membership.handle_reach();
        }
        reach
    }

    /// If this node, whose last beat was `own` ago, is adrift: who is not.
    fn reach(&self, own: Duration, lease: &LeaseConfig) -> Option<Vec<Member>> {
        let since = |said: &Option<Said>| said.map(|said| said.since);
        let all: Vec<_> = self.others.iter().map(|(_, said)| since(said)).collect();
        let reaches = |said: &Option<Said>| said.is_some() && is_adrift(own, &[since(said)], lease);
        let reach = self.others.iter().filter(|(_, said)| reaches(said));
        is_adrift(own, &all, lease).then(|| reach.map(|(member, _)| *member).collect())
    }
}

/// When others were asked last.
#[derive(Debug, Default)]
pub(super) struct Asking {
    asked: Option<Instant>,
    is_under_way: bool,
}

impl Asking {
    /// Beats do not get through: asks the others, unless that was done within a beat. What comes of
    /// it is to be told to [`answered`](Self::answered).
    pub(super) fn ask(
        &mut self,
        node: &Arc<Shared>,
        now: Instant,
        may_play_on: bool,
    ) -> Option<BoxFuture<'static, Heard>> {
        // The store may come back, or be away for them, too; and what they said lasts for a term.
        let every = node.config.cluster.beat;
        let is_due = self.asked.is_none_or(|asked| now.since(asked) >= every);
        let has_let_go = node.cluster.is_adrift() && !may_play_on;
        if self.is_under_way || !is_due || has_let_go {
            return None;
        }
        (self.asked, self.is_under_way) = (Some(now), true);
        Some(Box::pin(find_out(Arc::clone(node), now)))
    }

    /// The others have answered: lets go of the clients, if this node is adrift, once. `reach`: who
    /// is not, then.
    pub(super) fn answered(&mut self, node: &Shared, reach: Option<Vec<Member>>) {
        self.is_under_way = false;
        // It may act yet, or again.
        if reach.is_none() || node.cluster.may_act(node.clock.lease_now()) {
            return;
        }
        let was_adrift = node.cluster.is_adrift();
        node.cluster.set_adrift(reach);
        if was_adrift {
            return;
        }
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
    /// For how long this node plays on without the store. On one machine that comes back with what
    /// keeps it, or not at all: not a moment. Nor with a lease that is over before others have
    /// answered.
    pub(crate) fn play_on(&self, settings: &ClusterSettings) -> Duration {
        let is_wide = self.store.about().scope >= Scope::Cluster;
        let lease = settings.term.saturating_sub(settings.margin);
        if is_wide && lease >= settings.beat * LEASE_BEATS {
            settings.play_on
        } else {
            Duration::ZERO
        }
    }

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
}

/// Asks every other node that is not gone.
async fn find_out(node: Arc<Shared>, asked: Instant) -> Heard {
    let view = node.cluster.view();
    let others = view.nodes.iter().filter(|e| !e.is_gone() && e.member != view.me.member);
    let ask = others.map(|entry| {
        let (node, to) = (&node, entry.member);
        async move {
            let answer = message::call(node, to, &Call::SinceBeat);
            let said = match tokio::time::timeout(ANSWER_WITHIN, answer).await {
                Ok(Ok(Answer::SinceBeat { ms, counted_ms })) => Some(Said {
                    since: Duration::from_millis(ms),
                    counted: counted_ms.map(Duration::from_millis),
                }),
                _ => None,
            };
            (to, said)
        }
    });
    Heard { asked, others: join_all(ask).await }
}

/// What this node answers, whose last beat was `since` ago and who has counted so much of the
/// silence of who asks.
pub(super) fn say(since: Option<Duration>, counted: Option<Duration>) -> Bytes {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    // A fraction of a millisecond more was counted, and never less is said.
    let counted_ms = counted.map(|counted| ms(counted).saturating_add(1));
    message::encode(&Answer::SinceBeat { ms: since.map_or(u64::MAX, ms), counted_ms })
}
