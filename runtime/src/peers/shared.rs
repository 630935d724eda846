//! What the connections of a node share: who it is, and which link leads where.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use throughline_cluster::Member;
use throughline_link::Instant;
use tokio::sync::{Notify, oneshot, watch};

use crate::batch;
use crate::clock::Clock;
use crate::environment::{Joined, Spawner};
use crate::peers::CallError;
use crate::peers::counters::Counters;
use crate::peers::dialed::{Asked, Caller, Driver, Route};
use crate::peers::limits::{LINK_UNITS_MAX, LINKS_MAX, PAYLOAD_BYTES_MAX, UNITS_MAX, units};
use crate::peers::numbers::Numbered;
use crate::peers::proof::Credentials;

/// Who this node is. Every connection ends when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) me: Member,
    pub(crate) is_closed: bool,
}

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) counters: Arc<Counters>,
    /// `None`: this node is alone.
    pub(crate) credentials: Option<Credentials>,
    pub(crate) life: watch::Sender<Life>,
    pub(crate) spawner: Spawner,
    pub(crate) network: Joined,
    /// The links of this life; the life changes only while they are locked.
    links: Mutex<Links>,
    /// The accepted connection of each member, and what ends it.
    accepted: Mutex<HashMap<Member, Arc<Notify>>>,
    room: Arc<Room>,
}

#[derive(Default)]
struct Links {
    to: Numbered<Member, LinkHandle>,
    last_number: u64,
}

struct LinkHandle {
    number: u64,
    address: Arc<str>,
    /// Unbounded by itself: the charges of what is in it bound it.
    asked: batch::Sender<Asked>,
    room: Arc<Room>,
}

impl Drop for LinkHandle {
    fn drop(&mut self) {
        self.asked.close();
    }
}

/// Units that are free: of a link, and of all that it is a part of.
#[derive(Debug)]
pub(crate) struct Room {
    left: AtomicUsize,
    within: Option<Arc<Self>>,
}

impl Room {
    fn new(units: usize, within: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(units), within })
    }

    /// Takes so many, unless there are fewer.
    fn take(&self, units: usize) -> bool {
        let is_taken = self.left.try_update(Relaxed, Relaxed, |left| left.checked_sub(units));
        if is_taken.is_err() {
            return false;
        }
        let is_taken = self.within.as_ref().is_none_or(|within| within.take(units));
        if !is_taken {
            self.left.fetch_add(units, Relaxed);
        }
        is_taken
    }

    pub(crate) fn give_back(&self, units: usize) {
        self.left.fetch_add(units, Relaxed);
        if let Some(within) = &self.within {
            within.give_back(units);
        }
    }
}

/// What a tell has of the bounds, of its link's and of all: given back wherever it is dropped.
/// What calls have the driver of their link gives back, for many of them at once: caller and
/// driver are mostly two threads, and each touch of the room costs them both.
#[derive(Debug)]
pub(crate) struct Charge {
    room: Arc<Room>,
    units: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.room.give_back(self.units);
    }
}

/// The place of an accepted connection, given back when it is dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    from: Member,
    /// Told when a later connection of the same member takes the place.
    pub(crate) replaced: Arc<Notify>,
}

