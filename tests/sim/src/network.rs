//! The simulated network as nodes and players see it: turmoil's, with wires that a fault can cut,
//! or keep open and silent.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use throughline::environment as runtime;
use throughline_client as client;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use turmoil::net::{TcpListener, TcpStream};

use crate::fault::FaultKind;
use crate::truth;

/// Connections that wait to be accepted: as many as a node's own sockets take.
const BACKLOG: usize = 4096;

/// All wires of a run. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Wires(Arc<Mutex<Vec<Weak<Line>>>>);

/// What one end of a connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    /// The next write is cut in its middle, and the connection with it.
    Cut,
    /// It carries nothing, and says so to nobody.
    Silent,
    Dead,
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    fate: Fate,
    /// What counts when the next write meets what is wrong with the network.
    marked: Option<FaultKind>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wires {
    fn add(&self, stream: &TcpStream) -> io::Result<Arc<Line>> {
        let (from, to) = (stream.local_addr()?, stream.peer_addr()?);
        let state = State { fate: Fate::Whole, marked: None, reader: None, writer: None };
        let line = Arc::new(Line { from, to, state: Mutex::new(state) });
        let mut lines = self.lock();
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&line));
        drop(lines);
        Ok(line)
    }

    /// Those that are open, in the order in which they were opened.
    pub(crate) fn open(&self) -> Vec<Arc<Line>> {
        self.lock().iter().filter_map(Weak::upgrade).filter(|line| line.is_open()).collect()
    }

    pub(crate) fn between(&self, one: IpAddr, other: IpAddr) -> Vec<Arc<Line>> {
        let mut lines = self.open();
        let ends = [(one, other), (other, one)];
        lines.retain(|line| ends.contains(&(line.from.ip(), line.to.ip())));
        lines
    }

    /// Both ends of a connection, as far as they are open.
    pub(crate) fn both_ends(&self, of: &Line) -> Vec<Arc<Line>> {
        let mut lines = self.open();
        let ends = [(of.from, of.to), (of.to, of.from)];
        lines.retain(|line| ends.contains(&(line.from, line.to)));
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, fate: Fate) {
        let mut state = self.state();
        if state.fate == Fate::Dead {
            return;
        }
        state.fate = fate;
        for waker in [state.reader.take(), state.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state().fate != Fate::Dead
    }

    /// Resets it, now.
    pub(crate) fn reset(&self) {
        self.set(Fate::Dead);
    }

    /// Cuts it within the next that is written.
    pub(crate) fn cut_in_frame(&self) {
        self.set(Fate::Cut);
    }

    /// Keeps it open, and carries nothing.
    pub(crate) fn silence(&self) {
        self.set(Fate::Silent);
    }

    /// Whether it is open and silent.
    pub(crate) fn is_silent(&self) -> bool {
        self.state().fate == Fate::Silent
    }

    /// The next write counts this fault.
    pub(crate) fn mark(&self, kind: Option<FaultKind>) {
        self.state().marked = kind;
    }
}

/// The network as one host sees it.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) ip: IpAddr,
    pub(crate) wires: Wires,
}

impl Host {
    /// Opens a connection from this host, whose software is running.
    pub(crate) async fn open(self, to: SocketAddr) -> io::Result<Wire> {
        let stream = TcpStream::connect(to).await?;
        let line = self.wires.add(&stream)?;
        Ok(Wire { stream, line })
    }

    /// Binds `port`, and accepts until the receiver is dropped.
    pub(crate) fn accept(&self, port: u16) -> io::Result<mpsc::Receiver<(Wire, SocketAddr)>> {
        let bound = pin!(TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)));
        // Binding a simulated port never waits.
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(listener) = bound.poll(&mut cx) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let listener = listener?;
        let (sender, incoming) = mpsc::channel(BACKLOG);
        let host = self.clone();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, from)) = accepted else { continue };
                let Ok(line) = host.wires.add(&stream) else { continue };
                // Full or closed: the connection is reset by being dropped.
                let _ = sender.try_send((Wire { stream, line }, from));
            }
        });
        Ok(incoming)
    }
}

impl runtime::Network for Host {
    fn listen(&self, address: SocketAddr) -> io::Result<runtime::Incoming> {
        let mut wires = self.accept(address.port())?;
        let (sender, incoming) = mpsc::channel(BACKLOG);
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    next = wires.recv() => next,
                };
                let Some((wire, from)) = next else { return };
                let _ = sender.try_send((Box::new(wire) as runtime::BoxStream, from));
            }
        });
        Ok(incoming)
    }

    fn connect(&self, address: &str) -> runtime::Connecting {
        let (host, address) = (self.clone(), address.parse());
        Box::pin(async move {
            let address = address.map_err(|_| io::ErrorKind::InvalidInput)?;
            Ok(Box::new(host.open(address).await?) as runtime::BoxStream)
        })
    }
}

impl client::Connector for Host {
    fn connect(&self, target: client::Target) -> client::Connecting {
        let host = self.clone();
        Box::pin(async move {
            let ip: IpAddr = target.host.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
            let wire = host.open(SocketAddr::new(ip, target.port)).await?;
            Ok(Box::new(wire) as client::BoxStream)
        })
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("ip", &self.ip).finish_non_exhaustive()
    }
}

/// One end of a connection, as a byte stream.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    pub(crate) line: Arc<Line>,
}

fn reset<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, line } = self.get_mut();
        let mut state = line.state();
        match state.fate {
            Fate::Dead => return reset(),
            Fate::Silent => {}
            Fate::Whole | Fate::Cut => match Pin::new(stream).poll_read(cx, buffer) {
                Poll::Ready(read) => return Poll::Ready(read),
                Poll::Pending => {}
            },
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, line } = self.get_mut();
        let mut state = line.state();
        if let Some(kind) = state.marked.take() {
            truth::fire(kind);
        }
        match state.fate {
            Fate::Dead => reset(),
            // It is lost: whoever wrote it cannot know.
            Fate::Silent => Poll::Ready(Ok(bytes.len())),
            Fate::Cut if bytes.len() > 1 => {
                let half = &bytes[..bytes.len() / 2];
                if Pin::new(stream).poll_write(cx, half).is_ready() {
                    truth::fire(FaultKind::CutInFrame);
                }
                state.fate = Fate::Dead;
                if let Some(reader) = state.reader.take() {
                    reader.wake();
                }
                reset()
            }
            Fate::Whole | Fate::Cut => {
                let written = Pin::new(stream).poll_write(cx, bytes);
                if written.is_pending() {
                    state.writer = Some(cx.waker().clone());
                }
                written
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.line.is_open() && !self.line.is_silent() {
            true => Pin::new(&mut self.get_mut().stream).poll_shutdown(cx),
            false => Poll::Ready(Ok(())),
        }
    }
}
