//! The lanes in which a handle takes messages out.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::defaults::DEQUEUES_MAX;
use crate::lane::{Lane, LaneError};
use crate::record::Record;
use crate::sender::Common;
use crate::{DequeueError, Pieces, ReadError, keys};

/// Lends lanes to dequeues. As many rows are made as dequeues were ever under way at once.
#[derive(Debug)]
pub(crate) struct Lanes {
    common: Common,
    producer: String,
    life: u64,
    room: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<Lane>,
    /// Numbers of lanes that were lent and never given back, since they were not read.
    unread: Vec<u16>,
    made: u16,
}

/// A lane of one's own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Leased<'a> {
    lanes: &'a Lanes,
    lane: Option<Lane>,
    number: u16,
    _room: Option<SemaphorePermit<'a>>,
}

impl Lanes {
    pub(crate) fn new(common: Common, producer: String, life: u64) -> Self {
        let room = Semaphore::new(DEQUEUES_MAX);
        Self { common, producer, life, room, state: Mutex::default() }
    }

    pub(crate) async fn lease(&self) -> Result<Leased<'_>, DequeueError> {
        // It is never closed; without a permit the bound would merely not hold.
        let room = self.room.acquire().await.ok();
        let (lane, number) = self.with(|state| match state.free.pop() {
            Some(lane) => (Some(lane), 0),
            None => (None, state.unread.pop().unwrap_or_else(|| state.next())),
        });
        let mut leased = Leased { lanes: self, lane, number, _room: room };
        match &mut leased.lane {
            Some(lane) if lane.is_unsettled() => match lane.settle().await {
                Err(error) if lane.is_unsettled() => return Err(error.into()),
                // Of a call that was dropped: nobody wants its messages any more.
                _ => {}
            },
            Some(_) => {}
            None => {
                let key = keys::producer(&self.producer, number);
                let mut lane = Lane::new(&self.common, key, self.life, None);
                self.go_on(&mut lane).await?;
                leased.lane = Some(lane);
            }
        }
        Ok(leased)
    }

    /// Goes on with a lane whose row others may have changed: a dequeue of an earlier handle that
    /// landed late, an older handle that does not know yet that it is one, or a sweep. None of them
    /// is a reason to stop, since what is taken out is checked by itself; a newer handle is.
    async fn go_on(&self, lane: &mut Lane) -> Result<(), DequeueError> {
        let own = self.common.store.get(keys::producer(&self.producer, 0)).await;
        let own = own.map_err(ReadError::from)?;
        let own = own.as_ref().map(Record::decode).transpose().map_err(ReadError::from)?;
        if own.is_some_and(|own| own.life != self.life) {
            return Err(DequeueError::Fenced);
        }
        Ok(lane.reload().await?)
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// From 1 on: lane 0 is that of enqueues.
    const fn next(&mut self) -> u16 {
        self.made += 1;
        self.made
    }
}

impl Leased<'_> {
    /// Makes a commit: whether it has landed, or surely has not. Refused by a check of the pieces
    /// is `Contended`.
    pub(crate) async fn commit(&mut self, pieces: Pieces) -> Result<bool, DequeueError> {
        let now_ms = self.lanes.common.clock.now_ms();
        let Some(lane) = &mut self.lane else { return Ok(false) };
        match lane.commit(pieces, now_ms, 0).await {
            Err(LaneError::Fenced) => self.lanes.go_on(lane).await.map(|()| false),
            outcome => Ok(outcome?),
        }
    }
}

impl Drop for Leased<'_> {
    fn drop(&mut self) {
        let (lane, number) = (self.lane.take(), self.number);
        self.lanes.with(|state| match lane {
            Some(lane) => state.free.push(lane),
            None => state.unread.push(number),
        });
    }
}
