//! The sockets: a thin driver round [`Wire`].

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::counters::Shared;
use super::faults::{Fault, Faults};
use super::pipe::HELD_MAX;
use super::wire::{Direction, Over, Wire};

/// Connections one proxy carries at once. Each takes two open files; further ones are reset at
/// once.
const CONNECTIONS_MAX: usize = 8_000;

/// How long the target may take to accept. It is on the same machine.
const DIAL_MAX: Duration = Duration::from_secs(5);

/// How long accepting pauses when it fails, for want of open files above all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes taken by one read. A frame of the default limit takes a few.
const READ_MAX: usize = 16 * 1024;

/// Writes to one side before the other side gets its turn: a split direction writes single bytes.
const WRITES_MAX: usize = 64;

const _: () = assert!(READ_MAX <= HELD_MAX);

/// The listening side of a proxy.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) target: SocketAddr,
    pub(crate) wanted: watch::Receiver<Faults>,
    pub(crate) injected: broadcast::Sender<Fault>,
    pub(crate) shared: Arc<Shared>,
}

impl Door {
    /// Accepts until the task is aborted.
    pub(crate) async fn accept(self) {
        loop {
            let Ok((client, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let target = self.target;
            let wanted = self.wanted.clone();
            let injected = self.injected.subscribe();
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                let Some(_place) = shared.enter(CONNECTIONS_MAX) else {
                    let _ = client.set_zero_linger();
                    return;
                };
                // A target that cannot be reached is the client's to notice, as without a proxy.
                let Ok(node) = dial(target).await else {
                    let _ = client.set_zero_linger();
                    return;
                };
                let _ = client.set_nodelay(true);
                let _ = node.set_nodelay(true);
                let number = shared.number();
                let wire = Wire::new(&wanted.borrow(), number);
                let start = Instant::now();
                let carrier = Carrier { client, node, wire, start, number, shared: &shared };
                carrier.carry(wanted, injected).await;
            });
        }
    }
}

async fn dial(target: SocketAddr) -> io::Result<TcpStream> {
    timeout(DIAL_MAX, TcpStream::connect(target)).await.map_err(io::Error::from)?
}

/// One connection and its two sockets.
struct Carrier<'a> {
    client: TcpStream,
    node: TcpStream,
    wire: Wire,
    start: Instant,
    number: u64,
    shared: &'a Shared,
}

impl Carrier<'_> {
    /// Carries bytes until the connection is over or the proxy is dropped.
    async fn carry(
        mut self,
        mut wanted: watch::Receiver<Faults>,
        mut injected: broadcast::Receiver<Fault>,
    ) {
        loop {
            self.wire.handle_time(self.start.elapsed());
            for direction in Direction::BOTH {
                if self.wire.poll_over().is_some() {
                    break;
                }
                self.write(direction).await;
                if self.wire.poll_shutdown(direction) {
                    // An error says that the receiver is gone, which reading from it tells, too.
                    let _ = self.sink(direction).shutdown().await;
                }
            }
            while let Some(kind) = self.wire.poll_fired() {
                self.shared.count(self.number, kind);
            }
            if let Some(over) = self.wire.poll_over() {
                self.finish(over);
                return;
            }
            if !self.wait(&mut wanted, &mut injected).await {
                return;
            }
        }
    }

    /// Waits for one event and feeds it; false when the proxy is dropped.
    async fn wait(
        &mut self,
        wanted: &mut watch::Receiver<Faults>,
        injected: &mut broadcast::Receiver<Fault>,
    ) -> bool {
        let now = self.start.elapsed();
        let [up, down] = Direction::BOTH.map(|direction| self.wire.write_at(direction));
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        // Bytes that are due wait for their socket, not for the time.
        let later = [up, down].into_iter().flatten().filter(|&at| at > now);
        let wake = later.chain(self.wire.poll_at()).min().map(|at| self.start + at);
        let sleep = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        let read_up = self.wire.space(Direction::Up) >= READ_MAX;
        let read_down = self.wire.space(Direction::Down) >= READ_MAX;
        tokio::select! {
            _ = self.client.readable(), if read_up => self.read(Direction::Up),
            _ = self.node.readable(), if read_down => self.read(Direction::Down),
            _ = self.node.writable(), if is_due(up) => {}
            _ = self.client.writable(), if is_due(down) => {}
            () = sleep => {}
            changed = wanted.changed() => {
                let Ok(()) = changed else { return false };
                let faults = wanted.borrow_and_update().clone();
                self.wire.handle_faults(self.start.elapsed(), &faults);
            }
            fault = injected.recv() => match fault {
                Ok(fault) => self.wire.handle_fault(self.start.elapsed(), fault),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return false,
            },
        }
        true
    }

    fn read(&mut self, direction: Direction) {
        let source = match direction {
            Direction::Up => &self.client,
            Direction::Down => &self.node,
        };
        let mut bytes = [0; READ_MAX];
        match source.try_read(&mut bytes) {
            Ok(0) => self.wire.handle_end(direction),
            Ok(count) => {
                self.wire.handle_bytes(direction, self.start.elapsed(), &bytes[..count]);
            }
            Err(error) if passes(&error) => {}
            Err(_) => self.wire.handle_gone(direction),
        }
    }

    async fn write(&mut self, direction: Direction) {
        for _ in 0..WRITES_MAX {
            let now = self.start.elapsed();
            let Some(bytes) = self.wire.poll_write(direction, now) else { return };
            let single = bytes.len() == 1;
            let sink = match direction {
                Direction::Up => &self.node,
                Direction::Down => &self.client,
            };
            match sink.try_write(bytes) {
                Ok(count) => self.wire.handle_written(direction, now, count),
                Err(error) if passes(&error) => return,
                Err(_) => {
                    let receiver_sends = match direction {
                        Direction::Up => Direction::Down,
                        Direction::Down => Direction::Up,
                    };
                    self.wire.handle_gone(receiver_sends);
                    return;
                }
            }
            if single {
                // A reader on the same thread gets the chance to see the byte alone.
                tokio::task::yield_now().await;
            }
        }
    }

    fn sink(&mut self, direction: Direction) -> &mut TcpStream {
        match direction {
            Direction::Up => &mut self.node,
            Direction::Down => &mut self.client,
        }
    }

    fn finish(&self, over: Over) {
        if over == Over::Reset {
            // Closing a socket that lingers for no time sends a reset. An error says that it is
            // gone.
            let _ = self.client.set_zero_linger();
            let _ = self.node.set_zero_linger();
        }
    }
}

/// Whether a socket's error says "not now" rather than "gone".
fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
