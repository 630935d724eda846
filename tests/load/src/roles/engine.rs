//! The limit of queues and of turns: the same records put straight into the engine, and appended
//! to a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use throughline_cluster::RecordId;
use throughline_link::SessionId;
use throughline_queue::{Producing, QueueName, Source};
use throughline_store::Write as Put;

use crate::echo::Slice;
use crate::error::Error;
use crate::parent::{self, Question, json};
use crate::roles::queue_producer::{message, queue_of};
use crate::roles::raw;

/// Messages of one write.
const AT_ONCE: u64 = 1_024;
/// What the records are put into.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum What {
    /// sled: a batch, its flush, an fdatasync of its log; PostgreSQL: one `unnest`
    Engine,
    /// A file: append, fdatasync
    Disk,
}

/// What is written.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// A folder for each slice is made in it.
    #[arg(long)]
    path: PathBuf,
    #[arg(long, value_enum)]
    what: What,
    /// The address of a PostgreSQL, if the engine is not sled.
    #[arg(long)]
    postgres: Option<String>,
    /// Queues whose messages they would be.
    #[arg(long, default_value_t = 0)]
    producers: u64,
    /// Sessions whose states they would be, instead.
    #[arg(long, conflicts_with = "producers")]
    sessions: Option<u64>,
    /// Bytes of each message, or of each state.
    #[arg(long)]
    payload: usize,
}

/// Writes when asked, until the parent is gone.
pub(crate) fn drive(options: &Options) -> Result<(), Error> {
    fs::create_dir_all(&options.path).map_err(Error::io("making a folder"))?;
    let mut records: Box<dyn Records> = match options.sessions {
        Some(sessions) => Box::new(States::new(sessions, options.payload)),
        None => Box::new(Messages::new(options)?),
    };
    let mut slices = 0_u64;
    parent::answer(&(), |question| {
        let Question::Slice { millis } = question else { return Ok(json(&())) };
        // What grows gets slower; so each slice begins with nothing.
        slices += 1;
        let path = options.path.join(slices.to_string());
        let lasting = Duration::from_millis(millis);
        let handled = match options.what {
            What::Engine => {
                let raw = raw::open(options.postgres.as_deref(), &path)?;
                engine(raw, &mut *records, lasting)
            }
            What::Disk => disk(&path, &mut *records, lasting),
        };
        Ok(json(&Slice { millis, handled: handled? }))
    })
}

/// What is written: other bytes each time.
trait Records {
    /// So many in one write.
    fn at_once(&self) -> u64;

    /// The next one: key and value.
    fn next(&mut self) -> Result<(Bytes, Bytes), Error>;
}

/// The states that so many sessions would write, each as often as the others.
struct States {
    sessions: u64,
    state: Vec<u8>,
    number: u64,
}

impl States {
    fn new(sessions: u64, bytes: usize) -> Self {
        Self { sessions, state: vec![0; bytes], number: 0 }
    }
}

impl Records for States {
    fn at_once(&self) -> u64 {
        self.sessions
    }

    fn next(&mut self) -> Result<(Bytes, Bytes), Error> {
        self.number += 1;
        let session = self.number % self.sessions;
        for word in self.state.chunks_exact_mut(8) {
            word.copy_from_slice(&self.number.to_be_bytes());
        }
        let id = SessionId(u128::from(session).to_be_bytes());
        let key = RecordId::session(id);
        Ok((Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(&self.state)))
    }
}

/// The messages that the producers would enqueue: 16 of one, 16 of the next.
struct Messages {
    names: Vec<QueueName>,
    producing: Vec<Producing>,
    payload: usize,
    number: u64,
}

impl Messages {
    fn new(options: &Options) -> Result<Self, Error> {
        let names = (0..options.producers).map(|n| queue_of(n, false)).collect::<Result<_, _>>()?;
        let source = |producer: u64| Source::of(&producer.to_be_bytes(), 1);
        let producing = |producer| Producing { source: source(producer), last_ms: 0 };
        let producing = (0..options.producers).map(producing).collect();
        Ok(Self { names, producing, payload: options.payload, number: 0 })
    }
}

impl Records for Messages {
    fn at_once(&self) -> u64 {
        AT_ONCE
    }

    /// As its queue would have it.
    fn next(&mut self) -> Result<(Bytes, Bytes), Error> {
        self.number += 1;
        let producer = self.number / 16 % self.names.len() as u64;
        let index = usize::try_from(producer).unwrap_or(0);
        let payload = message(producer, self.number, self.payload);
        // A millisecond for each write.
        let now_ms = 1_800_000_000_000 + self.number / AT_ONCE;
        let (name, number) = (&self.names[index], self.number);
        let staged = self.producing[index].enqueue(name, &payload, u64::MAX, number, now_ms);
        let staged = staged.map_err(|error| Error::Store(error.to_string()))?;
        match staged.pieces.writes.into_iter().next() {
            Some(Put::Put { key, value }) => Ok((key, value)),
            _ => Err(Error::Store("an enqueue without a message".to_owned())),
        }
    }
}

fn engine(
    mut raw: Box<dyn raw::Raw>,
    records: &mut dyn Records,
    lasting: Duration,
) -> Result<u64, Error> {
    let until = Instant::now() + lasting;
    let mut handled = 0;
    loop {
        let at_once = records.at_once();
        raw.write(at_once, &mut || records.next())?;
        if Instant::now() >= until {
            break;
        }
        handled += at_once;
    }
    raw.remove()?;
    Ok(handled)
}

fn disk(path: &Path, records: &mut dyn Records, lasting: Duration) -> Result<u64, Error> {
    let mut file = File::create(path).map_err(Error::io("making a file"))?;
    let until = Instant::now() + lasting;
    let (mut handled, mut bytes) = (0, Vec::new());
    loop {
        bytes.clear();
        for _ in 0..records.at_once() {
            let (key, value) = records.next()?;
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(&value);
        }
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        written.map_err(Error::io("appending to a file"))?;
        if Instant::now() >= until {
            break;
        }
        handled += records.at_once();
    }
    drop(file);
    fs::remove_file(path).map_err(Error::io("removing a slice"))?;
    Ok(handled)
}
