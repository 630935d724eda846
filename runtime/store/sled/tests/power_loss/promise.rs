//! The promise: no loss of power takes what was acknowledged.

use std::collections::BTreeMap;
use std::path::Path;

use crate::crash::{self, Outcome, Point};
use crate::loss::Loss;
use crate::record::{files, record, scratch};
use crate::trace::{Change, Node, Record, Trace, What};
use crate::verdict::{Said, Verdict};

/// Every so many steps the power is lost.
const EVERY: usize = 3;
const POINTS_MIN: usize = 1_000;
const SEED: u64 = 10;
/// sled's unit of reuse.
const SEGMENT_BYTES: usize = 512 * 1024;

pub(crate) fn p8_what_was_acknowledged_survives_a_loss_of_power() {
    let whole = record_all();
    log_is_synced_by_every_open(&whole);
    let outcomes = lose(&whole, Said::default(), EVERY);
    let reuses = reuses(&whole);
    println!("{reuses} writes over freed parts of a log");
    assert!(reuses > 0, "no part of a log was used again");
    let points = outcomes.len() + survives_again(&whole, &outcomes);
    assert!(points >= POINTS_MIN, "{points} points are too few");
    without_the_syncs_it_is_lost(whole);
}

fn record_all() -> Record {
    let dir = scratch();
    let mut trace = trace_of(dir.path());
    record("create", dir.path(), &mut trace, true);
    record("go-on", dir.path(), &mut trace, false);
    trace.into_record()
}

fn trace_of(dir: &Path) -> Trace {
    Trace::new(dir.to_str().expect("a path of text"), &files(dir))
}

/// Loses power throughout; nothing may be missing.
fn lose(record: &Record, said: Said, every: usize) -> Vec<Outcome> {
    let points = crash::points((0..=record.steps.len()).step_by(every), seed());
    let outcomes = crash::lose(record, said, &points);
    report(record, &outcomes);
    let failed = outcomes.iter().find(|outcome| outcome.verdict != Verdict::Whole);
    assert!(failed.is_none(), "the first of them: {failed:#?}");
    outcomes
}

fn seed() -> u64 {
    let seed = std::env::var("POWER_SEED").ok();
    seed.map_or(SEED, |seed| seed.parse().expect("POWER_SEED is a number"))
}

/// Starts on what losses of power have left, and loses power again at every step: recovery writes,
/// too.
fn survives_again(record_of_all: &Record, outcomes: &[Outcome]) -> usize {
    let losses = [Loss::Torn, Loss::Reordered, Loss::Some];
    let starts = losses.iter().enumerate().map(|(index, loss)| {
        // The most unsynced writes of a third of the record: a group that is large.
        let third = outcomes.len() / losses.len();
        let third = &outcomes[index * third..(index + 1) * third];
        let most = third.iter().max_by_key(|outcome| outcome.unsynced).expect("points");
        let point = Point { loss: *loss, ..most.point };
        let dir = scratch();
        let said = crash::leave(record_of_all, &point, dir.path());
        let mut trace = trace_of(dir.path());
        record("start", dir.path(), &mut trace, false);
        println!("started after the loss of {point:?}");
        lose(&trace.into_record(), said, 1).len()
    });
    starts.sum()
}

/// The same record without the syncs of the log that its commits wait for: this test must see it.
fn without_the_syncs_it_is_lost(mut record: Record) {
    let logs = logs(&record);
    let is_sync = |what: &What| match what {
        What::Sync { node, is_data } => *is_data && logs.contains(node),
        _ => false,
    };
    record.steps.retain(|step| !is_sync(&step.what));
    let points = crash::points((0..record.steps.len()).step_by(40), seed());
    let points: Vec<_> = points.into_iter().map(|p| Point { loss: Loss::All, ..p }).collect();
    let outcomes = crash::lose(&record, Said::default(), &points);
    report(&record, &outcomes);
    let lost = outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Lost(_)));
    assert!(lost.count() > points.len() / 4, "it sees no loss where nothing was synced");
}

/// Every node that was ever the log of a database.
fn logs(record: &Record) -> Vec<Node> {
    let logs = record.steps.iter().filter_map(|step| match &step.what {
        What::Change(_, Change::Name { name, node }) if name == "db" => Some(*node),
        _ => None,
    });
    logs.collect()
}

/// Writes over parts of a log that sled had freed.
fn reuses(record: &Record) -> usize {
    let (logs, mut ends) = (logs(record), BTreeMap::new());
    let mut is_reuse = |what: &What| {
        let What::Change(node, Change::Write { at, bytes }) = what else { return false };
        let end = ends.entry(*node).or_insert(0);
        *end = (*end).max(at + bytes.len());
        logs.contains(node) && at / SEGMENT_BYTES < (*end - 1) / SEGMENT_BYTES
    };
    record.steps.iter().map(|step| &step.what).filter(|what| is_reuse(what)).count()
}

/// What a killed process has written and not synced is shown by the next, so it is synced first.
fn log_is_synced_by_every_open(record: &Record) {
    let (logs, mut is_synced) = (logs(record), false);
    for step in &record.steps {
        match &step.what {
            What::Said(line) if line == "opens" => is_synced = false,
            What::Said(line) if line == "opened" => assert!(is_synced, "an open without a sync"),
            What::Sync { node, .. } => is_synced |= logs.contains(node),
            _ => {}
        }
    }
}

fn report(record: &Record, outcomes: &[Outcome]) {
    let mut counts = BTreeMap::<String, usize>::new();
    for outcome in outcomes {
        let verdict = match &outcome.verdict {
            Verdict::Whole => "whole".to_owned(),
            Verdict::Lost(_) => "LOST".to_owned(),
            Verdict::Wrong(_) => "WRONG".to_owned(),
            Verdict::Refused(error, _) => format!("refused, {error}"),
        };
        *counts.entry(verdict).or_default() += 1;
    }
    let is_answer = |what: &What| matches!(what, What::Said(l) if l.starts_with("answered"));
    let answers = record.steps.iter().filter(|step| is_answer(&step.what)).count();
    let syncs = record.steps.iter().filter(|step| matches!(step.what, What::Sync { .. })).count();
    let unsynced = outcomes.iter().filter(|outcome| outcome.unsynced > 0).count();
    println!(
        "{} steps with {syncs} syncs and {answers} answered commits; {} losses of power, \
         {unsynced} with unsynced changes: {counts:?}",
        record.steps.len(),
        outcomes.len(),
    );
}
