//! Which life reads a queue, and who is to hear that it is another one than it knows.
//!
//! An actor meets a peer when it stages a message for it, when the message is in its queue, and, of
//! those that it watches, with the regular look of its node.

use std::sync::Arc;
use std::time::Duration;

use throughline_cluster::{Class, Header, Member, RecordId, SessionKey, State};
use throughline_link::CloseCode;
use throughline_queue::QueueName;

use super::{rows, rows::Unread};
use crate::{
    actor::ToSession,
    node::Shared,
    queues::{Left, Life, Meeting, News, Poke, record_of},
};

/// Peers that one look reads, at most: the next one goes on behind them. Of a key it takes two
/// reads, so these are 1,024.
const WATCHED_MAX: usize = 512;

/// A peer whose node does not answer is looked for so much longer than others take to find that
/// this node is dead.
const LEFT_TIME: Duration = Duration::from_secs(5);

/// Who reads a queue, as the store says.
pub(super) struct Reader {
    /// The session that holds the key, if it is the queue of one.
    holder: Option<RecordId>,
    header: Option<Header>,
}

impl Reader {
    pub(super) async fn of(node: &Shared, queue: &QueueName) -> Result<Self, Unread> {
        let store = &node.cluster.store;
        let Some(key) = queue.session_key() else {
            let Some(id) = record_of(queue) else { return Ok(Self { holder: None, header: None }) };
            return Ok(Self { holder: None, header: rows::header(store, &id).await? });
        };
        let holder = match SessionKey::new(key) {
            Ok(key) => rows::holder(store, &key).await?.map(|holder| holder.id),
            Err(_) => None,
        };
        let header = match &holder {
            Some(id) => rows::header(store, id).await?,
            None => None,
        };
        Ok(Self { holder, header })
    }

    /// Who has it in memory, if anybody has.
    pub(super) fn owner(&self) -> Option<Member> {
        let header = self.header.as_ref()?;
        let is_away = header.state == State::Parked || header.state.is_ended();
        header.owner.filter(|_| !is_away)
    }

    fn life(&self) -> Option<Life> {
        let header = self.header.as_ref().filter(|header| !header.state.is_ended())?;
        let holder = self.holder.as_ref().and_then(RecordId::session_id);
        Some(Life { holder, life: header.life })
    }

    /// What is new to somebody who knows this.
    async fn news(
        &self,
        node: &Shared,
        queue: &QueueName,
        was: Option<Life>,
    ) -> Result<Option<News>, Unread> {
        let now = self.life();
        let class = record_of(queue).map(|id| id.class());
        let is_lost = match was {
            // One that ended before it was met is nobody any more, unless it may begin again.
            None if now.is_none() && class != Some(Class::Session) => return Ok(None),
            None => false,
            Some(_) if now == was => return Ok(None),
            Some(was) => match (class, was.holder) {
                // Also one that has forgotten itself.
                (Some(Class::VActor), _) => true,
                (Some(Class::Session), _) => is_lost(self.header.as_ref()),
                (None, Some(holder)) => {
                    let id = RecordId::session(holder);
                    is_lost(rows::header(&node.cluster.store, &id).await?.as_ref())
                }
                (None, None) => false,
            },
        };
        Ok(Some(News { queue: queue.clone(), was, now, is_lost }))
    }

    /// Tells whoever is to hear of it what is new. An error: nobody knows.
    pub(super) async fn meet(
        &self,
        node: &Shared,
        queue: &QueueName,
        meeting: &mut Meeting,
    ) -> Result<bool, Unread> {
        let Some(news) = self.news(node, queue, meeting.was).await? else { return Ok(false) };
        meeting.was = news.now;
        tell(node, &meeting.who, news);
        Ok(true)
    }
}

/// Whether this is what is left of a session that was lost.
fn is_lost(header: Option<&Header>) -> bool {
    header.is_some_and(|header| header.state == State::Ended(CloseCode::Lost.number()))
}

