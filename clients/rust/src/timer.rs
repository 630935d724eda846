//! The clock of one client and its one timer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use throughline_link::Instant;
use tokio::time::{Instant as Clock, Sleep, sleep_until};

/// A deadline that the clock cannot express is as good as this one.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Counts from the client's start; wakes at most one deadline.
///
/// Deadlines mostly move later, with every message. So the timer is only set again if a deadline
/// is earlier than the one it has; if it fires early it is set to the present one.
#[derive(Debug)]
pub(crate) struct Timer {
    start: Clock,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self { start: Clock::now(), sleep: None, armed: None }
    }

    /// The time since the client's start.
    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// Ready once `due` has passed.
    pub(crate) fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let after = Duration::from_micros(due.as_micros());
        let deadline = self.start.checked_add(after).unwrap_or_else(|| self.start + FAR);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            if self.armed.is_none_or(|armed| due < armed) {
                sleep.as_mut().reset(deadline);
                self.armed = Some(due);
            }
            ready!(sleep.as_mut().poll(cx));
            if self.armed.take() == Some(due) {
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn wait(timer: &mut Timer, due: u64) -> u64 {
        let due = Instant::from_micros(due);
        poll_fn(|cx| timer.poll(due, cx)).await;
        timer.now().as_micros()
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_is_met_wherever_it_moves() {
        let mut timer = Timer::new();
        let arm = |timer: &mut Timer, due| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            assert_eq!(timer.poll(Instant::from_micros(due), &mut cx), Poll::Pending);
        };
        arm(&mut timer, 10_000);
        assert_eq!(wait(&mut timer, 50_000).await, 50_000, "later than armed");
        arm(&mut timer, 900_000);
        assert_eq!(wait(&mut timer, 70_000).await, 70_000, "earlier than armed");
        assert_eq!(wait(&mut timer, 60_000).await, 70_000, "already passed");
    }
}
