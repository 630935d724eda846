//! The task of a spawned client.

use std::{
    future::poll_fn,
    sync::{Arc, PoisonError, atomic::Ordering},
    task::Poll,
};

use bytes::Bytes;
use throughline_link::SendError;
use tokio::{sync::mpsc, time::Instant};

use super::{Command, Shared, Status};
use crate::{
    defaults::{EVENTS, LEAVE_WAIT},
    driver::Driver,
    event::Event,
};

pub(super) struct Task {
    driver: Driver,
    commands: mpsc::Receiver<Command>,
    /// Some handle is left.
    commanded: bool,
    events: mpsc::UnboundedSender<(u64, Event)>,
    /// How many events were passed on.
    passed: u64,
    /// The number of the last message that was noted as handled.
    handled: u64,
    /// A message that found the window full.
    held: Option<Bytes>,
    shared: Arc<Shared>,
    ended: bool,
}

impl Task {
    pub(super) fn new(
        driver: Driver,
        commands: mpsc::Receiver<Command>,
        events: mpsc::UnboundedSender<(u64, Event)>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            driver,
            commands,
            commanded: true,
            events,
            passed: 0,
            handled: 0,
            held: None,
            shared,
            ended: false,
        }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            self.note_handled();
            self.send_held();
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
                command = self.commands.recv(), if self.held.is_none() && self.commanded => {
                    match command {
                        Some(command) => self.obey(command).await,
                        None => self.commanded = false,
                    }
                }
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

    fn send_held(&mut self) {
        if let Some(message) = self.held.take() {
            self.send(message);
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

    /// Does what handles ask for, until nothing is left or the window is full.
    async fn obey(&mut self, first: Command) {
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Send(message) => self.send(message),
                Command::Retry => self.driver.connect(),
                Command::Cut => self.driver.cut(),
                Command::Leave(done) => {
                    self.driver.link.leave();
                    let leaving = poll_fn(|cx| self.driver.poll_leave(cx));
                    let _ = tokio::time::timeout(LEAVE_WAIT, leaving).await;
                    self.driver.left();
                    let _ = done.send(());
                }
                Command::Export(done) => {
                    let _ = done.send(self.driver.link.export().unwrap_or_default());
                }
            }
            next = if self.held.is_none() { self.commands.try_recv().ok() } else { None };
        }
    }
}
