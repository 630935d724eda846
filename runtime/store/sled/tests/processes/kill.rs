//! Kills at arbitrary moments: nothing that was answered may be lost, and every open must work.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use throughline_store::{Scan, Store};
use throughline_store_sled::SledStore;

use crate::child::{RECORDS, WRITERS, counter_key, record, record_key, to_number};
use crate::command;

const KILLS: u64 = 200;
/// The parent kills after so many lines at most.
const LINES_MAX: u64 = 60;
/// So often the store begins anew, so that creating it is killed, too.
const ROUNDS_OF_A_STORE: u64 = 10;

pub(crate) fn no_answered_commit_is_lost_in_200_kills() {
    let (mut kills, mut answered, mut dir) = (0, 0, tempfile::tempdir().expect("a directory"));
    let mut last = [0; WRITERS as usize];
    while kills < KILLS {
        if kills % ROUNDS_OF_A_STORE == 0 {
            (dir, last) = (tempfile::tempdir().expect("a directory"), [0; WRITERS as usize]);
        }
        // The first two of a store are killed while they create or open it.
        let lines = (kills % ROUNDS_OF_A_STORE).saturating_sub(1) * 7919 % LINES_MAX;
        for line in lines_until_kill("write", dir.path(), lines) {
            if let Some((writer, n)) = line.split_once(' ') {
                let writer: usize = writer.parse().expect("a writer");
                last[writer] = n.parse().expect("a number");
                answered += 1;
            }
        }
        kills += 1;
        verify(dir.path(), &mut last, kills);
    }
    println!("{kills} kills, {answered} commits answered before them, 0 lost, 0 failed opens");
}

pub(crate) fn a_kill_while_compacting_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut last = [0; WRITERS as usize];
    for line in lines_until_kill("write", dir.path(), 400) {
        if let Some((writer, n)) = line.split_once(' ') {
            last[writer.parse::<usize>().expect("a writer")] = n.parse().expect("a number");
        }
    }
    for kill in 0..30 {
        lines_until_kill("compact", dir.path(), 1 + kill % 3);
        verify(dir.path(), &mut last, kill);
    }
}

/// Starts a child, kills it after so many lines, and returns all lines that it said.
fn lines_until_kill(role: &str, path: &Path, lines: u64) -> Vec<String> {
    let child = command(role, path).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("a child");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut said = Vec::new();
    let mut killed = lines == 0;
    if killed {
        child.kill().expect("a kill");
    }
    // What it said before the kill counts, so the pipe is read to its end.
    for line in output.lines() {
        said.push(line.expect("a line"));
        if !killed && said.len() as u64 >= lines {
            child.kill().expect("a kill");
            killed = true;
        }
    }
    let status = child.wait().expect("a status");
    assert!(killed && status.code().is_none(), "the child ended by itself: {status}, {said:?}");
    said
}

fn verify(path: &Path, last: &mut [u64; WRITERS as usize], kill: u64) {
    let store = SledStore::open(path).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut records = 0;
        for (writer, last) in (0..).zip(last) {
            let counter = store.get(counter_key(writer)).await.expect("a read");
            let n = counter.map_or(0, |value| to_number(&value));
            assert!(n >= *last, "kill {kill}, writer {writer}: {last} answered, {n} there");
            // The counter and its record were written together, and those before it, too.
            for m in (n.saturating_sub(RECORDS) + 1).max(1)..=n {
                let found = store.get(record_key(writer, m)).await.expect("a read");
                assert_eq!(found, Some(record(m)), "kill {kill}, writer {writer}, record {m}");
                records += 1;
            }
            *last = n;
        }
        let page = store.scan(Scan::prefix("record/")).await.expect("a page");
        assert_eq!(page.entries().len(), records, "kill {kill}: records of no counter");
        store.close().await.expect("a clean close");
    });
}
