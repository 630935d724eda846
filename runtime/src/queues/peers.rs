//! Whom an actor has met: the life of each one that it sends durable messages to, or watches.
//!
//! A life ends when a state begins again from nothing: what it was sent is lost with it. Each turn
//! stages whom it meets; that is kept when the turn succeeds, and travels with the snapshot.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use throughline_cluster::{Class, RecordId};
use throughline_link::SessionId;
use throughline_queue::QueueName;

use super::{Address, address::address_of_queue, record_of};

/// Peers of one actor, at most: they are in each of its snapshots. Whom it has met least recently
/// goes first.
const PEERS_MAX: usize = 64;

/// Peers that one actor watches, at most: each costs its node a read a second. These are never
/// forgotten for others, so there must be room beside them.
const WATCHES_MAX: usize = 32;

const _: () = assert!(WATCHES_MAX < PEERS_MAX, "some can be forgotten");

/// A peer has lost its state: durable messages that it had handled have come to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerLost {
    /// Who, as it was addressed.
    pub peer: Address,
    /// The life that was lost: a number that no other life has.
    pub life: u64,
}

/// A life of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    /// Whose it is, where whoever holds a key was addressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<SessionId>,
    pub(crate) life: u64,
}

/// What was found out of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) queue: QueueName,
    /// The life that its actor knew: if that has changed, this is old.
    pub(crate) was: Option<Life>,
    /// The life that is there now, if one is.
    pub(crate) now: Option<Life>,
    /// Whether `was` is lost. Else it ended by itself, or there was none.
    pub(crate) is_lost: bool,
}

/// The loss of a peer, on its way into a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) lost: PeerLost,
    queue: QueueName,
    was: Life,
    now: Option<Life>,
}

/// Who is to hear who reads a queue, and what it knows of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting {
    pub(crate) who: RecordId,
    pub(crate) was: Option<Life>,
}

/// A queue that has something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Poke {
    pub(crate) queue: QueueName,
    pub(crate) meeting: Option<Meeting>,
}

impl From<QueueName> for Poke {
    fn from(queue: QueueName) -> Self {
        Self { queue, meeting: None }
    }
}

/// What news come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// They are old, or known.
    Nothing,
    /// Another life is known now.
    Changed,
    /// A turn is to hear of it. Until that has succeeded the old life is known.
    Lost(Loss),
}

/// A peer as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TravellingPeer {
    queue: Bytes,
    life: Option<Life>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    watched: bool,
}

#[derive(Debug, Clone)]
struct Peer {
    queue: QueueName,
    life: Option<Life>,
    watched: bool,
    /// A turn is to hear of its loss: of one that is lost meanwhile again it hears later.
    is_told: bool,
}

/// What a turn stages.
#[derive(Debug, Clone)]
enum Change {
    /// A message goes there, where this life was found.
    Sent(QueueName, Option<Life>),
    Watch(QueueName, bool),
    /// It has heard of this.
    Heard(Loss),
}

impl Change {
    const fn queue(&self) -> &QueueName {
        match self {
            Self::Sent(queue, _) | Self::Watch(queue, _) => queue,
            Self::Heard(loss) => &loss.queue,
        }
    }
}

/// The peers of one actor. Most have none, and take the room of a pointer.
#[derive(Debug, Default)]
pub(crate) struct Peers(Option<Box<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Who was met least recently comes first.
    peers: Vec<Peer>,
    staged: Vec<Change>,
}

impl Peers {
    /// Of a snapshot.
    pub(crate) fn import(peers: Vec<TravellingPeer>) -> Self {
        let peer = |peer: TravellingPeer| {
            let queue = QueueName::from_bytes(&peer.queue)?;
            Some(Peer { queue, life: peer.life, watched: peer.watched, is_told: false })
        };
        let mut known = Known::default();
        known.peers.extend(peers.into_iter().filter_map(peer).take(PEERS_MAX));
        Self((!known.peers.is_empty()).then(|| Box::new(known)))
    }

