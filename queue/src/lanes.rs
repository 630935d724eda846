//! The lanes in which a handle takes messages out.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::defaults::DEQUEUES_MAX;
use crate::lane::Lane;
use crate::sender::Common;
use crate::{DequeueError, Pieces, keys};

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
            Some(lane) if lane.is_unsettled() => {
                // Of a call that was dropped: nobody wants its messages any more.
                lane.settle().await?;
            }
            Some(_) => {}
            None => {
                let key = keys::producer(&self.producer, number);
                leased.lane = Some(Lane::load(&self.common, key, self.life).await?);
            }
        }
        Ok(leased)
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
        Ok(lane.commit(pieces, now_ms, 0).await?)
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
