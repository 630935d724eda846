//! The VActors of this node: their kinds, where each one's actor is, and where others are.

use std::collections::HashMap;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
};
use std::time::Duration;

use throughline_cluster::{Member, Readable, RecordId};

use super::{
    Kind, Mode,
    actor::{ToVActor, Work},
    gathered::Gathered,
};
use crate::{batch::Sender, queues::News};

/// Places of VActors of other nodes that are remembered, at most: beyond that all are forgotten,
/// and read again when they are needed.
const PLACES_MAX: usize = 65_536;

/// Of the VActors of a kind beyond its limit, this share is swapped out at once: looking for the
/// least recently used costs a look at all.
const SHARE_OUT: usize = 64;

/// What an overloaded VActor tells its callers to wait, at least and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// A message of a kind: its place in the list, and how it is run.
pub(super) type MessageOf = (usize, Mode);

/// The VActors of this node.
pub(crate) struct VActors {
    kinds: Vec<Box<dyn Kind>>,
    active: Mutex<Active>,
    places: Mutex<HashMap<RecordId, Member>>,
    /// How many VActors the other nodes have, as they last told.
    loads: Mutex<HashMap<Member, u32>>,
    /// What other nodes ask of one VActor, in a row.
    gathered: Mutex<Gathered>,
    pub(crate) counts: Counts,
}

#[derive(Default)]
struct Active {
    entries: HashMap<RecordId, Entry>,
    /// How many of each kind.
    of_kind: Vec<usize>,
}

struct Entry {
    actor: Sender<ToVActor>,
    usage: Arc<Usage>,
    kind: usize,
}

/// What an actor tells of itself without being asked.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// Work that has not begun.
    pub(super) waiting: AtomicUsize,
    /// When it last began any, in microseconds of the node's clock.
    pub(super) used: AtomicU64,
    /// It was poked, and has not looked yet: bits of [`Inboxes`](crate::queues::Inboxes).
    pub(super) poked: AtomicU8,
    /// How long a turn takes, in microseconds: a running mean.
    pub(super) turn_us: AtomicU64,
    /// The life of its record, as long as it is in memory.
    pub(super) life: u64,
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) activated: AtomicU64,
    pub(crate) moved: AtomicU64,
    pub(crate) parked: AtomicU64,
    /// Begun from nothing, since their state was lost.
    pub(crate) lost: AtomicU64,
    pub(crate) lost_tells: AtomicU64,
    pub(crate) failed_turns: AtomicU64,
    /// Inputs set aside after too many tries.
    pub(crate) set_aside: AtomicU64,
}

impl Counts {
    pub(super) fn lost_tell(&self) {
        self.lost_tells.fetch_add(1, Ordering::Relaxed);
    }
}

/// Work that did not get to its VActor.
#[derive(Debug)]
pub(super) enum NotPushed {
    /// The VActor is not here.
    Absent(Work),
    /// As much waits there as is taken; about how long that takes.
    Full(Work, Duration),
}

/// About how long that takes which waits there.
pub(super) fn retry_after(usage: &Usage) -> Duration {
    let turn = Duration::from_micros(usage.turn_us.load(Ordering::Relaxed));
    let waiting = usage.waiting.load(Ordering::Relaxed);
    let wait = turn * u32::try_from(waiting).unwrap_or(u32::MAX);
    wait.clamp(RETRY.0, RETRY.1)
}

impl VActors {
    pub(crate) fn new(kinds: Vec<Box<dyn Kind>>) -> Self {
        let active = Active { of_kind: vec![0; kinds.len()], ..Active::default() };
        Self {
            kinds,
            active: Mutex::new(active),
            places: Mutex::default(),
            loads: Mutex::default(),
            gathered: Mutex::default(),
            counts: Counts::default(),
        }
    }

