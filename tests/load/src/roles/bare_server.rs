//! The limit: an echo with a length prefix on bare tokio sockets, and nothing else.
//!
//! It does what a server can do best: one task for each connection, as many frames as are there for
//! each wake-up, one write for all their answers, memory only while there is something to keep.
//! Several threads share nothing; connections are dealt to them in turn.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::thread;

use clap::Args;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::error::Error;
use crate::parent;
use crate::roles::bare_client::{PREFIX, frame};

/// Bytes taken by one read, shared by the connections of a thread.
const READ_MAX: usize = 64 * 1024;

/// Connections on their way to their thread.
const DEALT_MAX: usize = 1_024;

/// What the server is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    threads: u64,
}

/// Serves until the parent is gone; says its address when ready.
pub(crate) fn serve(options: &Options) -> Result<(), Error> {
    let listening = Error::io("listening on 127.0.0.1");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(listening)?;
    let address = listener.local_addr().map_err(Error::io("the own address"))?;
    listener.set_nonblocking(true).map_err(Error::io("a listener that does not block"))?;
    let mut workers = Vec::new();
    for _ in 1..options.threads {
        let (deal, dealt) = mpsc::channel(DEALT_MAX);
        workers.push(deal);
        thread::spawn(move || run(take(dealt)));
    }
    thread::spawn(move || run(accept(listener, workers)));
    parent::answer(&address.to_string(), |_| Ok(serde_json::Value::Null))
}

/// Runs one thread's share; a server that cannot go on ends its process, which the parent notices.
fn run(serving: impl Future<Output = io::Result<()>>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let result = runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, serving));
    if let Err(error) = result {
        eprintln!("load: the bare echo cannot go on: {error}");
        std::process::exit(1);
    }
}

/// The first thread accepts, serves its share and deals out the others'.
async fn accept(
    listener: std::net::TcpListener,
    workers: Vec<mpsc::Sender<std::net::TcpStream>>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let scratch = Scratch::new();
    for turn in (0..=workers.len()).cycle() {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match workers.get(turn) {
            Some(worker) => {
                let gone = |_| io::Error::from(ErrorKind::BrokenPipe);
                worker.send(stream.into_std()?).await.map_err(gone)?;
            }
            None => scratch.spawn(stream),
        }
    }
    Ok(())
}

async fn take(mut dealt: mpsc::Receiver<std::net::TcpStream>) -> io::Result<()> {
    let scratch = Scratch::new();
    while let Some(stream) = dealt.recv().await {
        scratch.spawn(TcpStream::from_std(stream)?);
    }
    Ok(())
}

/// The buffers that the connections of one thread share while they are awake.
#[derive(Clone)]
struct Scratch(Rc<RefCell<(Vec<u8>, Vec<u8>)>>);

impl Scratch {
    fn new() -> Self {
        Self(Rc::new(RefCell::new((vec![0; READ_MAX], Vec::with_capacity(READ_MAX)))))
    }

    fn spawn(&self, mut stream: TcpStream) {
        let scratch = self.clone();
        tokio::task::spawn_local(async move {
            // A connection that breaks or breaks its framing ends alone; its client says so.
            let _ = echo(&mut stream, &scratch).await;
        });
    }
}

/// Answers every frame until the client ends.
async fn echo(stream: &mut TcpStream, scratch: &Scratch) -> Result<(), Error> {
    let mut partial = Vec::new();
    let mut unsent = Vec::new();
    let broken = || Error::io("a connection of the bare echo");
    loop {
        let count = read(stream, scratch).await.map_err(broken())?;
        if count == 0 {
            return Ok(());
        }
        turn(stream, scratch, count, &mut partial, &mut unsent)?;
        while !unsent.is_empty() {
            stream.writable().await.map_err(broken())?;
            write(stream, &mut unsent).map_err(broken())?;
        }
        // What was kept for a while gives its memory back.
        unsent = Vec::new();
    }
}

/// Reads into the shared buffer. The bytes stay there until this thread waits for something.
///
/// It polls, instead of trying after `readable`: so tokio knows from a short read that the socket
/// is empty, and saves the read that would say so.
async fn read(stream: &mut TcpStream, scratch: &Scratch) -> io::Result<usize> {
    poll_fn(|context| {
        let (input, _) = &mut *scratch.0.borrow_mut();
        let mut buffer = ReadBuf::new(input);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}

/// The answers to what was read.
fn turn(
    stream: &TcpStream,
    scratch: &Scratch,
    count: usize,
    partial: &mut Vec<u8>,
    unsent: &mut Vec<u8>,
) -> Result<(), Error> {
    let (input, output) = &mut *scratch.0.borrow_mut();
    output.clear();
    if partial.is_empty() {
        let rest = answers(&input[..count], output)?;
        partial.extend_from_slice(rest);
    } else {
        partial.extend_from_slice(&input[..count]);
        let kept = answers(partial, output)?.len();
        partial.drain(..partial.len() - kept);
    }
    if partial.is_empty() {
        *partial = Vec::new();
    }
    write(stream, output).map_err(Error::io("a write of the bare echo"))?;
    unsent.append(output);
    Ok(())
}

/// The answer to every whole frame; returns what is not whole.
fn answers<'a>(mut input: &'a [u8], output: &mut Vec<u8>) -> Result<&'a [u8], Error> {
    while let Some(payload) = frame(input)? {
        output.extend_from_slice(&input[..PREFIX]);
        output.extend_from_slice(payload);
        input = &input[PREFIX + payload.len()..];
    }
    Ok(input)
}

/// Writes what the socket takes and leaves the rest.
pub(crate) fn write(stream: &TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    match stream.try_write(bytes) {
        Ok(count) if count == bytes.len() => bytes.clear(),
        Ok(count) => drop(bytes.drain(..count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
