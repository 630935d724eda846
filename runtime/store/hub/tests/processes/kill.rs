//! The hub is killed or suspended, again and again, while two clients write through it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use throughline_store::Store;
use throughline_store_hub::{Address, HubStore};

use crate::hub::{HubProcess, LONG, free_loopback, options};
use crate::writer::{Seen, Writer};

const KILLS: u64 = 25;
#[cfg(unix)]
const SUSPENSIONS: u64 = 4;
/// So short that a hub that stands still is soon given up. Commits that are merely slow are then
/// unknown, too, and settled: the outcome is the same.
#[cfg(unix)]
const COMMIT_DEADLINE: Duration = Duration::from_millis(300);
#[cfg(unix)]
const SUSPENSION_MAX: Duration = Duration::from_secs(10);
const CLIENTS: u64 = 2;
const WRITERS_PER_CLIENT: u64 = 16;
/// Commits that are answered between two kills; each kill finds most writers in a commit.
const ANSWERS_PER_KILL: u64 = 400;

/// What happens to the hub between two stretches of work.
type Fault = fn(HubProcess, &Address, &Path, &Seen) -> HubProcess;

pub(crate) fn over_loopback() {
    run(&free_loopback(), KILLS, LONG, kill);
}

#[cfg(unix)]
pub(crate) fn over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    run(&Address::Unix(folder.path().join("hub")), KILLS, LONG, kill);
}

fn kill(hub: HubProcess, address: &Address, path: &Path, _: &Seen) -> HubProcess {
    drop(hub);
    let mut next = HubProcess::start(address, path);
    assert_eq!(next.first_line(), "serving");
    next
}

/// The clients give up their connections and settle what was unknown over new ones, while the hub
/// still has the old calls before it, and takes them when it goes on.
#[cfg(unix)]
pub(crate) fn while_suspended() {
    run(&free_loopback(), SUSPENSIONS, COMMIT_DEADLINE, |hub, _, _, seen| {
        let unknown = seen.unknown.load(Ordering::SeqCst);
        hub.signal("-STOP");
        // Were all writers reading just now, nothing becomes unknown: then it goes on without.
        let stopped = Instant::now();
        while seen.unknown.load(Ordering::SeqCst) < unknown + WRITERS_PER_CLIENT
            && stopped.elapsed() < SUSPENSION_MAX
        {
            std::thread::yield_now();
        }
        hub.signal("-CONT");
        hub
    });
}

fn run(address: &Address, faults: u64, commit_deadline: Duration, fault: Fault) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let mut hub = HubProcess::start(address, &path);
        assert_eq!(hub.first_line(), "serving");
        let (seen, is_over) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let mut writers = Vec::new();
        for client in 0..CLIENTS {
            let mut options = options(address);
            options.commit_deadline(commit_deadline);
            let store: Arc<dyn Store> = Arc::new(HubStore::connect(options).await.unwrap());
            for n in 0..WRITERS_PER_CLIENT {
                let name = client * WRITERS_PER_CLIENT + n;
                let writer = Writer::new(store.clone(), name, seen.clone());
                writers.push(tokio::spawn(write(writer, is_over.clone())));
            }
        }
        for _ in 0..faults {
            let answered = seen.answered.load(Ordering::SeqCst);
            while seen.answered.load(Ordering::SeqCst) < answered + ANSWERS_PER_KILL {
                assert!(writers.iter().all(|writer| !writer.is_finished()), "a writer failed");
                tokio::task::yield_now().await;
            }
            // A commit is under way in most writers now.
            hub = fault(hub, address, &path, &seen);
        }
        is_over.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.await.unwrap().verify().await;
        }
        println!("{faults} faults: {seen:?}");
        assert_eq!(seen.down.load(Ordering::SeqCst), 0, "a call did not wait for its hub");
        assert!(seen.unknown.load(Ordering::SeqCst) > 0, "no fault met a commit: {seen:?}");
    });
}

async fn write(mut writer: Writer, is_over: Arc<AtomicBool>) -> Writer {
    while !is_over.load(Ordering::SeqCst) {
        writer.turn().await;
    }
    writer
}
