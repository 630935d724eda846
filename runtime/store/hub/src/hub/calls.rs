//! The calls of one connection that are under way in the store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use throughline_store::wake::gathered;
use throughline_store::{CommitError, GetError, Page, ScanError, Store};

use crate::frame::{Failure, Frame, write_done, write_failed, write_page, write_value};
use crate::hub::charge::{Charge, Room};
use crate::limits::WRITE_BYTES;

/// The calls under way. How many there are is bounded by the room: each has a charge.
#[derive(Default)]
pub(super) struct Calls {
    under_way: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
    /// The connection's waker, and what wakes it once for the answers of a group.
    wakers: Option<(Waker, Waker)>,
}

struct Done {
    call: u64,
    answer: Answer,
    charge: Charge,
}

enum Answer {
    Get(Result<Option<Bytes>, GetError>),
    Scan(Result<Page, ScanError>),
    Commit(Result<(), CommitError>),
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Passes a call to the store. A frame that is no call is given back with its charge.
    pub(super) fn begin(
        &self,
        store: &Arc<dyn Store>,
        frame: Frame,
        charge: Charge,
    ) -> Result<(), (Frame, Charge)> {
        match frame {
            Frame::Get { call, key } => {
                let answer = store.get(key);
                self.push(async move { Done { call, answer: Answer::Get(answer.await), charge } });
            }
            Frame::Scan { call, scan } => {
                let answer = store.scan(scan);
                self.push(async move { Done { call, answer: Answer::Scan(answer.await), charge } });
            }
            Frame::Commit { call, batch } => {
                let answer = store.commit(batch);
                self.push(
                    async move { Done { call, answer: Answer::Commit(answer.await), charge } },
                );
            }
            other => return Err((other, charge)),
        }
        Ok(())
    }

    /// Outside tokio's budget: a future that has an answer but no budget wakes itself at once, so
    /// that all others would be polled in vain for each 128 that are answered.
    fn push(&self, call: impl Future<Output = Done> + Send + 'static) {
        self.under_way.push(Box::pin(tokio::task::unconstrained(call)));
    }

    /// Writes the answers that have come into the batch, until it is full; ready if there were
    /// any. `sent` is the charge of what is in the batch.
    pub(super) fn poll(
        &mut self,
        waker: &Waker,
        room: &mut Room,
        out: &mut BytesMut,
        sent: &mut Option<Charge>,
    ) -> Poll<()> {
        let before = out.len();
        let known = self.wakers.take().filter(|(known, _)| known.will_wake(waker));
        let wakers = known.unwrap_or_else(|| (waker.clone(), gathered(waker)));
        let (_, gathered) = self.wakers.insert(wakers);
        let cx = &mut Context::from_waker(gathered);
        while out.len() < WRITE_BYTES {
            let Poll::Ready(Some(done)) = self.under_way.poll_next_unpin(cx) else { break };
            let Done { call, answer, mut charge } = done;
            let start = out.len();
            write_answer(out, call, answer);
            room.lower(&mut charge, out.len() - start);
            match sent {
                Some(sent) => sent.join(charge),
                None => *sent = Some(charge),
            }
        }
        if out.len() > before { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn write_answer(out: &mut BytesMut, call: u64, answer: Answer) {
    match answer {
        Answer::Get(Ok(value)) => write_value(out, call, value.as_deref()),
        Answer::Scan(Ok(page)) => write_page(out, call, page.entries(), page.next()),
        Answer::Commit(Ok(())) => write_done(out, call),
        Answer::Get(Err(error)) => write_failed(out, call, &Failure::from(error)),
        Answer::Scan(Err(error)) => write_failed(out, call, &Failure::from(error)),
        Answer::Commit(Err(error)) => write_failed(out, call, &Failure::from(error)),
    }
}
