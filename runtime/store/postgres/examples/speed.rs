//! How many commits and records a second a database takes.
//!
//! ```text
//! cargo run --release -p throughline-store-postgres --example speed -- ADDRESS [SECONDS]
//! cargo run --release -p throughline-store-postgres --features testing --example speed -- private
//! ```
//!
//! ADDRESS is a connection string; the database must be empty, or of the cluster "speed". Each
//! line: commits under way at a time, puts per commit, bytes per value, whether each commit checks
//! what it overwrites; then commits/s, records/s, commits per transaction, and how long one took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use throughline_store::{Batch, CommitError, Store};
use throughline_store_postgres::{Options, PostgresStore};

/// Keys of one task, overwritten in turn.
const KEYS: u64 = 64;

/// What the tasks of one line do.
#[derive(Clone, Copy)]
struct Work {
    tasks: u64,
    puts: u64,
    bytes: usize,
    checks: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().ok_or("usage: speed ADDRESS [SECONDS]")?;
    let seconds = args.next().map_or(Ok(3), |text| text.parse())?;
    #[cfg(feature = "testing")]
    let (_server, address) = match address.as_str() {
        "private" => {
            let server = throughline_store_postgres::testing::Server::start()?;
            let address = server.address("postgres");
            (Some(server), address)
        }
        _ => (None, address),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    println!(" tasks  puts   bytes checks   commits/s   records/s   grouped   mean ms   p99 ms");
    for (tasks, puts, bytes, checks) in [
        (1, 1, 200, true),
        (16, 1, 200, true),
        (64, 1, 200, true),
        (256, 1, 200, true),
        (1024, 1, 200, true),
        (64, 1, 16_384, true),
        (256, 1, 200, false),
        (64, 50, 200, false),
        (16, 500, 200, false),
    ] {
        let work = Work { tasks, puts, bytes, checks };
        let line = runtime.block_on(async {
            let store = Arc::new(Options::new(&address, "speed")?.open().await?);
            let line = measure(&store, work, seconds).await?;
            store.close().await?;
            Ok::<_, Box<dyn std::error::Error>>(line)
        })?;
        println!("{line}");
    }
    Ok(())
}

async fn measure(
    store: &Arc<PostgresStore>,
    work: Work,
    seconds: u64,
) -> Result<String, Box<dyn std::error::Error>> {
    // A first commit waits for the connections.
    store.commit(Batch::new().put("first", "")).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let writers: Vec<_> = (0..work.tasks)
        .map(|task| tokio::spawn(write(store.clone(), stop.clone(), task, work)))
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
    let commits = latencies.len() as f64;
    let mean = latencies.iter().sum::<Duration>().as_secs_f64() * 1e3 / commits;
    let p99 = latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3;
    let Work { tasks, puts, bytes, checks } = work;
    Ok(format!(
        "{tasks:6} {puts:5} {bytes:7} {checks:6} {:11.0} {:11.0} {:9.1} {mean:9.2} {p99:8.2}",
        commits / elapsed,
        commits * puts as f64 / elapsed,
        stats.commits as f64 / stats.groups as f64,
    ))
}

async fn write(
    store: Arc<PostgresStore>,
    stop: Arc<AtomicBool>,
    task: u64,
    work: Work,
) -> Result<Vec<Duration>, CommitError> {
    let mut latencies = Vec::new();
    let (mut n, mut known) = (0_u64, vec![None::<Vec<u8>>; KEYS as usize]);
    while !stop.load(Ordering::Relaxed) {
        let mut batch = Batch::new();
        for _ in 0..work.puts {
            n += 1;
            let key = [task.to_be_bytes(), (n % KEYS).to_be_bytes()].concat();
            let value = n.to_be_bytes().repeat(work.bytes.div_ceil(8));
            if work.checks {
                let old = known[(n % KEYS) as usize].replace(value.clone());
                if let Some(old) = old {
                    batch = batch.check_equals(key.clone(), old);
                }
            }
            // Only the last of one key counts.
            if work.puts > KEYS {
                let key = [&key[..], &n.to_be_bytes()].concat();
                batch = batch.put(key, value);
            } else {
                batch = batch.put(key, value);
            }
        }
        let started = Instant::now();
        store.commit(batch).await?;
        latencies.push(started.elapsed());
    }
    Ok(latencies)
}
