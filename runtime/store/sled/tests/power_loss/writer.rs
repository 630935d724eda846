//! The process that is recorded: it writes, and says what it begins and what was answered, one
//! line each, which stand in the record between the calls on files.

use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::sync::Arc;

use throughline_store::Store;
use throughline_store_sled::{SledStore, tools};
use tokio::runtime;
use tokio::task::LocalSet;

use crate::plan::{WRITERS, batch, counter, to_number};

/// What the process does between its start and its end, on a store beside a place for its copy.
pub(crate) fn run(role: &str, base: &Path) {
    let (store, copy) = (base.join("store"), base.join("copy"));
    match role {
        // From nothing, and killed.
        "create" => {
            let opened = open(&store);
            write(&opened, 8);
            write(&opened, 88);
            say("killed");
            process::abort();
        }
        // After the kill; closed and opened again, by itself and by every tool.
        "go-on" => {
            let opened = open(&store);
            write(&opened, 30);
            close(opened);
            let opened = open(&store);
            write(&opened, 30);
            drop(opened);
            say("dumps");
            tools::dump(&store, &mut io::sink()).expect("dumps");
            write_some(&store, 8);
            say("compacts");
            tools::compact(&store).expect("compacts");
            write_some(&store, 8);
            say("copies");
            tools::backup(&store, &copy).expect("copies");
            say("copied");
            write_some(&store, 8);
        }
        // A start that does little.
        "start" => write_some(&store, 4),
        other => panic!("no role {other}"),
    }
}

fn open(store: &Path) -> Arc<dyn Store> {
    say("opens");
    let opened = SledStore::open(store).expect("opens");
    say("opened");
    Arc::new(opened)
}

fn close(store: Arc<dyn Store>) {
    say("closes");
    block_on(store.close()).expect("a clean close");
}

fn write_some(store: &Path, commits: u64) {
    let opened = open(store);
    write(&opened, commits);
    close(opened);
}

/// So many commits of each writer.
fn write(store: &Arc<dyn Store>, commits: u64) {
    let set = LocalSet::new();
    for writer in 0..WRITERS {
        set.spawn_local(write_as(store.clone(), writer, commits));
    }
    block_on(set);
}

async fn write_as(store: Arc<dyn Store>, writer: u64, commits: u64) {
    let stored = store.get(counter(writer)).await.expect("a read");
    let last = stored.map_or(0, |stored| to_number(&stored));
    say(&format!("read {writer} {last}"));
    for n in last + 1..=last + commits {
        say(&format!("begins {writer} {n}"));
        store.commit(batch(writer, n)).await.expect("a commit");
        say(&format!("answered {writer} {n}"));
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// In one write, so that it is one line of the record.
fn say(line: &str) {
    let line = format!("{line}\n");
    io::stdout().lock().write_all(line.as_bytes()).expect("an output");
}
