//! The producer of a handle: its record, and the commit of enqueues that is under way.

use std::time::Duration;

use throughline_store::{CommitError, Outage};
use tokio::sync::oneshot;

use crate::defaults::{BYTES_MAX, COMMITS_MAX, MESSAGES_MAX};
use crate::lane::{Lane, LaneError};
use crate::metrics::add;
use crate::rows::Rows;
use crate::sender::{Answer, Common, Enqueued, Request, Waiting};
use crate::{AdmitError, EnqueueError, Pieces, Position, Producing};

/// Whoever holds the lock on it makes the commits.
#[derive(Debug)]
pub(crate) struct Producer {
    common: Common,
    lane: Lane,
    producing: Producing,
    /// That of the last message that is there, or may be.
    number: u64,
    /// Taken from those that wait, and not admitted yet.
    taken: Vec<Request>,
    under_way: Option<UnderWay>,
}

/// A commit of enqueues, and who waits for it.
#[derive(Debug)]
struct UnderWay {
    pieces: Pieces,
    last_ms: u64,
    number: u64,
    answers: Vec<(Position, oneshot::Sender<Answer>)>,
}

impl Producer {
    pub(crate) const fn new(common: Common, lane: Lane, producing: Producing, number: u64) -> Self {
        Self { common, lane, producing, number, taken: Vec::new(), under_way: None }
    }

    pub(crate) const fn last_number(&self) -> u64 {
        self.number
    }

    /// Makes one commit for those that wait. May be dropped at any point: the next call goes on.
    pub(crate) async fn drive(&mut self, waiting: &Waiting) {
        if self.under_way.is_none() {
            // Those who are about to enqueue, too, share the commit.
            tokio::task::yield_now().await;
            self.take(waiting);
            if self.taken.is_empty() {
                return;
            }
            // A commit whose callers have got an answer, and which is still not settled.
            if self.lane.is_unsettled() {
                if let Err(error) = self.lane.settle().await {
                    return self.refuse(&error);
                }
                self.number = self.lane.number();
            }
            let verdicts = self.admit().await;
            self.stage(verdicts);
        }
        if self.under_way.is_some() {
            let outcome = self.commit().await;
            self.answer(&outcome);
        }
    }

    /// Takes what fits one commit from the front of those that wait.
    fn take(&mut self, waiting: &Waiting) {
        let mut bytes: usize = self.taken.iter().map(|request| request.payload.len()).sum();
        waiting.take_while(|request| {
            bytes += request.payload.len();
            let fits = self.taken.len() < MESSAGES_MAX && bytes <= BYTES_MAX;
            if !fits && !self.taken.is_empty() {
                return Some(request);
            }
            self.taken.push(request);
            None
        });
    }

    /// Whether each of the taken may be enqueued, in their order.
    async fn admit(&self) -> Vec<Result<(), AdmitError>> {
        let Common { store, clock, estimates, .. } = &self.common;
        let wanted = self.taken.iter().map(|request| (&request.name, request.payload.len()));
        let wanted: Vec<_> = wanted.collect();
        estimates.admit_all(&**store, &wanted, clock.now_ms()).await
    }

    /// Makes a commit of those that were admitted, and answers the others.
    fn stage(&mut self, verdicts: Vec<Result<(), AdmitError>>) {
        let now_ms = self.common.clock.now_ms();
        let mut rows = Rows::default();
        let mut answers = Vec::with_capacity(self.taken.len());
        for (request, verdict) in self.taken.drain(..).zip(verdicts) {
            let number = request.number.unwrap_or(self.number + 1);
            if number <= self.number {
                // Whoever has gone does not want to know, here and below.
                drop(request.answer.send(Ok(Enqueued::Repeated)));
                continue;
            }
            if let Err(error) = verdict {
                let is_full = matches!(error, AdmitError::Full(_));
                add(&self.common.counters.full, usize::from(is_full));
                drop(request.answer.send(Err(error.into())));
                continue;
            }
            self.number = number;
            let position = self.producing.position(number, now_ms);
            rows.push(request.name, position, request.expires_ms, request.payload);
            answers.push((position, request.answer));
        }
        if answers.is_empty() {
            return;
        }
        let pieces = Pieces { checks: Vec::new(), writes: rows.into_writes() };
        let (last_ms, number) = (self.producing.last_ms, self.number);
        self.under_way = Some(UnderWay { pieces, last_ms, number, answers });
    }

    /// Makes the commit under way, or settles it.
    async fn commit(&mut self) -> Result<(), LaneError> {
        let Some(under_way) = &self.under_way else { return Ok(()) };
        for _ in 0..COMMITS_MAX {
            let landed = if self.lane.is_unsettled() {
                self.lane.settle().await?
            } else {
                let UnderWay { pieces, last_ms, number, .. } = under_way;
                self.lane.commit(pieces.clone(), *last_ms, *number).await?
            };
            if landed {
                return Ok(());
            }
        }
        let reason = format!("{COMMITS_MAX} commits were unknown, and have not landed");
        Err(LaneError::NotWritten(CommitError::Down(Outage {
            reason,
            retry_after: Duration::ZERO,
        })))
    }

    fn answer(&mut self, outcome: &Result<(), LaneError>) {
        let Some(under_way) = self.under_way.take() else { return };
        // Numbers of what surely is not there are free again: their callers come with them anew.
        if outcome.is_err() && !self.lane.is_unsettled() {
            self.number = self.lane.number();
        }
        let counters = &self.common.counters;
        if outcome.is_ok() {
            add(&counters.enqueued, under_way.answers.len());
            add(&counters.enqueue_commits, 1);
        }
        for (position, answer) in under_way.answers {
            let outcome = outcome.clone().map(|()| Enqueued::New(position));
            drop(answer.send(outcome.map_err(EnqueueError::from)));
        }
    }

    /// Answers those taken, none of which was tried.
    fn refuse(&mut self, error: &LaneError) {
        let reason = match error {
            LaneError::Unknown(reason) => reason.clone(),
            error => format!("{error:?}"),
        };
        let down = Outage { reason, retry_after: Duration::ZERO };
        for request in self.taken.drain(..) {
            let error = EnqueueError::NotWritten(CommitError::Down(down.clone()));
            drop(request.answer.send(Err(error)));
        }
    }
}
