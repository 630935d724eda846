//! What operators may ask of a node, and what it answers: for the admin listener, the terminal
//! and whatever else speaks for them. No transport here, and nothing that waits for an actor.

mod dead_letters;
mod drain;
mod sessions;
mod status;
mod vactors;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use throughline_link::{CloseCode, Instant, SessionId};

pub(crate) use drain::{DrainNo, DrainStatus};
pub(crate) use vactors::MoveNo;

use crate::{
    actor::ToSession,
    cluster::Stage,
    kinds::refusal,
    node::Shared,
    session::{EndReason, Refusal},
    worker::Pulse,
};

/// Sessions that are told of an announcement before the thread's other work has its turn.
const TOLD_AT_ONCE: usize = 256;

/// What operators have asked of this node and is not asked of its parts.
#[derive(Debug, Default)]
pub(crate) struct Operator {
    /// The `retry_after` of maintenance in milliseconds, plus 1; 0: no maintenance.
    maintenance: AtomicU64,
    pulses: OnceLock<Vec<Arc<Pulse>>>,
}

impl Operator {
    /// How long the turn that is under way for longest has held its worker.
    pub(crate) fn longest_turn(&self, now: Instant) -> Duration {
        let pulses = self.pulses.get().map(Vec::as_slice).unwrap_or_default();
        pulses.iter().filter_map(|pulse| pulse.busy(now)).max().unwrap_or_default()
    }

    /// The workers, once they are started.
    pub(crate) fn set_pulses(&self, pulses: Vec<Arc<Pulse>>) {
        // Set once, at the start.
        let _ = self.pulses.set(pulses);
    }

    /// Whether logins are refused, and when who is refused may come again.
    pub(crate) fn maintenance(&self) -> Option<Duration> {
        let after = self.maintenance.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(after))
    }
}

/// Why an operator may end a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KickReason(EndReason);

impl KickReason {
    /// What an operator may say.
    pub(crate) const NAMES: [&str; 2] = ["kicked", "ended"];

    /// The reason of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "kicked" => Some(Self(EndReason::Kicked)),
            "ended" => Some(Self(EndReason::Ended)),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self.0 {
            EndReason::Ended => Self::NAMES[1],
            _ => Self::NAMES[0],
        }
    }
}

impl Shared {
    /// Ends a session of this node. False if it has none of this id that lives.
    pub(crate) fn kick(&self, id: SessionId, reason: KickReason) -> bool {
        let end = ToSession::End(CloseCode::from(reason.0));
        let actor = self.directory.find_live(id);
        let is_told = actor.is_some_and(|actor| actor.try_send(end).is_ok());
        if is_told {
            log::info!("operator: session {id} ends: {}", reason.name());
        }
        is_told
    }

    /// Says something to every session of this node; to how many.
    pub(crate) async fn announce(&self, text: &str) -> usize {
        let text: Arc<str> = text.into();
        let live = self.directory.live();
        let mut told = 0;
        for sessions in live.chunks(TOLD_AT_ONCE) {
            let say = |actor: &actix::Recipient<ToSession>| {
                actor.try_send(ToSession::Announce(Arc::clone(&text))).is_ok()
            };
            told += sessions.iter().filter(|actor| say(actor)).count();
            tokio::task::yield_now().await;
        }
        log::info!("operator: an announcement of {} bytes to {told} sessions", text.len());
        told
    }

    /// Refuses logins from now on, telling clients to come back after this time, or takes them
    /// again. Sessions and their resumes go on. It ends with the process.
    pub(crate) fn set_maintenance(&self, retry_after: Option<Duration>) {
        let millis = retry_after.map_or(0, |after| {
            u64::try_from(after.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
        });
        self.operator.maintenance.store(millis, Ordering::Relaxed);
        match retry_after {
            Some(after) => log::info!("operator: maintenance; logins may come after {after:?}"),
            None => log::info!("operator: no maintenance; logins are taken"),
        }
    }

    /// Whether somebody new may log in, as far as operators are concerned.
    pub(crate) fn takes_logins(&self) -> Result<(), Refusal> {
        match self.operator.maintenance() {
            Some(retry_after) => {
                let refusal = refusal(CloseCode::NotYet, "maintenance: no logins for a while");
                Err(Refusal { retry_after, ..refusal })
            }
            None => Ok(()),
        }
    }

    /// Whether this node should be sent clients, or why not.
    ///
    /// Maintenance is no reason: the sessions go on, and their clients must be able to resume.
    pub(crate) fn readiness(&self) -> Result<(), String> {
        if self.is_stopping() {
            return Err("the node is stopping".to_owned());
        }
        if self.has_drain_ahead() {
            return Err("the node is draining".to_owned());
        }
        let why = match self.cluster.stage() {
            Stage::Serving => return self.health(),
            Stage::Starting => "the node is starting: it has not joined its cluster yet",
            Stage::Draining => "the node is draining",
            Stage::Left => "the node has left its cluster, and is about to exit",
            Stage::Fenced => "the node was declared dead by others, and joins again",
            Stage::Lapsed => "the node cannot renew its lease: its store does not answer in time",
        };
        Err(why.to_owned())
    }

    /// Whether the node does its work, or what is wrong: a worker has been inside one hook for
    /// `limits.stuck-worker`. It may come back; a process that stays so should be replaced.
    pub(crate) fn health(&self) -> Result<(), String> {
        let (now, limit) = (self.clock.now(), self.config.limits.stuck_worker);
        let pulses = self.operator.pulses.get().map(Vec::as_slice).unwrap_or_default();
        let stuck = pulses.iter().filter_map(|pulse| {
            let busy = pulse.busy(now).filter(|busy| *busy >= limit)?;
            Some(format!(
                "worker {} is stuck in a hook for {:.1} s",
                pulse.index(),
                busy.as_secs_f64()
            ))
        });
        let stuck: Vec<_> = stuck.collect();
        if stuck.is_empty() { Ok(()) } else { Err(stuck.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_that_is_offered_is_taken() {
        for name in KickReason::NAMES {
            assert_eq!(KickReason::named(name).map(KickReason::name), Some(name));
        }
        assert_eq!(KickReason::named("Lost"), None);
    }

    #[test]
    fn a_retry_after_of_nothing_is_maintenance_all_the_same() {
        let operator = Operator::default();
        assert_eq!(operator.maintenance(), None);
        operator.maintenance.store(1, Ordering::Relaxed);
        assert_eq!(operator.maintenance(), Some(Duration::ZERO));
    }
}