    /// For a snapshot, with what the turn has staged whose commit it is in.
    pub(crate) fn export(&self) -> Vec<TravellingPeer> {
        let travelling = |peer: Peer| TravellingPeer {
            queue: Bytes::copy_from_slice(peer.queue.as_bytes()),
            life: peer.life,
            watched: peer.watched,
        };
        self.0.iter().flat_map(|known| known.with_staged()).map(travelling).collect()
    }

    /// Whether it is to be looked who this is, before a message goes there.
    pub(crate) fn asks_who(&self, queue: &QueueName) -> bool {
        self.0.as_ref().is_none_or(|known| {
            known.life(queue).is_none() && known.sent().count() < PEERS_MAX && !known.sends(queue)
        })
    }

    /// Stages that a message goes there, where this life was found.
    pub(crate) fn send(&mut self, queue: &QueueName, found: Option<Life>) {
        let known = self.0.get_or_insert_default();
        // Of more none could be kept.
        if known.sent().count() < PEERS_MAX && !known.sends(queue) {
            known.staged.push(Change::Sent(queue.clone(), found));
        }
    }

    /// Stages that it is watched, or is no more.
    ///
    /// # Errors
    /// So many are watched at most.
    pub(crate) fn watch(&mut self, queue: QueueName, watched: bool) -> Result<(), usize> {
        let known = self.0.get_or_insert_default();
        known.staged.retain(|change| !matches!(change, Change::Watch(to, _) if *to == queue));
        if known.peers.iter().any(|peer| peer.queue == queue && peer.watched) != watched {
            known.staged.push(Change::Watch(queue, watched));
        }
        let watches = known.with_staged().iter().filter(|peer| peer.watched).count();
        if watches > WATCHES_MAX { Err(WATCHES_MAX) } else { Ok(()) }
    }

    /// Stages that the turn hears of this.
    pub(crate) fn tell(&mut self, loss: &Loss) {
        self.0.get_or_insert_default().staged.push(Change::Heard(loss.clone()));
    }

    /// The turn has failed.
    pub(crate) fn unstage(&mut self) {
        if let Some(known) = &mut self.0 {
            known.staged.clear();
        }
    }

    /// Whether a turn has staged anything.
    #[inline]
    pub(crate) fn is_staged(&self) -> bool {
        self.0.as_ref().is_some_and(|known| !known.staged.is_empty())
    }

    /// Keeps what the turn has staged. Whether others are watched now, or another life of theirs is
    /// known.
    pub(crate) fn keep(&mut self) -> bool {
        let Some(known) = &mut self.0 else { return false };
        let before = known.watched();
        for change in std::mem::take(&mut known.staged) {
            known.change(&change);
        }
        let is_changed = before != known.watched();
        if known.peers.is_empty() {
            self.0 = None;
        }
        is_changed
    }

    /// Those that are watched, with the life that is known.
    pub(crate) fn watched(&self) -> Vec<(QueueName, Option<Life>)> {
        self.0.as_ref().map(|known| known.watched()).unwrap_or_default()
    }

    /// What of these queues `who` is to hear, to whom the turn that is being written sends.
    pub(crate) fn pokes(&self, who: &RecordId, queues: Vec<QueueName>) -> Vec<Poke> {
        if queues.is_empty() {
            return Vec::new();
        }
        let peers = self.0.as_ref().map(|known| known.with_staged()).unwrap_or_default();
        let sends = |queue: &QueueName| self.0.as_ref().is_some_and(|known| known.sends(queue));
        let poke = |queue: QueueName| {
            let peer = peers.iter().find(|peer| peer.queue == queue);
            let was = peer.and_then(|peer| peer.life);
            let meeting = sends(&queue).then(|| Meeting { who: who.clone(), was });
            Poke { queue, meeting }
        };
        queues.into_iter().map(poke).collect()
    }

