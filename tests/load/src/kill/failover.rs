//! How long sessions were without an owner after a fault of theirs.

use std::time::Duration;

use crate::latency::Latency;
use crate::roam::WentOver;

/// Why a process could not act for its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Kill,
    Stop,
    /// It did not reach the store.
    Cut,
}

/// A process that owned sessions could not act for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) cause: Cause,
    pub(super) process: u32,
    /// From when to when, in microseconds of the machine's clock; a killed one never acts again.
    pub(super) from_us: u64,
    pub(super) until_us: u64,
}

/// When there was no store, in microseconds of the machine's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) from_us: u64,
    pub(super) until_us: u64,
}

/// The time from the fault of each owner to the first message that the next one handled, less what
/// there was no store of it.
///
/// A session that its owner still answered for after a fault went over for another reason: since
/// its client came to another node.
pub(super) fn failovers<'a>(
    faults: &'a [Fault],
    outages: &'a [Outage],
    went_over: &'a [WentOver],
) -> impl Iterator<Item = (Cause, Duration)> + 'a {
    went_over.iter().filter_map(|over| {
        let fault = faults.iter().filter(|fault| {
            let is_of_it = fault.process == over.from && fault.from_us <= over.at_us;
            is_of_it && over.heard_us <= fault.until_us
        });
        let fault = fault.min_by_key(|fault| fault.from_us.abs_diff(over.heard_us))?;
        let without: u64 = outages.iter().map(|outage| overlap(outage, fault, over)).sum();
        let took = (over.at_us - fault.from_us).saturating_sub(without);
        Some((fault.cause, Duration::from_micros(took)))
    })
}

/// Those of one cause, or all.
pub(super) fn latency(failovers: &[(Cause, Duration)], of: Option<Cause>) -> Latency {
    let mut latency = Latency::new();
    for (cause, took) in failovers {
        if of.is_none_or(|of| of == *cause) {
            latency.record(*took);
        }
    }
    latency
}

fn overlap(outage: &Outage, fault: &Fault, over: &WentOver) -> u64 {
    let until = outage.until_us.min(over.at_us);
    until.saturating_sub(outage.from_us.max(fault.from_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn over(from: u32, heard: u64, at: u64) -> WentOver {
        WentOver { from, heard_us: heard * S, at_us: at * S }
    }

    fn fault(process: u32, from: u64, until: u64) -> Fault {
        Fault { cause: Cause::Kill, process, from_us: from * S, until_us: until.saturating_mul(S) }
    }

    fn longest(faults: &[Fault], outages: &[Outage], went_over: &[WentOver]) -> f64 {
        let failovers: Vec<_> = failovers(faults, outages, went_over).collect();
        latency(&failovers, None).max_ms().round()
    }

    #[test]
    fn a_failover_counts_from_the_fault_of_the_owner() {
        let faults = [fault(7, 10, u64::MAX), fault(8, 11, u64::MAX)];
        assert_eq!(longest(&faults, &[], &[over(7, 9, 14)]), 4_002.0);
        assert_eq!(longest(&faults, &[], &[over(9, 9, 14)]), 0.0);
    }

    #[test]
    fn a_session_that_was_answered_for_after_the_fault_went_over_for_another_reason() {
        let stopped = [fault(7, 10, 16)];
        assert_eq!(longest(&stopped, &[], &[over(7, 30, 31)]), 0.0);
        let twice = [fault(7, 10, 16), fault(7, 40, 46)];
        assert_eq!(longest(&twice, &[], &[over(7, 39, 43)]), 3_000.0);
    }

    #[test]
    fn the_time_without_a_store_is_left_out() {
        let outages = [
            Outage { from_us: 9 * S, until_us: 11 * S },
            Outage { from_us: 12 * S, until_us: 20 * S },
        ];
        let faults = [fault(7, 10, u64::MAX)];
        assert_eq!(longest(&faults, &outages, &[over(7, 9, 14)]), 1_000.0);
    }
}