impl Shared {
    pub(crate) fn new(
        credentials: Option<Credentials>,
        me: Member,
        spawner: Spawner,
        network: Joined,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock,
            counters: Arc::new(Counters::default()),
            credentials,
            life: watch::Sender::new(Life { me, is_closed: false }),
            spawner,
            network,
            links: Mutex::default(),
            accepted: Mutex::default(),
            room: Room::new(UNITS_MAX, None),
        })
    }

    pub(crate) fn call(
        self: &Arc<Self>,
        to: Member,
        address: &str,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Result<Bytes, CallError>>, CallError> {
        let (answer, answered) = oneshot::channel();
        let asked = self.ask(to, address, payload.len(), |_, units| {
            let caller = Caller { answer: Some(answer), units, _charge: None };
            Asked::Call { payload, deadline, caller }
        });
        if asked.is_err() {
            // What the driver takes, it counts: counters that two threads touch cost them both.
            self.counters.calls.fetch_add(1, Relaxed);
        }
        asked?;
        Ok(answered)
    }

    pub(crate) fn tell(self: &Arc<Self>, to: Member, address: &str, payload: Bytes) {
        self.counters.tells.fetch_add(1, Relaxed);
        let asked = self.ask(to, address, payload.len(), |room, units| {
            let charge = Charge { room: Arc::clone(room), units };
            let caller = Caller { answer: None, units: 0, _charge: Some(charge) };
            Asked::Tell { payload, caller }
        });
        if let Err(error) = asked {
            self.counters.dropped.fetch_add(1, Relaxed);
            log::debug!("nodes: dropped a message to {to}: {error}");
        }
    }

    /// Gives a message to the link that leads to the node, which is made if there is none.
    fn ask(
        self: &Arc<Self>,
        to: Member,
        address: &str,
        bytes: usize,
        asked: impl FnOnce(&Arc<Room>, usize) -> Asked,
    ) -> Result<(), CallError> {
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(CallError::TooLarge { bytes });
        }
        let mut links = self.links();
        let link = self.link(&mut links, to, address)?;
        let units = units(bytes);
        if !link.room.take(units) {
            return Err(CallError::Overloaded);
        }
        // The driver takes its link out of the table, locked, before it ends: only one that was
        // dropped with a runtime that stopped takes no more.
        match link.asked.gather(asked(&link.room, units)) {
            Ok(()) => Ok(()),
            Err(asked) => {
                if let Asked::Call { .. } = asked {
                    link.room.give_back(units);
                }
                links.to.remove(&to);
                Err(CallError::Unreachable { reason: "this node stops".to_owned() })
            }
        }
    }

    fn link<'a>(
        self: &Arc<Self>,
        links: &'a mut Links,
        to: Member,
        address: &str,
    ) -> Result<&'a LinkHandle, CallError> {
        let unreachable = |reason: &str| CallError::Unreachable { reason: reason.to_owned() };
        let Life { me, is_closed } = *self.life.borrow();
        if is_closed {
            return Err(unreachable("this node has stopped"));
        }
        let Some(credentials) = &self.credentials else {
            return Err(unreachable("this node has no secret, and is alone"));
        };
        let is_usable = |link: &LinkHandle| &*link.address == address;
        let count = links.to.len();
        let entry = match links.to.entry(to) {
            Entry::Occupied(link) if is_usable(link.get()) => return Ok(link.into_mut()),
            Entry::Vacant(_) if count >= LINKS_MAX => return Err(CallError::Overloaded),
            entry => entry,
        };
        links.last_number += 1;
        let (asked, receiver) = batch::queue();
        let route = Route { me, to, address: Arc::from(address), number: links.last_number };
        let room = Room::new(LINK_UNITS_MAX, Some(Arc::clone(&self.room)));
        let address = route.address.clone();
        let link = LinkHandle { number: route.number, address, asked, room: Arc::clone(&room) };
        let driver = Driver::new(self.clone(), credentials.clone(), route, receiver, room);
        self.spawner.spawn(driver.run());
        Ok(entry.insert_entry(link).into_mut())
    }

    /// Takes a link out of the table, unless something was asked meanwhile, which is in `taken`
    /// then. Whether it is out.
    pub(crate) fn forget(
        &self,
        to: Member,
        number: u64,
        asked: &batch::Receiver<Asked>,
        taken: &mut Vec<Asked>,
    ) -> bool {
        let mut links = self.links();
        if asked.take_unripe(taken) {
            return false;
        }
        if links.to.get(&to).is_some_and(|link| link.number == number) {
            links.to.remove(&to);
        }
        true
    }

    pub(crate) fn set_me(&self, me: Member) {
        let mut links = self.links();
        links.to.clear();
        self.life.send_modify(|life| life.me = me);
    }

    pub(crate) fn close(&self) {
        let mut links = self.links();
        links.to.clear();
        self.life.send_modify(|life| life.is_closed = true);
    }

    /// A place for a connection of this member. A former one of the same member is ended: a node
    /// dials another one again only when its connection broke, even if this side has not noticed.
    pub(crate) fn place(self: &Arc<Self>, from: Member) -> Option<Place> {
        let mut accepted = self.accepted();
        if accepted.len() >= LINKS_MAX && !accepted.contains_key(&from) {
            return None;
        }
        let replaced = Arc::new(Notify::new());
        if let Some(former) = accepted.insert(from, replaced.clone()) {
            former.notify_one();
        }
        Some(Place { shared: self.clone(), from, replaced })
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accepted(&self) -> MutexGuard<'_, HashMap<Member, Arc<Notify>>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(place) = self.shared.accepted().entry(self.from)
            && Arc::ptr_eq(place.get(), &self.replaced)
        {
            place.remove();
        }
    }
}