    /// Takes news. Without room for one more input a loss is none: it is found again.
    pub(crate) fn hear(&mut self, news: News, has_room: bool) -> Heard {
        let News { queue, was, now, is_lost } = news;
        let known = self.0.get_or_insert_default();
        if known.life(&queue) != was || was.is_some() && was == now {
            return Heard::Nothing;
        }
        let Some(index) = known.peers.iter().position(|peer| peer.queue == queue) else {
            // Met after the message had gone there.
            if now.is_some() {
                known.push(Peer { queue, life: now, watched: false, is_told: false });
            }
            return Heard::Nothing;
        };
        if let (true, Some(was), Some(peer)) = (is_lost, was, address_of_queue(&queue)) {
            if known.peers[index].is_told || !has_room {
                return Heard::Nothing;
            }
            known.peers[index].is_told = true;
            return Heard::Lost(Loss { lost: PeerLost { peer, life: was.life }, queue, was, now });
        }
        known.found(index, now);
        Heard::Changed
    }
}

impl Known {
    fn life(&self, queue: &QueueName) -> Option<Life> {
        self.peers.iter().find(|peer| peer.queue == *queue)?.life
    }

    /// To whom the turn sends.
    fn sent(&self) -> impl Iterator<Item = &QueueName> {
        self.staged.iter().filter_map(|change| match change {
            Change::Sent(queue, _) => Some(queue),
            _ => None,
        })
    }

    fn sends(&self, queue: &QueueName) -> bool {
        self.sent().any(|sent| sent == queue)
    }

    /// This life is there now, or nobody is.
    fn found(&mut self, index: usize, now: Option<Life>) {
        let peer = &mut self.peers[index];
        peer.life = now;
        // The id of a session never comes again.
        let is_session = record_of(&peer.queue).is_some_and(|id| id.class() == Class::Session);
        if now.is_none() && (!peer.watched || is_session) {
            self.peers.remove(index);
        }
    }

    fn watched(&self) -> Vec<(QueueName, Option<Life>)> {
        let watched = self.peers.iter().filter(|peer| peer.watched);
        watched.map(|peer| (peer.queue.clone(), peer.life)).collect()
    }

    /// The peers when the turn has succeeded.
    fn with_staged(&self) -> Vec<Peer> {
        let mut after = Self { peers: self.peers.clone(), staged: Vec::new() };
        for change in &self.staged {
            after.change(change);
        }
        after.peers
    }

    fn change(&mut self, change: &Change) {
        let index = self.peers.iter().position(|peer| peer.queue == *change.queue());
        let new = |queue: &QueueName, life, watched| {
            let queue = queue.clone();
            Peer { queue, life, watched, is_told: false }
        };
        match (change, index) {
            (Change::Sent(_, found), Some(index)) => {
                let mut peer = self.peers.remove(index);
                peer.life = peer.life.or(*found);
                self.push(peer);
            }
            (Change::Sent(queue, found), None) if found.is_some() => {
                self.push(new(queue, *found, false));
            }
            (Change::Watch(_, watched), Some(index)) => {
                self.peers[index].watched = *watched;
                self.peers.retain(|peer| peer.life.is_some() || peer.watched);
            }
            (Change::Watch(queue, true), None) => self.push(new(queue, None, true)),
            (Change::Heard(loss), Some(index)) => {
                self.peers[index].is_told = false;
                if self.peers[index].life == Some(loss.was) {
                    self.found(index, loss.now);
                }
            }
            _ => {}
        }
    }

    /// One more, who has just been met.
    fn push(&mut self, peer: Peer) {
        if self.peers.len() >= PEERS_MAX
            && let Some(oldest) = self.peers.iter().position(|peer| !peer.watched)
        {
            self.peers.remove(oldest);
        }
        self.peers.push(peer);
    }
}

#[cfg(test)]
mod tests;
