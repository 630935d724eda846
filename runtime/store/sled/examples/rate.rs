//! How many commits and records a second a store on this disk takes.
//!
//! ```text
//! cargo run --release -p throughline-store-sled --example rate -- PATH [SECONDS]
//! ```
//!
//! Each line: commits under way at a time, puts per commit, bytes per value; then commits/s,
//! records/s, commits per sync, and how long a commit took. Every value is new, since sled writes
//! no unchanged bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use throughline_store::{Batch, Store};
use throughline_store_sled::SledStore;

/// Keys of one task, overwritten in turn.
const KEYS: u64 = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: rate PATH [SECONDS]")?;
    let seconds = args.next().map_or(Ok(2), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    println!(" tasks  puts   bytes   commits/s   records/s  per sync   mean ms   p99 ms");
    for (tasks, puts, bytes) in [
        (1, 2, 200),
        (16, 2, 200),
        (64, 2, 200),
        (256, 2, 200),
        (1024, 2, 200),
        (64, 50, 200),
        (64, 1, 2_048),
        (64, 1, 16_384),
        (16, 1, 262_144),
    ] {
        let store = Arc::new(SledStore::open(&path)?);
        let line = runtime.block_on(measure(&store, tasks, puts, bytes, seconds))?;
        println!("{line}");
        runtime.block_on(store.close())?;
    }
    Ok(())
}

async fn measure(
    store: &Arc<SledStore>,
    tasks: u64,
    puts: u64,
    bytes: usize,
    seconds: u64,
) -> Result<String, Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let writers: Vec<_> = (0..tasks)
        .map(|task| tokio::spawn(write(store.clone(), stop.clone(), task, puts, bytes)))
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for writer in writers {
        latencies.extend(writer.await?.map_err(|error| error.to_string())?);
    }
    let elapsed = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let stats = store.stats();
    let commits = stats.commits as f64;
    let mean = latencies.iter().sum::<Duration>().as_secs_f64() * 1e3 / commits;
    let p99 = latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3;
    Ok(format!(
        "{tasks:6} {puts:5} {bytes:7} {:11.0} {:11.0} {:9.1} {mean:9.2} {p99:8.2}",
        commits / elapsed,
        stats.records as f64 / elapsed,
        commits / stats.groups as f64,
    ))
}

async fn write(
    store: Arc<SledStore>,
    stop: Arc<AtomicBool>,
    task: u64,
    puts: u64,
    bytes: usize,
) -> Result<Vec<Duration>, throughline_store::CommitError> {
    let mut latencies = Vec::new();
    let mut n = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let mut batch = Batch::new();
        for _ in 0..puts {
            n += 1;
            let key = [task.to_be_bytes(), (n % KEYS).to_be_bytes()].concat();
            batch = batch.put(key, n.to_be_bytes().repeat(bytes.div_ceil(8)));
        }
        let started = Instant::now();
        store.commit(batch).await?;
        latencies.push(started.elapsed());
    }
    Ok(latencies)
}
