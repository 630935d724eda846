//! The store's thread: it owns the files, and works in groups.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use throughline_store::{CloseError, CommitError, GetError, Outage, ScanError, Watches};
use tokio::sync::{mpsc, watch};

use crate::engine::EngineError;
use crate::error::{OpenError, is_full};
use crate::layout::Layout;
use crate::limits::{GROUP_BYTES_MAX, GROUP_COMMITS_MAX, REOPEN_EVERY};
use crate::opened::Opened;
use crate::queue::{Call, Commit};
use crate::sight::Sight;
use crate::stats::{Counters, add};

mod serve;
#[cfg(test)]
mod tests;

/// What the thread shares with the handles.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    pub(crate) watches: Watches,
    pub(crate) sight: Sight,
    /// Set when the store ends without a close: the thread stops after the group it writes.
    pub(crate) abandoned: AtomicBool,
}

/// How the store ended; `None` until it has.
pub(crate) type Ended = Option<Result<(), CloseError>>;

#[derive(Debug)]
pub(crate) struct Worker {
    layout: Layout,
    cache_bytes: u64,
    state: State,
    calls: mpsc::Receiver<Call>,
    shared: Arc<Shared>,
    ended: watch::Sender<Ended>,
}

#[derive(Debug)]
enum State {
    Open(Opened),
    /// A write failed: nothing is answered until the files were opened anew.
    Failed(String),
}

/// What has arrived and is worked on together.
#[derive(Default)]
struct Arrived {
    reads: Vec<Call>,
    commits: Vec<Commit>,
    bytes: usize,
    is_close: bool,
}

impl Worker {
    pub(crate) fn new(
        layout: Layout,
        opened: Opened,
        cache_bytes: u64,
        calls: mpsc::Receiver<Call>,
        shared: Arc<Shared>,
    ) -> (Self, watch::Receiver<Ended>) {
        let (ended, receiver) = watch::channel(None);
        shared.sight.open(&opened.engine);
        let state = State::Open(opened);
        (Self { layout, cache_bytes, state, calls, shared, ended }, receiver)
    }

    pub(crate) fn run(mut self) {
        while let Some(first) = self.calls.blocking_recv() {
            if self.shared.abandoned.load(Ordering::Acquire) {
                answer_closed(first);
                break;
            }
            let arrived = self.take(first);
            let is_close = arrived.is_close;
            self.serve(arrived);
            if is_close {
                break;
            }
        }
        self.end();
    }

    /// Takes what has arrived, within bounds and up to a close.
    fn take(&mut self, first: Call) -> Arrived {
        let mut arrived = Arrived::default();
        let mut next = Some(first);
        while let Some(call) = next {
            match call {
                Call::Commit(commit) => {
                    arrived.bytes += commit.batch.bytes();
                    arrived.commits.push(commit);
                }
                Call::Close => arrived.is_close = true,
                read => arrived.reads.push(read),
            }
            let count = arrived.commits.len() + arrived.reads.len();
            let is_full = count >= GROUP_COMMITS_MAX || arrived.bytes >= GROUP_BYTES_MAX;
            next = if arrived.is_close || is_full { None } else { self.calls.try_recv().ok() };
        }
        arrived
    }

    fn serve(&mut self, arrived: Arrived) {
        if let State::Failed(_) = self.state {
            thread::sleep(REOPEN_EVERY);
            self.reopen();
        }
        let State::Open(opened) = &mut self.state else {
            return self.refuse(arrived);
        };
        // Reads first: all they can see is on the disk.
        let mut reads = arrived.reads.into_iter();
        let failed = reads.find_map(|read| serve::read(opened, read).err());
        let outcome = match failed {
            None => serve::commits(opened, &self.shared, arrived.commits),
            Some(error) => {
                self.fail(&error);
                let (reads, commits) = (reads.collect(), arrived.commits);
                return self.refuse(Arrived { reads, commits, ..Arrived::default() });
            }
        };
        if let Err(error) = outcome {
            self.fail(&error);
        }
    }

    /// The first write error, or damage met by sled: closes the files. Nothing is answered `Ok`
    /// until they were opened anew, which reads what the disk has.
    fn fail(&mut self, error: &EngineError) {
        let reason = reason(self.layout.root(), error);
        log::error!("{reason}");
        add(&self.shared.counters.failures, 1);
        self.shared.sight.close();
        if let State::Open(opened) = std::mem::replace(&mut self.state, State::Failed(reason)) {
            opened.engine.close_failed();
        }
    }

    /// Opens the files anew, verifies them, and tries to write, so that a disk that only reads, or
    /// has room for one commit more, is still a failure.
    fn reopen(&mut self) {
        let opened = Opened::open_as_it_is(&self.layout, self.cache_bytes);
        let opened = opened.and_then(|mut opened| match opened.probe() {
            Ok(()) => Ok(opened),
            Err(error) => {
                opened.engine.close_failed();
                Err(OpenError::engine(self.layout.root(), error))
            }
        });
        match opened {
            Ok(opened) => {
                log::warn!("the store at {} works again", self.layout.root().display());
                add(&self.shared.counters.reopened, 1);
                self.shared.sight.open(&opened.engine);
                self.state = State::Open(opened);
            }
            Err(error) => {
                log::debug!("{error}");
                self.state = State::Failed(error.to_string());
            }
        }
    }

    fn refuse(&self, arrived: Arrived) {
        let State::Failed(reason) = &self.state else { return };
        let outage = || outage(reason);
        // An answer that nobody waits for any more is dropped, here and below.
        for read in arrived.reads {
            match read {
                Call::Get(_, answer) => drop(answer.send(Err(GetError::Down(outage())))),
                Call::Scan(_, answer) => drop(answer.send(Err(ScanError::Down(outage())))),
                Call::Commit(_) | Call::Close => {}
            }
        }
        for commit in arrived.commits {
            drop(commit.answer.send(Err(CommitError::Down(outage()))));
        }
    }

    /// Closes the files, then lets go of the directory, then says so.
    fn end(mut self) {
        self.calls.close();
        while let Ok(call) = self.calls.try_recv() {
            answer_closed(call);
        }
        self.shared.watches.close();
        self.shared.sight.close();
        let closed = match self.state {
            State::Open(opened) => opened.close().map_err(|error| error.to_string()),
            State::Failed(reason) => Err(reason),
        };
        drop(self.layout);
        self.ended.send_replace(Some(closed.map_err(|reason| CloseError::Unclean { reason })));
    }
}

/// What failed, where, and the way out.
fn reason(root: &Path, error: &EngineError) -> String {
    let path = root.display();
    match error {
        EngineError::Io(error) if is_full(error) => {
            format!("no space on the disk of {path}: free some, the store goes on by itself")
        }
        error => format!("the store at {path} failed: {error}"),
    }
}

/// Answers a call of which nothing was begun, and nothing will be.
fn answer_closed(call: Call) {
    match call {
        Call::Get(_, answer) => drop(answer.send(Err(GetError::Closed))),
        Call::Scan(_, answer) => drop(answer.send(Err(ScanError::Closed))),
        Call::Commit(commit) => drop(commit.answer.send(Err(CommitError::Closed))),
        Call::Close => {}
    }
}

fn outage(reason: &str) -> Outage {
    Outage { reason: reason.to_owned(), retry_after: REOPEN_EVERY }
}
