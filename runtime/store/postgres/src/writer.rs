//! A connection that commits: takes a group, writes it, and finds out what became of it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use throughline_store::{Batch, CommitError, Corruption};
use tokio::time::{Instant, sleep, timeout_at};

use crate::OpenError;
use crate::connection::{Connection, Purpose, random_id};
use crate::limits::{OPEN_STATEMENT, TRIES_MAX, TRY_AGAIN_WITHIN};
use crate::member::Member;
use crate::plan::NotAdmitted;
use crate::queue::{Answer, Group};
use crate::shared::Shared;
use crate::stats::add;
use crate::transaction::{self, Done, Failure};

/// Why a connection is given up that works.
pub(crate) const MOVED: &str = "the primary has moved";

type Outcomes = Vec<Result<(), CommitError>>;

/// Commits groups until the store closes.
pub(crate) async fn run(shared: Arc<Shared>, mut member: Member) {
    while member.connect(Purpose::Write).await {
        let (group, has_more) = {
            let mut queue = shared.queue();
            (queue.take(), queue.has_fresh())
        };
        let Some(group) = group else {
            if !member.wait_for(&shared.commits).await {
                break;
            }
            continue;
        };
        if has_more {
            shared.commits.notify_one();
        }
        serve(&shared, &mut member, group).await;
    }
}

async fn serve(shared: &Shared, member: &mut Member, mut group: Group) {
    let deadline = Instant::now() + shared.options.waits.commit;
    let mut answers = std::mem::take(&mut group.answers);
    {
        let mut work = pin!(commit(shared, member, &group.batches, deadline));
        match timeout_at(deadline, &mut work).await {
            Ok(outcomes) => answer(shared, std::mem::take(&mut answers), outcomes),
            Err(_) => {
                answer_unknown(shared, std::mem::take(&mut answers));
                // The keys stay in use, so that what comes behind on them is not begun, and ends
                // `Down`, not `Unknown`. A connection that waits for a standby is not given up
                // either: the server would keep it, and the next one would wait as well.
                tokio::select! {
                    _ = &mut work => {}
                    () = closed(shared) => {}
                }
            }
        }
    }
    shared.queue().release(&group);
    shared.commits.notify_one();
}

async fn closed(shared: &Shared) {
    let mut closing = shared.closing.subscribe();
    // The sender outlives this borrow.
    let _ = closing.wait_for(|is_closing| *is_closing).await;
}

fn answer(shared: &Shared, answers: Vec<Answer>, outcomes: Outcomes) {
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        let counter = match &outcome {
            Ok(()) => Some(&shared.counters.commits),
            Err(CommitError::Refused(_)) => Some(&shared.counters.refused),
            Err(CommitError::Unknown { .. }) => Some(&shared.counters.unknown),
            Err(_) => None,
        };
        if let Some(counter) = counter {
            add(counter, 1);
        }
        answer.send(outcome);
    }
}

fn answer_unknown(shared: &Shared, answers: Vec<Answer>) {
    let seconds = shared.options.waits.commit.as_secs_f32();
    let reason = shared.reason(&format!("the commit was not answered within {seconds} s"));
    log::warn!("{} commits are unknown: {reason}", answers.len());
    let unknown = || Err(CommitError::Unknown { reason: reason.clone() });
    let outcomes = answers.iter().map(|_| unknown()).collect();
    answer(shared, answers, outcomes);
}

