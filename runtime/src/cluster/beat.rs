//! The lease of this node: beats, what they show of the others, and what becomes of that.

use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use throughline_canary::canary;
use throughline_cluster::{
    Entries, FinalVersions, LeaseConfig, Member, MemberAction, Membership, NodeInfo, Outcome,
    Standing, StepName,
};
use throughline_link::Instant;
use tokio::sync::{mpsc, watch};

use super::{
    Cluster, Stage, View, adrift, look, message, message::Tell, random_number, rows, serve, sweep,
    versions,
};
use crate::{
    actor::ToSession,
    clock::wall_ms,
    node::Shared,
    peers::Answerer,
    vactor::{Balancer, DueSoon},
};

/// What is ordered of the lease.
#[derive(Debug)]
pub(crate) enum Order {
    /// Take nothing more.
    Drain,
    /// Leave; so much was found in the owner index.
    Leave(usize),
    /// Another node, whose beats do not get through, asks what it should know.
    Say(Member, Answerer),
    /// End, without a word.
    Stop,
}

/// What the store answered.
enum Answer {
    Commit(StepName, Outcome),
    Entries(Option<(Entries, Option<FinalVersions>)>),
    /// What others said when they were asked.
    Heard(adrift::Heard),
}

struct Beats {
    node: Arc<Shared>,
    membership: Membership,
    lease: LeaseConfig,
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    joined: watch::Sender<bool>,
    /// The incarnation that is waited for, said once.
    waiting: Option<Member>,
    swept: sweep::Sweeper,
    requests: serve::Requests,
    queues: look::QueueLook,
    due_soon: DueSoon,
    balancer: Balancer,
    asking: adrift::Asking,
}

/// Keeps this node's lease until it is stopped. `joined` turns true when it has joined.
pub(super) async fn run(
    node: Arc<Shared>,
    info: Arc<NodeInfo>,
    mut orders: mpsc::Receiver<Order>,
    joined: watch::Sender<bool>,
) {
    let settings = &node.config.cluster;
    let lease = LeaseConfig {
        beat: settings.beat,
        term: settings.term,
        margin: settings.margin,
        play_on: node.cluster.play_on(settings),
    };
    let me = node.cluster.member();
    let mut beats = Beats {
        membership: Membership::new(me, info, lease, node.clock.lease_now()),
        lease,
        calls: FuturesUnordered::new(),
        joined,
        waiting: None,
        swept: sweep::Sweeper::default(),
        requests: serve::Requests::default(),
        queues: look::QueueLook::default(),
        due_soon: DueSoon::default(),
        balancer: Balancer::default(),
        asking: adrift::Asking::default(),
        node,
    };
    loop {
        beats.act();
        beats.look_at_workers();
        let wait = beats.wait();
        tokio::select! {
            Some(answer) = beats.calls.next(), if !beats.calls.is_empty() => beats.take(answer),
            () = tokio::time::sleep(wait) => {
                let now = beats.node.clock.lease_now();
                beats.membership.handle_timeout(now, wall_ms());
            }
            order = orders.recv() => match order {
                Some(Order::Drain) => beats.membership.drain(),
                Some(Order::Leave(owned)) => beats.membership.leave(owned),
                Some(Order::Say(to, answer)) => beats.say(to, answer),
                Some(Order::Stop) | None => {
                    beats.node.cluster.set_lease(None);
                    return;
                }
            },
        }
        // An order is taken up at once, not with the next beat.
        let now = beats.node.clock.lease_now();
        beats.membership.handle_timeout(now, wall_ms());
    }
}

/// Without a beat for so many of their periods, others are asked: one that is a little late costs
/// nobody a question, and a lease lasts for five.
const LATE_BEATS: u32 = 2;

