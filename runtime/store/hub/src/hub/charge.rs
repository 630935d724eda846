//! What calls under way may take.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use throughline_store::limits::{KEY_BYTES_MAX, PAGE_BYTES_MAX, VALUE_BYTES_MAX};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::frame::Head;
use crate::limits::{CONNECTION_UNITS_MAX, TEXT_BYTES_MAX, units};
use crate::wire;

/// Beside the bytes of keys and values in an answer, or its key and text if the call failed.
const ANSWER_OVERHEAD: usize = KEY_BYTES_MAX + TEXT_BYTES_MAX;

type Acquire = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// The room of one connection: its own bound, and its part of the hub's.
pub(super) struct Room {
    /// Units that this connection's calls and unsent answers have.
    used: usize,
    hub: Arc<Semaphore>,
    /// In the line for the hub's room: how much, and the place in the line.
    waiting: Option<(usize, Acquire)>,
    /// What the line has given.
    ready: Option<Charge>,
}

/// What one call has of the room: of the hub's by the permit, of the connection's by number.
#[derive(Debug)]
pub(super) struct Charge {
    units: usize,
    permit: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new(hub: Arc<Semaphore>) -> Self {
        Self { used: 0, hub, waiting: None, ready: None }
    }

    /// Takes room for the frame with this head and for the largest answer to it. `None`: there is
    /// none now; ask again for the same frame when something has left, or when `poll_wait` is
    /// ready.
    pub(super) fn take(&mut self, head: Head) -> Option<Charge> {
        if let Some(charge) = self.ready.take() {
            return Some(charge);
        }
        if self.waiting.is_some() {
            return None;
        }
        let wanted = price(head);
        // A connection that has nothing under way gets room for any frame.
        if self.used + wanted > CONNECTION_UNITS_MAX && self.used > 0 {
            return None;
        }
        let count = u32::try_from(wanted).unwrap_or(u32::MAX);
        match self.hub.clone().try_acquire_many_owned(count) {
            Ok(permit) => {
                self.used += wanted;
                Some(Charge { units: wanted, permit })
            }
            Err(_) => {
                let acquire = self.hub.clone().acquire_many_owned(count);
                self.waiting = Some((wanted, Box::pin(acquire)));
                None
            }
        }
    }

    /// Ready once this connection, if it stands in the line for the hub's room, has got it.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((units, acquire)) = &mut self.waiting else { return Poll::Pending };
        let Poll::Ready(permit) = acquire.as_mut().poll(cx) else { return Poll::Pending };
        // The hub never closes its semaphore, so this is always a permit.
        if let Ok(permit) = permit {
            self.used += *units;
            self.ready = Some(Charge { units: *units, permit });
        }
        self.waiting = None;
        Poll::Ready(())
    }

    /// Lowers a charge to what is needed from now on.
    pub(super) fn lower(&mut self, charge: &mut Charge, bytes: usize) {
        let needed = units(bytes).max(1);
        let excess = charge.units.saturating_sub(needed);
        if let Some(permit) = charge.permit.split(excess) {
            drop(permit);
            charge.units -= excess;
            self.used -= excess;
        }
    }

    /// Gives a charge back.
    pub(super) fn give_back(&mut self, charge: Charge) {
        self.used -= charge.units;
    }
}

impl Charge {
    /// Adds another one of the same connection.
    pub(super) fn join(&mut self, other: Self) {
        self.units += other.units;
        self.permit.merge(other.permit);
    }
}

/// Units for a frame and for the largest answer to it.
fn price(head: Head) -> usize {
    let answer = match head.kind {
        wire::GET => VALUE_BYTES_MAX + ANSWER_OVERHEAD,
        wire::SCAN => PAGE_BYTES_MAX + ANSWER_OVERHEAD,
        _ => ANSWER_OVERHEAD,
    };
    units(head.frame_bytes() + answer)
}
