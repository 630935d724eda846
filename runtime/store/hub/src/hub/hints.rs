//! The watches of one connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use throughline_store::{Store, Watch};

use crate::frame::{write_hint, write_watch_refused};
use crate::limits::PREFIXES_MAX;

/// The number of the watch, and the watch itself unless it has ended.
type Hinted = (u32, Option<Watch>);
type Waiting = Abortable<Pin<Box<dyn Future<Output = Hinted> + Send>>>;

/// The watches of one connection. A watch that has hinted rests until its hint has left, so that
/// each has at most one hint in the buffer, whatever is committed meanwhile.
#[derive(Default)]
pub(super) struct Hints {
    waiting: FuturesUnordered<Waiting>,
    /// What ends each watch. At most `PREFIXES_MAX`.
    aborts: Vec<(u32, AbortHandle)>,
    resting: Vec<(u32, Watch)>,
    /// Watches that the store refused; the client is told. At most one per frame read.
    refused: Vec<u32>,
}

impl Hints {
    /// Begins a watch.
    pub(super) fn watch(&mut self, store: &Arc<dyn Store>, number: u32, prefix: Bytes) {
        if self.aborts.len() >= PREFIXES_MAX {
            self.refused.push(number);
            return;
        }
        match store.watch(prefix) {
            Ok(watch) => self.wait_for(number, watch),
            Err(error) => {
                log::warn!("hub: a watch is refused, its client gets no hints: {error}");
                self.refused.push(number);
            }
        }
    }

    /// Ends a watch.
    pub(super) fn unwatch(&mut self, number: u32) {
        self.resting.retain(|(resting, _)| *resting != number);
        self.aborts.retain(|(waiting, abort)| {
            if *waiting == number {
                abort.abort();
            }
            *waiting != number
        });
    }

    /// Looks at the watches that rested again: the hints have left.
    pub(super) fn handle_written(&mut self) {
        for (number, watch) in std::mem::take(&mut self.resting) {
            self.aborts.retain(|(waiting, _)| *waiting != number);
            self.wait_for(number, watch);
        }
    }

    /// Writes the hints that are due into the batch; ready if there were any.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, out: &mut BytesMut) -> Poll<()> {
        let before = out.len();
        for number in self.refused.drain(..) {
            write_watch_refused(out, number);
        }
        while let Poll::Ready(Some(hinted)) = self.waiting.poll_next_unpin(cx) {
            // An aborted one was ended by its client.
            let Ok((number, watch)) = hinted else { continue };
            match watch {
                Some(watch) => {
                    write_hint(out, number);
                    self.resting.push((number, watch));
                }
                None => {
                    self.aborts.retain(|(waiting, _)| *waiting != number);
                    write_watch_refused(out, number);
                }
            }
        }
        if out.len() > before { Poll::Ready(()) } else { Poll::Pending }
    }

    fn wait_for(&mut self, number: u32, mut watch: Watch) {
        let (abort, registration) = AbortHandle::new_pair();
        let changed: Pin<Box<dyn Future<Output = Hinted> + Send>> = Box::pin(async move {
            let changed = watch.changed().await;
            (number, changed.is_ok().then_some(watch))
        });
        self.aborts.push((number, abort));
        self.waiting.push(Abortable::new(changed, registration));
    }
}