/// Tries until it is known what became of each batch, or no time is left.
async fn commit(
    shared: &Shared,
    member: &mut Member,
    batches: &[Batch],
    deadline: Instant,
) -> Outcomes {
    let all = |error: CommitError| vec![Err(error); batches.len()];
    let mut last = String::new();
    for tries in 0..TRIES_MAX {
        if tries > 0 {
            add(&shared.counters.repeated, 1);
        }
        if !member.connect_by(Purpose::Write, deadline).await {
            break;
        }
        let Some(connection) = member.connection() else { continue };
        let id = match random_id() {
            Ok(id) => id,
            Err(error) => return all(CommitError::Down(shared.outage(&error.to_string()))),
        };
        let outcome = tokio::select! {
            outcome = transaction::run(connection, batches, id, tries > 0) => outcome,
            () = member.moved() => Err(moved()),
        };
        match outcome {
            Ok(done) => return outcomes(shared, batches, done),
            Err(Failure::Again(reason)) => {
                log::debug!("a group is tried again: {reason}");
                last = reason;
                sleep(Duration::from_secs_f32(TRY_AGAIN_WITHIN.as_secs_f32() * fastrand::f32()))
                    .await;
            }
            Err(Failure::Broken(reason)) => {
                last = reason.clone();
                member.disconnect(reason);
            }
            Err(Failure::Refused(reason)) => {
                log::error!("the server refused a group: {reason}");
                return all(CommitError::Down(shared.outage(&reason)));
            }
            Err(Failure::Damaged(detail)) if batches.len() == 1 => {
                return all(CommitError::Corrupt(Corruption { detail }));
            }
            Err(Failure::Damaged(_)) => return one_by_one(shared, member, batches, deadline).await,
            Err(Failure::Lost { done, reason }) => {
                log::warn!("the answer to a group is lost: {reason}");
                member.disconnect(reason.clone());
                match (resolve(shared, member, id, deadline).await, done) {
                    (Some(true), Some(done)) => return outcomes(shared, batches, done),
                    (Some(false), _) => last = reason,
                    // No time is left, or which of them were refused went with the server.
                    (Some(true), None) | (None, _) => {
                        let reason = shared.reason(&reason);
                        return all(CommitError::Unknown { reason });
                    }
                }
            }
        }
    }
    // Every try was rolled back.
    all(CommitError::Down(shared.outage(&format!("the commit was tried and undone: {last}"))))
}

/// Another server is the primary now: what became of a transaction on the old one is not known.
fn moved() -> Failure {
    Failure::Lost { done: None, reason: MOVED.to_owned() }
}

/// One of them met damage: the others are not its concern.
async fn one_by_one(
    shared: &Shared,
    member: &mut Member,
    batches: &[Batch],
    deadline: Instant,
) -> Outcomes {
    let mut outcomes = Vec::with_capacity(batches.len());
    for batch in batches {
        let one = Box::pin(commit(shared, member, std::slice::from_ref(batch), deadline));
        outcomes.extend(one.await);
    }
    outcomes
}

fn outcomes(shared: &Shared, batches: &[Batch], done: Done) -> Outcomes {
    add(&shared.counters.groups, 1);
    add(&shared.counters.records, done.records);
    let outcome = |(batch, verdict): (&Batch, Result<(), NotAdmitted>)| match verdict {
        Ok(()) => {
            shared.watches.tell(batch.writes().iter());
            Ok(())
        }
        Err(NotAdmitted::Refused(refusal)) => Err(CommitError::Refused(refusal)),
        Err(NotAdmitted::Corrupt(corruption)) => Err(CommitError::Corrupt(corruption)),
    };
    batches.iter().zip(done.verdicts).map(outcome).collect()
}

/// Finds out whether a transaction has landed, and if not, sees to it that it never does. `None`:
/// no time is left.
async fn resolve(shared: &Shared, member: &mut Member, id: i64, deadline: Instant) -> Option<bool> {
    while member.connect_by(Purpose::Write, deadline).await {
        let Some(connection) = member.connection() else { continue };
        let asked = tokio::select! {
            asked = ask(connection, id) => asked,
            () = member.moved() => Err(OpenError::Failed { reason: MOVED.to_owned() }),
        };
        match asked {
            Ok(has_landed) => {
                add(&shared.counters.resolved, 1);
                return Some(has_landed);
            }
            Err(error) => member.disconnect(error.to_string()),
        }
    }
    None
}

/// Writes the number of the transaction in its place: if that is taken, it has landed; if not, it
/// fails when it gets there. If it is under way, this waits for its end.
async fn ask(connection: &Connection, id: i64) -> Result<bool, OpenError> {
    let Connection { client, statements, .. } = connection;
    let timeout = |time: Duration| format!("set statement_timeout = {}", time.as_millis());
    client.batch_execute(&timeout(OPEN_STATEMENT)).await?;
    client.execute(&statements.fence, &[&id]).await?;
    let has_landed = client.query_one(&statements.outcome, &[&id]).await?.try_get(0)?;
    // Whatever it is, a standby has it from here on.
    connection.settle().await?;
    client.batch_execute(&timeout(Duration::ZERO)).await?;
    Ok(has_landed)
}
