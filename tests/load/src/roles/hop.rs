//! What is possible between two processes of two threads each: the bare echo with a hop.
//!
//! The asker is on one thread and the socket on another, and so are the counter and its socket, as
//! in our nodes; between the threads are tokio's channels, and on the wire is a length and nothing
//! else. Whoever has more to hand over or to write does it in one go.

use std::collections::VecDeque;
use std::io;
use std::thread;

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::parent::{self, json};
use crate::roles::asks::{self, Asked};
use crate::roles::bare_client::{PREFIX, frame};
use crate::roles::counter::{Add, Added, Counted};
use crate::roles::worker::Worker;

/// Bytes of each frame: about what an ask has between nodes.
const FRAME_BYTES: usize = 64;

/// Bytes taken by one read.
const READ_MAX: usize = 64 * 1024;

/// Serves a counter until the parent is gone; says its address when ready.
pub(crate) fn serve() -> Result<(), Error> {
    let listening = Error::io("listening on 127.0.0.1");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(listening)?;
    let address = listener.local_addr().map_err(Error::io("the own address"))?;
    let (asks, asked) = mpsc::unbounded_channel();
    let (replies, replied) = mpsc::unbounded_channel();
    run(|| count(asked, replies));
    run(|| async move {
        listener.set_nonblocking(true)?;
        let (stream, _) = TcpListener::from_std(listener)?.accept().await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let reading = read(reader, |add| asks.send(add).map_err(|_| gone()));
        tokio::try_join!(reading, write(writer, replied)).map(|_| ())
    });
    parent::answer(&address.to_string(), |_| Ok(serde_json::Value::Null))
}

/// Runs on a thread of its own; what cannot go on ends its process, which the parent notices.
fn run<W>(work: impl FnOnce() -> W + Send + 'static)
where
    W: Future<Output = io::Result<()>>,
{
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        if let Err(error) = runtime.and_then(|runtime| runtime.block_on(work())) {
            eprintln!("load: the echo with a hop cannot go on: {error}");
            std::process::exit(1);
        }
    });
}

fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

/// The counter; number 0 asks for the total.
async fn count(
    mut asked: mpsc::UnboundedReceiver<[u64; 2]>,
    replies: mpsc::UnboundedSender<[u64; 2]>,
) -> io::Result<()> {
    let mut counted = Counted::default();
    while let Some([number, _]) = asked.recv().await {
        let reply = match number {
            0 => [counted.sum, counted.count],
            number => [number, counted.add(Add { number }).count],
        };
        replies.send(reply).map_err(|_| gone())?;
    }
    Ok(())
}

/// Takes two numbers out of every frame.
async fn read(
    mut reader: OwnedReadHalf,
    mut each: impl FnMut([u64; 2]) -> io::Result<()>,
) -> io::Result<()> {
    let mut input = Vec::with_capacity(READ_MAX);
    while reader.read_buf(&mut input).await? > 0 {
        let mut rest = &input[..];
        while let Some(payload) = frame(rest).map_err(io::Error::other)? {
            rest = &rest[PREFIX + payload.len()..];
            let number = |at: usize| {
                let bytes = payload.get(at..).and_then(|rest| rest.first_chunk());
                bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
            };
            each([number(0), number(8)])?;
        }
        let handled = input.len() - rest.len();
        input.drain(..handled);
        input.reserve(READ_MAX);
    }
    Ok(())
}

/// Writes all that is there with each write.
async fn write(
    mut writer: OwnedWriteHalf,
    mut numbers: mpsc::UnboundedReceiver<[u64; 2]>,
) -> io::Result<()> {
    let mut output = Vec::new();
    while let Some(first) = numbers.recv().await {
        let mut next = Some(first);
        while let Some([first, second]) = next {
            let start = output.len() + PREFIX;
            output.extend_from_slice(&(FRAME_BYTES as u32).to_be_bytes());
            output.extend_from_slice(&first.to_be_bytes());
            output.extend_from_slice(&second.to_be_bytes());
            output.resize(start + FRAME_BYTES, 0);
            next = numbers.try_recv().ok();
        }
        writer.write_all(&output).await?;
        output.clear();
    }
    Ok(())
}

/// What the asker is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Where the counter is.
    #[arg(long)]
    target: String,
    /// Asks in flight.
    #[arg(long)]
    window: u64,
}

/// Asks for a number, and waits at the other end.
type Ask = (u64, oneshot::Sender<[u64; 2]>);

struct Asker(mpsc::UnboundedSender<Ask>);

impl Asker {
    async fn ask(&self, number: u64) -> Result<[u64; 2], String> {
        let (sender, receiver) = oneshot::channel();
        self.0.send((number, sender)).map_err(|_| "no connection".to_owned())?;
        receiver.await.map_err(|error| error.to_string())
    }
}

impl Asked for Asker {
    const ARE_NEW: bool = false;

    async fn add(&self, number: u64) -> Result<Added, String> {
        let [number, count] = self.ask(number).await?;
        Ok(Added { number, count })
    }

    async fn total(&self, _: u64) -> Result<Counted, String> {
        let [sum, count] = self.ask(0).await?;
        Ok(Counted { count, sum })
    }
}

/// Asks until the parent is gone.
pub(crate) fn drive(options: &Options) -> Result<(), Error> {
    let (asks, mut asked) = mpsc::unbounded_channel::<Ask>();
    let target = options.target.clone();
    run(|| async move {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let (numbers, written) = mpsc::unbounded_channel();
        let waiting = std::cell::RefCell::new(VecDeque::<oneshot::Sender<_>>::new());
        // Replies come in the order of the asks.
        let reading = read(reader, |reply| {
            let first = waiting.borrow_mut().pop_front().ok_or_else(gone)?;
            // Who asked waits, or has ended with its process.
            let _ = first.send(reply);
            Ok(())
        });
        let asking = async {
            while let Some((number, sender)) = asked.recv().await {
                waiting.borrow_mut().push_back(sender);
                numbers.send([number, 0]).map_err(|_| gone())?;
            }
            Ok(())
        };
        tokio::try_join!(reading, asking, write(writer, written)).map(|_| ())
    });
    let window = options.window;
    let worker = Worker::start(move |desk| asks::work(Asker(asks), window, desk));
    worker.answer()?;
    parent::answer(&(), |question| Ok(json(&worker.ask(question)?)))
}
