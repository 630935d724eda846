//! The task of a spawned client.

use std::{
    future::{pending, poll_fn},
    sync::{Arc, PoisonError, atomic::Ordering},
    task::Poll,
};

use bytes::Bytes;
use throughline_link::SendError;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{Control, Shared, Status};
use crate::{
    defaults::{EVENTS, LEAVE_WAIT},
    driver::Driver,
    event::Event,
};

pub(super) struct Task {
    driver: Driver,
    messages: mpsc::Receiver<Bytes>,
    controls: mpsc::Receiver<Control>,
    events: mpsc::UnboundedSender<(u64, Event)>,
    /// How many events were passed on.
    passed: u64,
    /// The number of the last message that was noted as handled.
    handled: u64,
    /// A message that found the window full.
    held: Option<Bytes>,
    /// The session is left once all messages are with the link, or at that time.
    leaving: Option<(oneshot::Sender<()>, Instant)>,
    shared: Arc<Shared>,
    ended: bool,
}

impl Task {
    pub(super) fn new(
        driver: Driver,
        messages: mpsc::Receiver<Bytes>,
        controls: mpsc::Receiver<Control>,
        events: mpsc::UnboundedSender<(u64, Event)>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            driver,
            messages,
            controls,
            events,
            passed: 0,
            handled: 0,
            held: None,
            leaving: None,
            shared,
            ended: false,
        }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            self.note_handled();
            self.send_waiting();
            self.leave_if_due().await;
            let paused = !self.pass_events();
            self.publish();
            if self.ended {
                // The node may forget the session once it hears that we know.
                poll_fn(|cx| {
                    self.driver.follow(cx);
                    Poll::Ready(())
                })
                .await;
                return;
            }
            tokio::select! {
                biased;
                () = self.events.closed() => return,
                () = shared.wake.notified() => {}
                Some(control) = self.controls.recv(), if self.leaving.is_none() => {
                    self.obey(control);
                }
                Some(message) = self.messages.recv(), if self.held.is_none() => {
                    self.send(message);
                }
                () = at(self.leaving.as_ref().map(|(_, by)| *by)) => {}
                () = poll_fn(|cx| self.driver.poll_io(cx, !paused)) => {}
            }
        }
    }

    /// What the application has taken is handled.
    fn note_handled(&mut self) {
        self.driver.refresh();
        let handled = self.shared.handled.load(Ordering::Acquire);
        if handled > self.handled {
            self.handled = handled;
            self.driver.handled(handled);
        }
    }

    /// Puts what handles have sent into the link, as far as the window goes.
    fn send_waiting(&mut self) {
        while let Some(message) = self.held.take().or_else(|| self.messages.try_recv().ok()) {
            self.send(message);
            if self.held.is_some() {
                break;
            }
        }
    }

    fn send(&mut self, message: Bytes) {
        // A message that is too large was refused by the handle, and one after the end is no loss.
        if self.driver.send(&message) == Err(SendError::WouldBlock) {
            self.held = Some(message);
        }
    }

    /// Passes events on; false if the application must take some first.
    fn pass_events(&mut self) -> bool {
        loop {
            let taken = self.shared.taken.load(Ordering::Acquire);
            if self.passed - taken >= EVENTS as u64 {
                return false;
            }
            let Some(taken) = self.driver.take() else { return true };
            self.passed += 1;
            self.ended |= matches!(taken.event, Event::Ended(..));
            // If the receiver is gone the loop ends, and nothing more is noted as handled.
            let _ = self.events.send((taken.seq, taken.event));
        }
    }

    fn publish(&self) {
        let link = &self.driver.link;
        let status = Status {
            stats: link.stats(),
            rtt: link.rtt(),
            server_time: link.server_time(self.driver.time()).map(|time| (time, Instant::now())),
            live: link.is_live(),
        };
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.shared.max_frame.store(link.frame_limit(), Ordering::Relaxed);
    }

    fn obey(&mut self, control: Control) {
        match control {
            Control::Retry => self.driver.connect(),
            Control::Cut => self.driver.cut(),
            Control::Move(address, done) => {
                // Nobody waits for the answer if the caller was cancelled.
                let _ = done.send(self.driver.move_to(&address));
            }
            Control::Leave(done) => {
                // What was sent before is still received.
                self.messages.close();
                self.leaving = Some((done, Instant::now() + LEAVE_WAIT));
            }
            Control::Export(done) => {
                self.send_waiting();
                let _ = done.send(self.driver.link.export().unwrap_or_default());
            }
        }
    }

    /// Leaves if that was asked for and no message need be waited for.
    async fn leave_if_due(&mut self) {
        let waits =
            |by: Instant| self.held.is_some() && self.driver.link.is_live() && Instant::now() < by;
        let Some((done, _)) = self.leaving.take_if(|(_, by)| !waits(*by)) else { return };
        self.driver.link.leave();
        let leaving = poll_fn(|cx| self.driver.poll_leave(cx));
        let _ = tokio::time::timeout(LEAVE_WAIT, leaving).await;
        self.driver.left();
        let _ = done.send(());
    }
}

/// Waits for that time; for ever if there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
