//! A drain: its rate, its end, and what it says.

use core::time::Duration;

use throughline_cluster::{Drain, DrainAction, DrainConfig, DrainReport, RecordId, Went};
use throughline_link::{Instant, SessionId};

fn ids(count: u8) -> Vec<RecordId> {
    (0..count).map(|n| RecordId::session(SessionId([n; 16]))).collect()
}

fn at(ms: u64) -> Instant {
    Instant::from_micros(ms * 1_000)
}

fn begun(rate: u32, count: u8) -> Drain {
    let config = DrainConfig { rate, deadline: Duration::from_secs(10) };
    let mut drain = Drain::new(config, at(0));
    assert_eq!(drain.poll_action(), Some(DrainAction::Begin));
    assert_eq!(drain.poll_action(), None, "nothing is released before `draining` is committed");
    drain.handle_draining(ids(count), at(0));
    drain
}

fn released(drain: &mut Drain) -> Vec<RecordId> {
    let mut all = Vec::new();
    while let Some(action) = drain.poll_action() {
        match action {
            DrainAction::Release(id) => all.push(id),
            other => panic!("{other:?}"),
        }
    }
    all
}

fn report(drain: &mut Drain) -> DrainReport {
    match drain.poll_action() {
        Some(DrainAction::Over(report)) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn clients_are_told_at_the_set_rate() {
    let mut drain = begun(10, 30);
    assert_eq!(released(&mut drain).len(), 1);
    for tenth in 1..30 {
        drain.handle_timeout(at(tenth * 100));
        assert_eq!(released(&mut drain).len(), 1);
    }
    assert_eq!(drain.progress().waiting, 0);
}

#[test]
fn a_drain_that_moved_everything_leaves_and_says_so() {
    let mut drain = begun(1_000, 3);
    drain.handle_timeout(at(10));
    let all = released(&mut drain);
    assert_eq!(all.len(), 3);
    drain.handle_gone(&all[0], Went::Moved, Duration::from_millis(5), at(20));
    drain.handle_gone(&all[1], Went::Parked, Duration::from_millis(7), at(20));
    assert_eq!(drain.poll_action(), None);
    drain.handle_gone(&all[2], Went::Ended, Duration::ZERO, at(30));
    assert_eq!(drain.poll_action(), Some(DrainAction::Leave));
    drain.handle_left(true, at(40));
    let report = report(&mut drain);
    assert_eq!((report.moved, report.parked, report.ended), (1, 1, 1));
    assert!(report.left.is_empty() && report.has_left && !report.stopped);
    assert_eq!(report.pause_p99, Duration::from_millis(7));
    assert_eq!(report.pause_max, Duration::from_millis(7));
    assert_eq!((report.vactors, report.lost), (0, 0));
    assert_eq!(drain.poll_timeout(), None);
}

#[test]
fn vactors_are_counted_apart_and_what_was_taken_from_the_node_counts_as_lost() {
    let mut drain =
        Drain::new(DrainConfig { rate: 1_000, deadline: Duration::from_secs(60) }, at(0));
    assert_eq!(drain.poll_action(), Some(DrainAction::Begin));
    let vactor = RecordId::vactor("match", b"7").unwrap();
    let sessions = ids(2);
    drain.handle_draining(sessions.iter().cloned().chain([vactor.clone()]), at(0));
    drain.handle_timeout(at(10));
    assert_eq!(released(&mut drain).len(), 3);
    drain.handle_gone(&vactor, Went::Parked, Duration::from_millis(9), at(20));
    drain.handle_gone(&sessions[0], Went::Moved, Duration::from_millis(4), at(20));
    assert_eq!((drain.progress().vactors, drain.progress().parked), (1, 0));
    drain.handle_gone(&sessions[1], Went::Lost, Duration::ZERO, at(30));
    assert_eq!(drain.poll_action(), Some(DrainAction::Leave));
    drain.handle_left(true, at(40));
    let report = report(&mut drain);
    assert_eq!((report.moved, report.parked, report.ended), (1, 0, 0));
    assert_eq!((report.vactors, report.lost), (1, 1));
    assert_eq!(report.pause_max, Duration::from_millis(9));
}

#[test]
fn what_could_not_go_is_tried_again_and_named_at_the_deadline() {
    let mut drain = begun(1_000, 2);
    drain.handle_timeout(at(5));
    let all = released(&mut drain);
    drain.handle_gone(&all[0], Went::Moved, Duration::ZERO, at(6));
    drain.handle_failed(&all[1], "snapshot of 300 KiB, at most 256", at(7));
    assert_eq!(released(&mut drain), [], "not at once, or it would do nothing else");
    assert_eq!(drain.poll_timeout(), Some(at(1_007)));
    drain.handle_timeout(at(1_007));
    assert_eq!(released(&mut drain), [all[1].clone()]);
    drain.handle_failed(&all[1], "snapshot of 300 KiB, at most 256", at(1_008));
    drain.handle_timeout(at(10_000));
    let mut last = None;
    while let Some(action) = drain.poll_action() {
        last = Some(action);
    }
    let Some(DrainAction::Over(report)) = last else { panic!("{last:?}") };
    assert_eq!(report.left.len(), 1);
    assert!(!report.has_left);
}

#[test]
fn a_paused_drain_begins_nothing_and_goes_on_when_told() {
    let mut drain = begun(10, 5);
    assert_eq!(released(&mut drain).len(), 1);
    drain.pause();
    drain.handle_timeout(at(3_000));
    assert!(released(&mut drain).is_empty());
    assert!(drain.progress().paused);
    drain.resume(at(3_000));
    assert_eq!(released(&mut drain).len(), 1, "a pause is not caught up with at once");
}

#[test]
fn a_stopped_drain_names_what_stays() {
    let mut drain = begun(10, 5);
    released(&mut drain);
    drain.stop(at(50));
    let report = report(&mut drain);
    assert!(report.stopped && !report.has_left);
    assert_eq!(report.left.len(), 5);
}

#[test]
fn records_found_by_the_last_scan_are_released_too() {
    let mut drain = begun(10, 0);
    assert_eq!(drain.poll_action(), Some(DrainAction::Leave));
    drain.handle_found(ids(1), at(10));
    assert_eq!(released(&mut drain).len(), 1);
}

#[test]
fn a_stop_of_the_node_takes_up_a_paused_drain_at_its_own_rate_and_deadline() {
    let mut drain = begun(1, 5);
    assert_eq!(released(&mut drain).len(), 1);
    drain.pause();
    let config = DrainConfig { rate: 10, deadline: Duration::from_secs(10) };
    drain.restart(config, at(9_000));
    assert!(!drain.progress().paused);
    for tenth in 0..4 {
        drain.handle_timeout(at(9_000 + tenth * 100));
        assert_eq!(released(&mut drain).len(), 1);
    }
    drain.handle_timeout(at(18_999));
    assert!(!drain.is_over(), "the deadline is the stop's");
    drain.handle_timeout(at(19_000));
    assert_eq!(report(&mut drain).left.len(), 5);
    drain.restart(config, at(20_000));
    assert_eq!(drain.poll_action(), None, "what is over stays so");
}

#[test]
fn a_drain_keeps_its_rate_after_the_store_was_away() {
    let mut drain = begun(100, 200);
    for ms in 0..2_000 {
        drain.handle_timeout(at(ms));
    }
    let all = released(&mut drain);
    assert_eq!(all.len(), 200);
    for id in &all {
        drain.handle_failed(id, "the store did not answer", at(8_000));
    }
    let mut count = 0;
    for ms in 8_000..9_500 {
        drain.handle_timeout(at(ms));
        count += released(&mut drain).len();
        // Ten in what is made up for, and the one that is due.
        let allowed = ms.saturating_sub(9_000) / 10 + 11;
        assert!(count as u64 <= allowed, "{count} after {ms} ms, and {allowed} are allowed");
    }
    assert!(count >= 50, "it goes on: {count}");
}

#[test]
fn a_drain_that_is_paused_or_over_begins_nothing_that_was_due_before() {
    let ends: [fn(&mut Drain); 2] =
        [|drain| drain.stop(at(51)), |drain| drain.handle_timeout(at(10_000))];
    for ends in ends {
        let mut drain = begun(u32::MAX, 5);
        let Some(DrainAction::Release(first)) = drain.poll_action() else { panic!("none") };
        drain.pause();
        assert_eq!(drain.poll_action(), None);
        assert_eq!((drain.progress().waiting, drain.progress().leaving), (4, 1));
        drain.resume(at(50));
        assert!(matches!(drain.poll_action(), Some(DrainAction::Release(_))));
        ends(&mut drain);
        let report = report(&mut drain);
        assert_eq!(drain.poll_action(), None);
        let why = |id| report.left.iter().find(|(left, _)| left == id).map(|(_, why)| &why[..]);
        assert_eq!(why(&first), Some("its turn or its commit did not end"));
        assert_eq!(why(&ids(5)[4]), Some("its turn to go did not come"));
        assert_eq!(report.left.len(), 5);
    }
}

#[test]
fn a_drain_that_ends_before_its_node_has_left_does_not_leave() {
    let mut drain = begun(10, 0);
    drain.stop(at(10));
    assert!(!report(&mut drain).has_left);
}

#[test]
fn a_node_that_is_fenced_as_it_leaves_leaves_as_what_it_has_become() {
    let mut drain = begun(10, 0);
    assert_eq!(drain.poll_action(), Some(DrainAction::Leave));
    // It has joined again, and drains at once; the order to leave was lost with what it was.
    drain.handle_draining([], at(4_000));
    assert_eq!(drain.poll_action(), Some(DrainAction::Leave));
    assert_eq!(drain.poll_action(), None);
    drain.handle_draining(ids(1), at(5_000));
    assert_eq!(released(&mut drain), ids(1));
    drain.handle_gone(&ids(1)[0], Went::Parked, Duration::ZERO, at(5_100));
    assert_eq!(drain.poll_action(), Some(DrainAction::Leave));
    drain.handle_left(true, at(5_200));
    assert!(report(&mut drain).has_left);
}
