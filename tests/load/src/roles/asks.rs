//! Asks of either side: a window of them in flight, each reply checked and timed.
//!
//! The measuring is the same code for ours and for the limit: one look at the clock for each ask.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};

use crate::echo::{Slice, Totals};
use crate::error::Error;
use crate::latency::Latency;
use crate::numbers::{Checker, Counts};
use crate::parent::Question;
use crate::roles::counter::{Added, Counted};
use crate::roles::worker::Desk;

/// Asks that failed and are named; their number is reported anyway.
const FAILED_SHOWN_MAX: u64 = 10;

/// Of those that began, so many are asked once more at the end.
const ASKED_AGAIN_MAX: u64 = 1_000;

/// How long the nodes may take to know each other, and how often that is looked at.
const READY_MAX: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(50);

/// What is asked.
pub(crate) trait Asked {
    /// Whether each number is asked of another counter, which begins for it.
    const ARE_NEW: bool;

    /// Adds a number.
    fn add(&self, number: u64) -> impl Future<Output = Result<Added, String>>;

    /// What the counter of this number has counted; 0 is a number of nothing.
    fn total(&self, number: u64) -> impl Future<Output = Result<Counted, String>>;
}

/// What a side answers its parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Slice(Slice),
    Totals(Totals),
    Ready,
}

/// What was asked, and what came of it.
struct Tally {
    counts: Counts,
    checker: Checker,
    latency: Latency,
    /// Replies within the slice.
    handled: u64,
    failed: u64,
}

impl Tally {
    fn handle(&mut self, number: u64, are_new: bool, reply: Result<Added, String>) {
        let reply = match reply {
            Ok(reply) => reply,
            Err(why) => {
                // It is not delivered, so it counts as lost.
                self.failed += 1;
                if self.failed <= FAILED_SHOWN_MAX {
                    eprintln!("load: ask {number} failed: {why}");
                }
                return;
            }
        };
        self.counts.corrupted += u64::from(reply.number != number);
        match are_new {
            // Each counter has counted one.
            true => {
                self.counts.delivered += 1;
                self.counts.duplicated += u64::from(reply.count != 1);
            }
            // The one counter has counted all, in the order in which they were asked; replies may
            // be looked at in another.
            false => {
                let reordered = u64::from(reply.count != number);
                self.counts += Counts { reordered, ..self.checker.handle(reply.count) };
            }
        }
    }
}

/// Asks until the parent has no more questions.
pub(crate) async fn work<A: Asked>(
    asked: A,
    window: u64,
    mut desk: Desk<Answer>,
) -> Result<(), Error> {
    let tally = RefCell::new(Tally {
        counts: Counts::default(),
        checker: Checker::default(),
        latency: Latency::new(),
        handled: 0,
        failed: 0,
    });
    begin(&asked).await?;
    desk.say(Answer::Ready)?;
    while let Some(question) = desk.next().await {
        if let Question::Slice { millis } = question {
            tally.borrow_mut().handled = 0;
            let until = Instant::now() + Duration::from_millis(millis);
            let asks = (0..window).map(|_| one(&asked, &tally, until));
            let mut asks: FuturesUnordered<_> = asks.collect();
            // Not cut into pieces by tokio's budget: neither side.
            tokio::task::unconstrained(async { while asks.next().await.is_some() {} }).await;
            let handled = tally.borrow().handled;
            desk.say(Answer::Slice(Slice { millis, handled }))?;
        } else {
            settle(&asked, &tally).await?;
            let tally = tally.borrow();
            let service = tally.latency.recorded();
            desk.say(Answer::Totals(Totals {
                counts: tally.counts,
                service,
                ..Totals::default()
            }))?;
        }
    }
    Ok(())
}

/// Waits until the counter has begun: a node that has just started may not know yet where.
async fn begin<A: Asked>(asked: &A) -> Result<(), Error> {
    let until = Instant::now() + READY_MAX;
    while let Err(why) = asked.total(0).await {
        if Instant::now() >= until {
            return Err(Error::Client { what: "begin the counter", why });
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

/// One place of the window: asks again and again until the slice is over.
async fn one<A: Asked>(asked: &A, tally: &RefCell<Tally>, until: Instant) {
    let mut begun = Instant::now();
    while begun < until {
        let number = {
            let counts = &mut tally.borrow_mut().counts;
            counts.sent += 1;
            counts.sent
        };
        let reply = asked.add(number).await;
        let done = Instant::now();
        let mut tally = tally.borrow_mut();
        tally.handle(number, A::ARE_NEW, reply);
        if done < until {
            tally.latency.record(done - begun);
            tally.handled += 1;
        }
        begun = done;
    }
}

/// Compares what the counters have counted with what was asked.
async fn settle<A: Asked>(asked: &A, tally: &RefCell<Tally>) -> Result<(), Error> {
    let failed = |why| Error::Client { what: "ask for the total", why };
    let sent = tally.borrow().counts.sent;
    if !A::ARE_NEW {
        let total = asked.total(1).await.map_err(failed)?;
        let sum = (1..=sent).fold(0_u64, u64::wrapping_add);
        let counts = &mut tally.borrow_mut().counts;
        counts.duplicated += total.count.saturating_sub(sent);
        counts.delivered = counts.delivered.min(total.count);
        counts.corrupted += u64::from(total.count == sent && total.sum != sum);
        return Ok(());
    }
    let every = usize::try_from((sent / ASKED_AGAIN_MAX).max(1)).unwrap_or(1);
    for number in (1..=sent).step_by(every) {
        let total = asked.total(number).await.map_err(failed)?;
        let counts = &mut tally.borrow_mut().counts;
        counts.duplicated += total.count.saturating_sub(1);
        counts.delivered -= 1_u64.saturating_sub(total.count);
        counts.corrupted += u64::from(total.count == 1 && total.sum != number);
    }
    Ok(())
}
