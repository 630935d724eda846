//! Writers that know what they were answered, and a reader that knows it, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use throughline_store::{Batch, CommitError, GetError, Scan, ScanError, Store};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

const WRITERS: u64 = 16;

/// Writers under way. Each has a counter, and a record for each of its numbers. A reader looks at
/// the counters: none shows less than was answered before the read began.
pub(crate) struct Load {
    store: Arc<dyn Store>,
    writers: JoinSet<Written>,
    reader: JoinHandle<u64>,
    stop: watch::Sender<bool>,
    answered: watch::Sender<u64>,
}

/// What a writer was answered.
struct Written {
    writer: u64,
    answered: u64,
    unknown: u64,
}

impl Load {
    /// With this pause of each writer after each answer, and of the reader after each read.
    pub(crate) fn start(store: Arc<dyn Store>, pause: Duration) -> Self {
        let (stop, answered) = (watch::Sender::new(false), watch::Sender::new(0));
        let landed: Arc<[AtomicU64]> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let (landed, told) = (landed.clone(), answered.clone());
            let writer = Writer { number, landed, told, stop: stop.subscribe(), pause };
            writers.spawn(writer.write(store.clone()));
        }
        let reader = tokio::spawn(read(store.clone(), landed, stop.subscribe(), pause));
        Self { store, writers, reader, stop, answered }
    }

    /// Waits for so many answers more.
    pub(crate) async fn answers(&self, more: u64) {
        let mut answered = self.answered.subscribe();
        let until = *answered.borrow() + more;
        answered.wait_for(|answered| *answered >= until).await.unwrap();
    }

    /// Ends the writers, once each knows what became of its last commit, and verifies that all
    /// that was answered is there, and nothing else; how many commits were unknown first.
    pub(crate) async fn verify(mut self) -> u64 {
        self.stop.send_replace(true);
        let mut unknown = 0;
        while let Some(written) = self.writers.join_next().await {
            let Written { writer, answered, unknown: of_it } = written.unwrap();
            unknown += of_it;
            let counter = get(&self.store, counter(writer)).await;
            assert_eq!(counter, Some(answered.to_be_bytes().to_vec()), "writer {writer}");
            assert_eq!(count(&self.store, &prefix(writer)).await, answered, "writer {writer}");
        }
        assert!(self.reader.await.unwrap() > 0, "the reader has read nothing");
        unknown
    }
}

fn counter(writer: u64) -> Vec<u8> {
    [b"counter/", &writer.to_be_bytes()[..]].concat()
}

fn prefix(writer: u64) -> Vec<u8> {
    [b"record/", &writer.to_be_bytes()[..]].concat()
}

struct Writer {
    number: u64,
    /// What each writer was answered last.
    landed: Arc<[AtomicU64]>,
    told: watch::Sender<u64>,
    stop: watch::Receiver<bool>,
    pause: Duration,
}

impl Writer {
    async fn write(self, store: Arc<dyn Store>) -> Written {
        let writer = self.number;
        let (mut answered, mut unknown, mut is_unknown) = (0_u64, 0, false);
        while is_unknown || !*self.stop.borrow() {
            let next = answered + 1;
            let batch = match answered {
                0 => Batch::new().check_absent(counter(writer)),
                n => Batch::new().check_equals(counter(writer), n.to_be_bytes().to_vec()),
            };
            let batch = batch.put(counter(writer), next.to_be_bytes().to_vec());
            let record = [&prefix(writer)[..], &next.to_be_bytes()].concat();
            let outcome = store.commit(batch.put(record, vec![7; 200])).await;
            match outcome {
                Ok(()) => is_unknown = false,
                // The same commit was unknown before, and had landed.
                Err(CommitError::Refused(_)) if is_unknown => is_unknown = false,
                Err(CommitError::Unknown { .. }) => {
                    (is_unknown, unknown) = (true, unknown + 1);
                    continue;
                }
                Err(CommitError::Down(_)) => continue,
                Err(error) => panic!("writer {writer}, number {next}: {error}"),
            }
            answered = next;
            self.landed[index(writer)].store(answered, Ordering::Release);
            self.told.send_modify(|told| *told += 1);
            if !self.pause.is_zero() {
                sleep(self.pause).await;
            }
        }
        Written { writer, answered, unknown }
    }
}

fn index(writer: u64) -> usize {
    usize::try_from(writer).unwrap()
}

/// Reads the counters in turn; how often that was answered.
async fn read(
    store: Arc<dyn Store>,
    landed: Arc<[AtomicU64]>,
    stop: watch::Receiver<bool>,
    pause: Duration,
) -> u64 {
    let mut reads = 0;
    for writer in (0..WRITERS).cycle() {
        if *stop.borrow() {
            break;
        }
        let before = landed[index(writer)].load(Ordering::Acquire);
        let found = match store.get(counter(writer).into()).await {
            Ok(found) => found.map_or(0, |n| u64::from_be_bytes(n[..].try_into().unwrap())),
            Err(GetError::Down(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        assert!(found >= before, "{writer} was answered {before}, and a read shows {found}");
        reads += 1;
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    reads
}

async fn get(store: &Arc<dyn Store>, key: Vec<u8>) -> Option<Vec<u8>> {
    loop {
        match store.get(key.clone().into()).await {
            Ok(value) => return value.map(|value| value.to_vec()),
            Err(GetError::Down(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn count(store: &Arc<dyn Store>, prefix: &[u8]) -> u64 {
    let mut scan = Scan::prefix(prefix.to_vec());
    let mut count = 0;
    loop {
        match store.scan(scan.clone()).await {
            Ok(page) => {
                count += page.entries().len() as u64;
                let Some(next) = page.next() else { return count };
                scan = scan.resume(next.clone());
            }
            Err(ScanError::Down(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