    /// The names of the kinds.
    pub(crate) fn kind_names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|kind| kind.settings().kind)
    }

    /// What this node reads of their states.
    pub(crate) fn readable(&self) -> impl Iterator<Item = Readable> {
        self.kinds.iter().map(|kind| {
            let own = kind.settings();
            let (oldest, newest) = (own.oldest_version, own.state_version);
            Readable { kind: own.kind.to_owned(), oldest, newest }
        })
    }

    pub(super) fn kind(&self, number: usize) -> &dyn Kind {
        &*self.kinds[number]
    }

    pub(super) fn kind_named(&self, name: &str) -> Option<usize> {
        self.kinds.iter().position(|kind| kind.settings().kind == name)
    }

    /// The number of a kind, and a message of it.
    pub(super) fn message(&self, kind: &str, message: &str) -> Option<(usize, MessageOf)> {
        let number = self.kind_named(kind)?;
        let messages = self.kinds[number].messages();
        let index = messages.iter().position(|(name, _)| *name == message)?;
        Some((number, (index, messages[index].1)))
    }

    /// Locked for a few instructions at an ask, a beginning or an end.
    fn lock(&self) -> MutexGuard<'_, Active> {
        // No code that can panic runs under the lock.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts work into the mailbox of a VActor of this node.
    pub(super) fn push(&self, id: &RecordId, limit: usize, work: Work) -> Result<(), NotPushed> {
        let active = self.lock();
        let Some(entry) = active.entries.get(id) else { return Err(NotPushed::Absent(work)) };
        if entry.usage.waiting.load(Ordering::Relaxed) >= limit {
            return Err(NotPushed::Full(work, retry_after(&entry.usage)));
        }
        entry.usage.waiting.fetch_add(1, Ordering::Relaxed);
        match entry.actor.send(ToVActor::Work(work)) {
            Err(ToVActor::Work(work)) => {
                entry.usage.waiting.fetch_sub(1, Ordering::Relaxed);
                Err(NotPushed::Absent(work))
            }
            // What comes back is what was sent.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Pokes a VActor to look into its inbox; false if it is not here.
    pub(crate) fn poke(&self, id: &RecordId, bits: u8) -> bool {
        let active = self.lock();
        let Some(entry) = active.entries.get(id) else { return false };
        let was_poked = entry.usage.poked.fetch_or(bits, Ordering::AcqRel) != 0;
        if !was_poked {
            // One that has just ended is looked for by whoever pokes next.
            let _ = entry.actor.send(ToVActor::Poked);
        }
        true
    }

    /// The life of a VActor, if it is here.
    pub(crate) fn life_of(&self, id: &RecordId) -> Option<u64> {
        self.lock().entries.get(id).map(|entry| entry.usage.life)
    }

    /// Tells a VActor what was found out of somebody whom it has met.
    pub(crate) fn tell_news(&self, id: &RecordId, news: News) {
        if let Some(actor) = self.find(id) {
            // One that has just ended finds it again.
            let _ = actor.send(ToVActor::Heard(Box::new(news)));
        }
    }

    pub(super) fn find(&self, id: &RecordId) -> Option<Sender<ToVActor>> {
        self.find_used(id).map(|(actor, _)| actor)
    }

    pub(super) fn find_used(&self, id: &RecordId) -> Option<(Sender<ToVActor>, Arc<Usage>)> {
        let active = self.lock();
        active.entries.get(id).map(|entry| (entry.actor.clone(), Arc::clone(&entry.usage)))
    }

    /// What other nodes ask of one VActor in a row; for the thread that serves them.
    pub(super) fn gathered(&self) -> MutexGuard<'_, Gathered> {
        // Its code does not panic.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is in memory here.
    pub(crate) fn has(&self, id: &RecordId) -> bool {
        self.lock().entries.contains_key(id)
    }

    /// How many are in memory here.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// The names of all that are in memory here, in order.
    pub(crate) fn ids(&self) -> Vec<RecordId> {
        let mut ids: Vec<_> = self.lock().entries.keys().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// All that are in memory here, in order, so that a run in virtual time can be repeated.
    pub(super) fn all(&self) -> Vec<(RecordId, usize, Sender<ToVActor>)> {
        let active = self.lock();
        let all = active.entries.iter();
        let mut all: Vec<_> =
            all.map(|(id, entry)| (id.clone(), entry.kind, entry.actor.clone())).collect();
        all.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        all
    }

    /// One has begun. Of its kind, those come back that are to make room.
    pub(super) fn insert(
        &self,
        id: RecordId,
        kind: usize,
        actor: Sender<ToVActor>,
        usage: Arc<Usage>,
    ) -> Vec<Sender<ToVActor>> {
        let most = self.kinds[kind].settings().active_max.max(1);
        let mut active = self.lock();
        if active.entries.insert(id, Entry { actor, usage, kind }).is_none() {
            active.of_kind[kind] += 1;
        }
        let over = active.of_kind[kind].saturating_sub(most);
        if over == 0 {
            return Vec::new();
        }
        let own = active.entries.iter().filter(|(_, entry)| entry.kind == kind);
        let mut own: Vec<_> = own.collect();
        own.sort_unstable_by_key(|(id, entry)| (entry.usage.used.load(Ordering::Relaxed), *id));
        let many = over.max(most / SHARE_OUT);
        own.into_iter().take(many).map(|(_, entry)| entry.actor.clone()).collect()
    }

    /// Removes one, unless another has taken its name meanwhile. Whether it was there.
    pub(super) fn remove(&self, id: &RecordId, usage: &Arc<Usage>) -> bool {
        let mut active = self.lock();
        let own = active.entries.get(id).filter(|entry| Arc::ptr_eq(&entry.usage, usage));
        let own_kind = own.map(|entry| entry.kind);
        if let Some(kind) = own_kind {
            active.entries.remove(id);
            active.of_kind[kind] -= 1;
        }
        own_kind.is_some()
    }

    /// Others declared this node dead.
    pub(crate) fn fence(&self) {
        for (_, _, actor) in self.all() {
            // One that has ended needs no fence.
            let _ = actor.send(ToVActor::Fenced);
        }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<RecordId, Member>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a VActor of another node was last seen.
    pub(super) fn place_of(&self, id: &RecordId) -> Option<Member> {
        self.places().get(id).copied()
    }

    pub(super) fn note_place(&self, id: &RecordId, member: Member) {
        let mut places = self.places();
        if places.len() >= PLACES_MAX {
            places.clear();
        }
        places.insert(id.clone(), member);
    }

    pub(super) fn forget_place(&self, id: &RecordId) {
        self.places().remove(id);
    }

    /// Another node tells how many it has.
    pub(crate) fn note_load(&self, member: Member, count: u32) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.insert(member, count);
    }

    /// How many a node has, as it last told; 0 if it has not.
    pub(super) fn load_of(&self, member: Member) -> u32 {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.get(&member).copied().unwrap_or(0)
    }

    /// Forgets what nodes told that are no more.
    pub(crate) fn keep_loads(&self, is_there: impl Fn(Member) -> bool) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.retain(|member, _| is_there(*member));
    }
}