/// Best effort: an actor that has gone knows what it knew, and finds it again.
fn tell(node: &Shared, who: &RecordId, news: News) {
    match who.session_id() {
        Some(id) => {
            if let Some(actor) = node.directory.find(id) {
                let _ = actor.try_send(ToSession::Heard(Box::new(news)));
            }
        }
        None => node.vactors.tell_news(who, news),
    }
}

/// The life that reads this queue now; `None` also if the store does not say.
pub(crate) async fn life_of(node: &Shared, queue: &QueueName) -> Option<Life> {
    let reader = Reader::of(node, queue).await;
    reader.inspect_err(|error| log::debug!("cluster: {queue} is not met: {error}")).ok()?.life()
}

/// The reader of this queue is on this node, and was poked.
pub(super) fn met_here(node: &Shared, poke: Poke) {
    let Poke { queue, meeting: Some(Meeting { who, was }) } = poke else { return };
    let is_known = match (record_of(&queue), was) {
        (Some(id), was) if id.class() == Class::VActor => {
            let now = node.vactors.life_of(&id).map(|life| Life { holder: None, life });
            if now.is_some() && now != was {
                let is_lost = was.is_some();
                tell(node, &who, News { queue, was, now, is_lost });
                return;
            }
            now.is_some()
        }
        // A session has one life.
        (Some(_), Some(_)) => true,
        (None, Some(was)) => {
            let key = queue.session_key().unwrap_or_default();
            was.holder.is_some() && node.directory.find_key(key) == was.holder
        }
        (_, None) => false,
    };
    if !is_known {
        let meeting = Meeting { who, was };
        node.queues.meetings.leave(Left { queue, meeting, until: node.clock.now() });
    }
}

/// Nobody was met: the regular look is to see, once, or as long as it may take until somebody else
/// reads the queue.
pub(super) fn leave(node: &Shared, pokes: Vec<Poke>, waits: bool) {
    let settings = &node.config.cluster;
    let dead = settings.term * 2 + node.cluster.play_on(settings);
    let time = if waits { dead + LEFT_TIME } else { Duration::ZERO };
    let until = node.clock.now() + time;
    for Poke { queue, meeting } in pokes {
        if let Some(meeting) = meeting {
            node.queues.meetings.leave(Left { queue, meeting, until });
        }
    }
}

/// The actor has begun to watch these, and knows no life of theirs.
pub(crate) fn meet(node: &Arc<Shared>, who: &RecordId, queues: Vec<QueueName>) {
    if queues.is_empty() {
        return;
    }
    // Without a place it is left to the regular look.
    let Ok(permit) = Arc::clone(&node.queues.pokes).try_acquire_owned() else { return };
    let (node, mut meeting) = (Arc::clone(node), Meeting { who: who.clone(), was: None });
    node.cluster.handle().clone().spawn(async move {
        for queue in queues {
            meeting.was = None;
            if let Ok(reader) = Reader::of(&node, &queue).await {
                let _ = reader.meet(&node, &queue, &mut meeting).await;
            }
        }
        drop(permit);
    });
}

/// The regular look at those who are watched, and at those who were not met.
pub(super) async fn look(node: &Shared) {
    for (queue, watchers) in node.queues.meetings.next_watched(WATCHED_MAX) {
        // Both are read again with the next look.
        let Ok(reader) = Reader::of(node, &queue).await else { return };
        for mut watcher in watchers {
            if reader.meet(node, &queue, &mut watcher).await.is_err() {
                return;
            }
        }
    }
    for mut left in node.queues.meetings.take_left() {
        let met = match Reader::of(node, &left.queue).await {
            Ok(reader) => reader.meet(node, &left.queue, &mut left.meeting).await,
            Err(error) => Err(error),
        };
        if !matches!(met, Ok(true)) && node.clock.now() < left.until {
            node.queues.meetings.leave(left);
        }
    }
}
