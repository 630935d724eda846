use std::time::Duration;

use super::*;

const FAULTS_MAX: usize = 1_000;

/// All faults of a connection's first hour, with their times.
fn hour(plan: &mut FaultPlan) -> Vec<(Duration, Fault)> {
    let mut faults = Vec::new();
    while let Some(at) = plan.poll_at() {
        if at > Duration::from_secs(3_600) || faults.len() == FAULTS_MAX {
            break;
        }
        assert_eq!(plan.handle_time(at.saturating_sub(Duration::from_micros(1))), None);
        faults.push((at, plan.handle_time(at).unwrap()));
    }
    faults
}

fn passing(seed: u64) -> Faults {
    let kinds = Kind::ALL.into_iter().filter(|kind| !kind.breaks()).map(|kind| (kind, 1)).collect();
    Faults { kinds, ..Faults::all(seed) }
}

#[test]
fn same_seed_and_connection_give_the_same_faults() {
    for connection in 0..50 {
        let first = hour(&mut FaultPlan::new(&Faults::all(7), connection, Duration::ZERO));
        let again = hour(&mut FaultPlan::new(&Faults::all(7), connection, Duration::ZERO));
        assert_eq!(first, again);
    }
}

#[test]
fn neighbouring_connections_and_seeds_differ() {
    let first = hour(&mut FaultPlan::new(&passing(7), 0, Duration::ZERO));
    assert_ne!(first, hour(&mut FaultPlan::new(&passing(7), 1, Duration::ZERO)));
    assert_ne!(first, hour(&mut FaultPlan::new(&passing(8), 0, Duration::ZERO)));
}

#[test]
fn every_kind_comes() {
    let mut seen = Vec::new();
    for connection in 0..500 {
        for (_, fault) in hour(&mut FaultPlan::new(&Faults::all(1), connection, Duration::ZERO)) {
            seen.push(fault.kind());
        }
    }
    for kind in Kind::ALL {
        assert!(seen.contains(&kind), "{} never came", kind.name());
    }
}

#[test]
fn a_fault_that_breaks_is_the_last() {
    for connection in 0..200 {
        let faults = hour(&mut FaultPlan::new(&Faults::all(3), connection, Duration::ZERO));
        let (last, others) = faults.split_last().unwrap();
        assert!(last.1.kind().breaks());
        assert!(others.iter().all(|(_, fault)| !fault.kind().breaks()));
    }
}

#[test]
fn faults_keep_their_distance_and_their_ranges() {
    let wanted = passing(5);
    let start = Duration::from_secs(9);
    let mut end = start;
    let faults = hour(&mut FaultPlan::new(&wanted, 0, start));
    assert!(faults.len() > 100);
    for (at, fault) in faults {
        assert!(wanted.every.contains(&(at - end)));
        assert!(wanted.lasting.contains(&fault.lasting()));
        match fault {
            Fault::Delay { by, .. } => assert!(wanted.delay.contains(&by)),
            Fault::Throttle { bytes_per_s, .. } => {
                assert!(wanted.bytes_per_s.contains(&bytes_per_s));
            }
            _ => {}
        }
        end = at + fault.lasting();
    }
}

#[test]
fn no_kinds_or_no_weights_are_no_faults() {
    let weightless = Faults { kinds: vec![(Kind::Cut, 0)], ..Faults::none() };
    for faults in [Faults::none(), weightless] {
        assert_eq!(FaultPlan::new(&faults, 0, Duration::ZERO).poll_at(), None);
    }
}
