//! What the child does: it writes and says what was answered, one line each.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use throughline_store::{Batch, Store};
use throughline_store_sled::{SledStore, tools};

use crate::full;

/// Commits under way at the same time, so that they share groups.
pub(crate) const WRITERS: u64 = 8;
/// Each writer's records, overwritten in turn.
pub(crate) const RECORDS: u64 = 40;

pub(crate) fn run(role: &str, path: &Path, rest: &[String]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match role {
        "write" => runtime.block_on(write(path)),
        "compact" => compact(path),
        "fill" => runtime.block_on(full::fill(path)),
        "open-full" => runtime.block_on(full::open_without_space(path)),
        "hold" => hold(path),
        other => panic!("no role {other} {rest:?}"),
    }
    ExitCode::SUCCESS
}

/// Says it in one write, so that a kill leaves whole lines.
pub(crate) fn say(line: &str) {
    let line = format!("{line}\n");
    let mut output = io::stdout().lock();
    output.write_all(line.as_bytes()).and_then(|()| output.flush()).expect("the parent reads");
}

/// Writes until it is killed.
async fn write(path: &Path) {
    let store: Arc<dyn Store> = Arc::new(SledStore::open(path).expect("opens after every kill"));
    say("open");
    let writers: Vec<_> = (0..WRITERS).map(|writer| writer_loop(store.clone(), writer)).collect();
    let set = tokio::task::LocalSet::new();
    writers.into_iter().for_each(|writer| drop(set.spawn_local(writer)));
    set.await;
}

async fn writer_loop(store: Arc<dyn Store>, writer: u64) {
    let counter = counter_key(writer);
    let stored = store.get(counter.clone()).await.expect("a read");
    let mut n = stored.map_or(0, |value| to_number(&value));
    loop {
        let old = number(n);
        let batch = Batch::new();
        let batch = match n {
            0 => batch.check_absent(counter.clone()),
            _ => batch.check_equals(counter.clone(), old),
        };
        n += 1;
        let batch = batch.put(counter.clone(), number(n)).put(record_key(writer, n), record(n));
        store.commit(batch).await.expect("a commit");
        say(&format!("{writer} {n}"));
    }
}

fn compact(path: &Path) {
    say("open");
    loop {
        tools::compact(path).expect("compacts after every kill");
        say("compacted");
    }
}

/// Holds the store until its parent closes the pipe.
fn hold(path: &Path) {
    let _store = SledStore::open(path).expect("a store");
    say("open");
    let mut end = String::new();
    io::stdin().read_line(&mut end).expect("the parent's end");
}

pub(crate) fn counter_key(writer: u64) -> Bytes {
    [b"counter/", &number(writer)[..]].concat().into()
}

pub(crate) fn record_key(writer: u64, n: u64) -> Bytes {
    [b"record/", &number(writer)[..], &number(n % RECORDS)].concat().into()
}

/// A value that names its number; every eighth is cut into several chunks.
pub(crate) fn record(n: u64) -> Bytes {
    let copies = if n.is_multiple_of(8) { 3_000 } else { 20 };
    number(n).repeat(copies).into()
}

pub(crate) fn number(n: u64) -> Bytes {
    Bytes::copy_from_slice(&n.to_be_bytes())
}

pub(crate) fn to_number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
}
