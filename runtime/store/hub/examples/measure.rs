//! Commits per second and round trips through a hub: `measure [SECONDS [WINDOW]]`, 2 seconds and
//! each of several windows by default.
//!
//! Prints one line for each store, way and window: a window is how many commits one client has
//! under way; window 1 is the round trip. Each commit checks and overwrites a record of 100 bytes
//! that differ each time. The hub has a thread of its own, as its process would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use throughline_store::{Batch, MemoryStore, Store};
use throughline_store_hub::{Address, Hub, HubStore, Options, Secret};
use throughline_store_sled::SledStore;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const VALUE_BYTES: usize = 100;
const WINDOWS: [usize; 4] = [1, 16, 256, 2048];

/// How long each line is measured, and its windows.
struct Run {
    period: Duration,
    windows: Vec<usize>,
}

fn main() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(2), |text| text.parse())?;
    let window = std::env::args().nth(2).map(|text| text.parse()).transpose()?;
    let windows = window.map_or_else(|| WINDOWS.to_vec(), |window| vec![window]);
    let run = Run { period: Duration::from_secs(seconds), windows };
    let folder = tempfile::tempdir()?;
    println!("store   way       window  commits/s   p50 us   p99 us");
    measure("memory", Arc::new(MemoryStore::new()), folder.path(), &run)?;
    let on_disk = SledStore::open(folder.path().join("store"))?;
    measure("sled", Arc::new(on_disk), folder.path(), &run)
}

/// One store, directly, over a socket and over loopback.
fn measure(
    name: &str,
    store: Arc<dyn Store>,
    folder: &std::path::Path,
    run: &Run,
) -> Result<(), Failure> {
    let secret = Secret::new(*b"the secret of the measurement")?;
    let mut addresses: Vec<Address> = vec!["127.0.0.1:0".parse()?];
    if cfg!(unix) {
        addresses.push(format!("unix:{}", folder.join("hub").display()).parse()?);
    }
    let lending =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let asking = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hub = lending.block_on(Hub::serve(store.clone(), secret.clone(), &addresses))?;
    report(&asking, name, "direct", &store, run)?;
    for (address, way) in hub.addresses().iter().zip(["loopback", "socket"]) {
        let options = Options::new(address.clone(), secret.clone());
        let lent: Arc<dyn Store> = Arc::new(asking.block_on(HubStore::connect(options))?);
        report(&asking, name, way, &lent, run)?;
        asking.block_on(lent.close())?;
    }
    lending.block_on(hub.stop());
    Ok(())
}

fn report(
    runtime: &tokio::runtime::Runtime,
    name: &str,
    way: &str,
    store: &Arc<dyn Store>,
    run: &Run,
) -> Result<(), Failure> {
    let period = run.period;
    for &window in &run.windows {
        let started = Instant::now();
        let tasks: Vec<_> = (0..window)
            .map(|record| runtime.spawn(overwrite(store.clone(), record, started, period)))
            .collect();
        let mut all = Histogram::<u64>::new(3)?;
        for task in tasks {
            all.add(runtime.block_on(task)??)?;
        }
        let rate = all.len() as f64 / started.elapsed().as_secs_f64();
        let (p50, p99) = (all.value_at_quantile(0.5), all.value_at_quantile(0.99));
        println!("{name:<7} {way:<9} {window:>6} {rate:>10.0} {p50:>8} {p99:>8}");
    }
    Ok(())
}

/// One record, overwritten until the time is over; how long each commit took, in microseconds.
async fn overwrite(
    store: Arc<dyn Store>,
    record: usize,
    started: Instant,
    period: Duration,
) -> Result<Histogram<u64>, Failure> {
    let mut latencies = Histogram::new(3)?;
    let key = format!("record/{record:05}");
    let mut value = vec![0; VALUE_BYTES];
    let first = Batch::new().put(key.clone(), value.clone());
    store.commit(first).await?;
    while started.elapsed() < period {
        let begun = Instant::now();
        let batch = Batch::new().check_equals(key.clone(), value.clone());
        let number = u64::from_be_bytes(value[..8].try_into()?) + 1;
        value[..8].copy_from_slice(&number.to_be_bytes());
        store.commit(batch.put(key.clone(), value.clone())).await?;
        latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
    Ok(latencies)
}
