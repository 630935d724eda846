//! The fault proxy of `cut`: one port for each client, so that a break belongs to a client.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use throughline_tests::proxy::{FIRED_MAX, Faults, Fired, Kind, Proxy};
use tokio::sync::mpsc;

use crate::cut::{Broken, Faulted};
use crate::error::Error;
use crate::parent::{self, Broken as How, Question, json};
use crate::roles::worker::{Desk, Worker};

/// How long after the start of a connection, or after its last fault, the next one comes: short
/// enough for a thousand breaks of 200 clients in 20 s, long enough for most resumes to be whole.
const EVERY: Range<Duration> = Duration::from_millis(50)..Duration::from_millis(1_500);

/// What the proxy is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Where the node is: `host:port`.
    #[arg(long)]
    target: SocketAddr,
    /// The number of the first client.
    #[arg(long)]
    first: u64,
    /// How many clients.
    #[arg(long)]
    clients: u64,
    #[arg(long)]
    seed: u64,
    /// Breaks nothing before it is told to.
    #[arg(long)]
    calm: bool,
}

/// What the thread answers.
enum Answer {
    Ready(Vec<String>),
    Faulted(Faulted),
}

/// Carries connections until the parent is gone; says its addresses, in the order of the clients.
pub(crate) fn serve(options: &Options) -> Result<(), Error> {
    let options = options.clone();
    let worker = Worker::start(move |desk| work(options, desk));
    let Answer::Ready(addresses) = worker.answer()? else {
        return Err(Error::Gone { role: "the proxy's thread".to_owned() });
    };
    parent::answer(&addresses, |question| match worker.ask(question)? {
        Answer::Ready(_) => Ok(serde_json::Value::Null),
        Answer::Faulted(faulted) => Ok(json(&faulted)),
    })
}

/// The proxy of one client.
struct Shard {
    client: u64,
    proxy: Proxy,
    fired: mpsc::Receiver<Fired>,
}

async fn work(options: Options, mut desk: Desk<Answer>) -> Result<(), Error> {
    let mut shards = Vec::new();
    for client in options.first..options.first + options.clients {
        // The connections of one proxy count from 0, so clients differ by their seeds.
        let seed = options.seed.rotate_left(32) ^ client;
        let faults = match options.calm {
            true => Faults::none(),
            false => Faults { every: EVERY, ..Faults::all(seed) },
        };
        let started = Proxy::watched(options.target, faults).await;
        let (proxy, fired) = started.map_err(Error::io("starting a proxy"))?;
        shards.push(Shard { client, proxy, fired });
    }
    let addresses = shards.iter().map(|shard| shard.proxy.address().to_string()).collect();
    desk.say(Answer::Ready(addresses))?;
    while let Some(question) = desk.next().await {
        for shard in &shards {
            match question {
                Question::Calm => shard.proxy.set(Faults::none()),
                Question::Break(broken) => shard.proxy.set(all_so(options.seed, broken)),
                Question::Mend => {
                    shard.proxy.set(Faults::none());
                    // What has begun goes on: a black hole is one until it is closed.
                    shard.proxy.cut_all();
                }
                _ => {}
            }
        }
        desk.say(Answer::Faulted(faulted(&mut shards)))?;
    }
    Ok(())
}

/// The faults that make this of every connection, at once.
fn all_so(seed: u64, broken: How) -> Faults {
    let kind = match broken {
        How::Cut => Kind::Cut,
        How::BlackHole => Kind::BlackHole,
        How::Up => Kind::BlackHoleUp,
        How::Down => Kind::BlackHoleDown,
    };
    Faults { every: Duration::ZERO..Duration::from_millis(1), ..Faults::only(seed, kind) }
}

/// The breaks since the last call, and how often each fault fired in all.
fn faulted(shards: &mut [Shard]) -> Faulted {
    let mut faulted = Faulted::default();
    for shard in shards {
        let counters = shard.proxy.counters();
        faulted.breaks += counters.breaks();
        faulted.untold += counters.untold;
        for kind in Kind::ALL {
            *faulted.fired.entry(kind.name().to_owned()).or_default() += counters.of(kind);
        }
        for _ in 0..FIRED_MAX {
            let Ok(fired) = shard.fired.try_recv() else { break };
            if fired.kind.breaks() {
                faulted.broken.push(Broken { client: shard.client, at_us: micros(fired.at) });
            }
        }
    }
    faulted
}

/// Microseconds since 1970, on the clock that all processes of the machine share.
pub(crate) fn micros(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