/// The longest the lease is not looked at: a clock that was suspended is noticed then.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Beats {
    fn wait(&self) -> Duration {
        let now = self.node.clock.lease_now();
        let next = self.membership.poll_timeout().map_or(LOOK_EVERY, |at| at.since(now));
        // A lease that is over, or will be, is a reason to ask around, once a beat.
        let is_over = self.membership.lease_until().is_some_and(|until| until <= now);
        if is_over || self.is_late(now) {
            next.min(LOOK_EVERY).min(self.node.config.cluster.beat / 2)
        } else if self.node.clock.may_be_suspended() {
            next.min(LOOK_EVERY)
        } else {
            next
        }
    }

    /// A worker that is stuck beyond the deadline of turns does not hand over what it owns: this
    /// node then stops beating, so that others take all of it.
    fn look_at_workers(&mut self) {
        let config = &self.node.config;
        let limit = config.session.turn_deadline + config.cluster.margin;
        self.membership.set_stuck(self.node.operator.longest_turn(self.node.clock.now()) > limit);
    }

    fn take(&mut self, answer: Answer) {
        let now = self.node.clock.lease_now();
        match answer {
            Answer::Commit(name, outcome) => {
                self.membership.handle_commit(name, outcome, now);
                if (name, outcome) == (StepName::Beat, Outcome::Done) {
                    self.requests.look(&self.node);
                }
            }
            Answer::Entries(Some((entries, finals))) => {
                self.membership.handle_entries(&entries, now, wall_ms());
                self.publish(Some((entries, finals)), now);
                versions::note_kinds(&self.node);
                self.swept.look(&self.node);
                if !canary!(NoRegularLook) {
                    self.queues.look(&self.node);
                }
                self.look_at_vactors();
            }
            Answer::Entries(None) => self.membership.handle_read_failed(),
            Answer::Heard(heard) => {
                let reach = heard.tell(&mut self.membership, &self.lease);
                self.publish(None, now);
                self.asking.answered(&self.node, reach);
            }
        }
    }

    /// A node without kinds of VActors has nothing to look at.
    fn look_at_vactors(&mut self) {
        if self.node.vactors.kind_names().next().is_some() {
            self.due_soon.look(&self.node);
            self.balancer.look(&self.node);
            message::tell_load(&self.node);
        }
    }

    /// Does what the machine asks for, then tells the others of this process how things stand.
    fn act(&mut self) {
        while let Some(action) = self.membership.poll_action() {
            let cluster = &self.node.cluster;
            match action {
                MemberAction::Commit(step) => {
                    let store = Arc::clone(&cluster.store);
                    self.calls.push(Box::pin(async move {
                        Answer::Commit(step.name, rows::commit(&store, &step.commit).await)
                    }));
                }
                MemberAction::Read => {
                    let (store, id) = (Arc::clone(&cluster.store), cluster.member().node);
                    self.calls.push(Box::pin(async move {
                        let entries = rows::entries(&store, id).await;
                        if let Err(error) = &entries {
                            log::warn!("cluster: cannot read the nodes' entries: {error}");
                        }
                        let Ok(entries) = entries else { return Answer::Entries(None) };
                        // After the entries: who is not among them has noted its kinds before.
                        let Ok(finals) = versions::read(&*store).await else {
                            return Answer::Entries(None);
                        };
                        Answer::Entries(Some((entries, finals)))
                    }));
                }
                MemberAction::Joined => {
                    log::info!("cluster: joined as {}", cluster.member());
                    cluster.set_stage(Stage::Serving);
                    self.joined.send_replace(true);
                    message::tell_all(&self.node, &Tell::LookAgain);
                }
                MemberAction::Waiting(member) if self.waiting != Some(member) => {
                    log::warn!("cluster: {member} is alive; this process waits for its end");
                    self.waiting = Some(member);
                }
                MemberAction::Fenced => self.fenced(),
                MemberAction::Gone(member) => log::warn!("cluster: {member} is gone"),
                MemberAction::Draining => {
                    cluster.set_stage(Stage::Draining);
                    cluster.drain.lease_says(Stage::Draining);
                    message::tell_all(&self.node, &Tell::LookAgain);
                }
                MemberAction::NotLeft => cluster.drain.lease_says(Stage::Serving),
                MemberAction::Left => {
                    cluster.set_stage(Stage::Left);
                    cluster.drain.lease_says(Stage::Left);
                }
                _ => {}
            }
        }
        let now = self.node.clock.lease_now();
        self.publish(None, now);
        self.look_around(now);
    }

    /// Asks the others for the store once the lease is over, or will be; forgets about it once it
    /// is back.
    fn look_around(&mut self, now: Instant) {
        let Some(until) = self.membership.lease_until() else {
            // It joins, and reaches the store for that.
            return;
        };
        if until > now && self.node.cluster.is_adrift() {
            self.node.cluster.set_adrift(None);
        }
        if until <= now || self.is_late(now) {
            let may_play_on = self.membership.asks().next().is_some();
            if let Some(asked) = self.asking.ask(&self.node, now, may_play_on) {
                self.calls.push(Box::pin(asked.map(Answer::Heard)));
            }
        }
    }

    /// Whether a beat of a node that may play on is late: the lease is not over yet.
    fn is_late(&self, now: Instant) -> bool {
        let beat = self.node.config.cluster.beat;
        let since = self.membership.last_beat().map(|at| now.since(at));
        since.is_some_and(|since| since >= beat * LATE_BEATS)
            && self.membership.asks().next().is_some()
    }

    fn say(&self, to: Member, answer: Answerer) {
        let now = self.node.clock.lease_now();
        let since = self.membership.last_beat().map(|at| now.since(at));
        answer.answer(adrift::say(since, self.membership.counted(to, now)));
    }

    /// Others declared this node dead: all it had is dropped, and nothing of it leaves.
    fn fenced(&mut self) {
        let node = &self.node;
        let cluster = &node.cluster;
        cluster.set_lease(None);
        cluster.set_stage(Stage::Fenced);
        let count = cluster.counts.fenced.fetch_add(1, Ordering::Relaxed) + 1;
        let all = node.directory.all();
        log::error!(
            "cluster: {} was declared dead: {} sessions and {} VActors are dropped, and it joins \
             again; {count} so far",
            cluster.member(),
            all.len(),
            node.vactors.len()
        );
        if !canary!(FencedKeepsAll) {
            node.vactors.fence();
            for (_, actor) in all {
                // One whose mailbox is full finds out by its lease, which it does not have.
                let _ = actor.try_send(ToSession::Fenced);
            }
        }
        let incarnation = random_number(node);
        cluster.set_incarnation(incarnation);
        self.membership.rejoin(incarnation, node.clock.lease_now());
        let me = self.membership.me().member;
        if let Some(peers) = cluster.peers() {
            peers.set_me(me);
        }
    }

    fn publish(&self, read: Option<(Entries, Option<FinalVersions>)>, now: Instant) {
        let cluster: &Cluster = &self.node.cluster;
        let old = cluster.view();
        let until = self.membership.lease_until();
        cluster.set_lease(until);
        match (cluster.stage(), until) {
            (Stage::Serving, Some(until)) if until <= now => cluster.set_stage(Stage::Lapsed),
            (Stage::Lapsed | Stage::Fenced, Some(until)) if until > now => {
                cluster.set_stage(Stage::Serving);
            }
            _ => {}
        }
        if read.is_none() && old.me == *self.membership.me() {
            return;
        }
        let (nodes, finals) = match read {
            Some((entries, finals)) => {
                warn_of_unread(&old, &entries);
                let finals = finals.unwrap_or_else(|| old.finals.clone());
                (entries.nodes.into_iter().map(|(entry, _)| entry).collect(), finals)
            }
            None => (old.nodes.clone(), old.finals.clone()),
        };
        let seen = nodes.iter().map(|e: &throughline_cluster::Entry| e.member);
        let seen = seen.filter(|member| *member != self.membership.me().member);
        let heard = seen.map(|member| (member, self.membership.heard_until(member)));
        let forgotten = self.membership.forgotten().map(|member| (member, None));
        cluster.set_view(View {
            me: self.membership.me().clone(),
            heard_until: heard.chain(forgotten).collect(),
            wall_clock: self.membership.wall_clock(),
            nodes,
            finals,
        });
    }
}

/// Says, once of each, which nodes are left alone.
fn warn_of_unread(old: &View, entries: &Entries) {
    let was_unread = |member| old.nodes.iter().any(|e| e.member == member && e.is_unread());
    for (entry, _) in entries.nodes.iter().filter(|(entry, _)| entry.is_unread()) {
        if let Some(standing) = entry.standing.as_ref().filter(|_| !was_unread(entry.member)) {
            let why = Standing::decode(&standing.encode()).err();
            let why = why.map_or_else(|| "its beat".to_owned(), |error| error.to_string());
            log::warn!(
                "cluster: the entry of {} cannot be read here, and it is left alone ({why})",
                entry.member
            );
        }
    }
}
