//! Whether a node that cannot renew its lease is alone with that.
//!
//! A store that is away is away for every node: then nobody can take a session over, and its
//! client is best off where it is. But if another node reaches the store, the client need not wait
//! for this one.

use core::time::Duration;

use super::LeaseConfig;

/// Beats by which the last one of a node that reaches the store is younger than that of one that
/// does not. When the store goes away for all, their last beats are a beat apart at most.
const BEATS_APART: f64 = 1.5;

/// Whether this node alone is without the store. `own`: since its last beat; `others`: the same of
/// every other live node, as it answered just now, and `None` for one that did not answer.
///
/// A node that nobody answers is cut off from everybody, as far as it can tell. One that has no
/// others is not adrift: there is nowhere else to go.
#[must_use]
pub fn is_adrift(own: Duration, others: &[Option<Duration>], lease: &LeaseConfig) -> bool {
    let apart = lease.beat.mul_f64(BEATS_APART);
    let lasts = lease.term.saturating_sub(lease.margin);
    // One whose own lease is over reaches it no better, whoever of them lost it first.
    let reaches = |since: &Duration| *since < lasts && since.saturating_add(apart) < own;
    let mut answers = others.iter().flatten().peekable();
    if answers.peek().is_none() {
        return !others.is_empty();
    }
    answers.any(reaches)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: LeaseConfig = LeaseConfig {
        beat: Duration::from_secs(1),
        term: Duration::from_secs(3),
        margin: Duration::from_millis(500),
        play_on: Duration::ZERO,
    };
    const OWN: Duration = Duration::from_millis(2_600);

    fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn a_node_is_adrift_if_another_one_still_beats() {
        assert!(is_adrift(OWN, &[ms(20)], &LEASE));
        assert!(is_adrift(OWN, &[ms(1_000), ms(2_500)], &LEASE));
        assert!(is_adrift(OWN, &[None, ms(900)], &LEASE));
    }

    #[test]
    fn a_node_is_not_adrift_if_the_store_is_away_for_all() {
        // It went away right after the others' last beats, or right after this node's own.
        for since in [1_600, 2_600, 3_600] {
            assert!(!is_adrift(OWN, &[ms(since), ms(2_000)], &LEASE), "{since} ms");
        }
        assert!(!is_adrift(OWN, &[ms(2_000), None], &LEASE));
    }

    #[test]
    fn who_lost_the_store_first_is_not_adrift_long_after() {
        let own = Duration::from_secs(63);
        assert!(!is_adrift(own, &[ms(60_000), ms(61_000)], &LEASE));
        assert!(is_adrift(own, &[ms(60_000), ms(1_000)], &LEASE));
    }

    #[test]
    fn a_node_that_nobody_answers_is_adrift_and_one_without_others_is_not() {
        assert!(is_adrift(OWN, &[None, None], &LEASE));
        assert!(!is_adrift(OWN, &[], &LEASE));
    }
}
