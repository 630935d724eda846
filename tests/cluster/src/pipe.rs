//! One direction of a connection in memory: bytes that arrive later, in order.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::random::Random;

/// Bytes that are on their way or not read, at most, as in the buffers of a socket; then a writer
/// waits.
const BYTES_MAX: usize = 256 * 1024;

/// One direction.
pub(crate) struct Pipe(Mutex<State>);

struct State {
    /// What is on its way, each with its time of arrival.
    chunks: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// When the last of them arrives: nothing overtakes.
    last: Instant,
    /// When the end of the stream arrives, once its writer has gone.
    end: Option<Instant>,
    /// The network carries nothing now.
    is_held: bool,
    /// Its reader has gone.
    is_broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    delay: Duration,
    random: Random,
}

impl Pipe {
    /// Each write arrives after 1 ms to `delay`.
    pub(crate) fn new(delay: Duration, seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            chunks: VecDeque::new(),
            bytes: 0,
            last: Instant::now(),
            end: None,
            is_held: false,
            is_broken: false,
            reader: None,
            writer: None,
            delay,
            random: Random::new(seed),
        })))
    }

    /// Carries nothing while held.
    pub(crate) fn hold(&self, is_held: bool) {
        let mut state = self.state();
        state.is_held = is_held;
        state.wake();
    }

    /// Its writer has gone; what was written arrives.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        if state.end.is_none() {
            let at = state.arrival();
            state.end = Some(at);
        }
        state.wake();
    }

    /// Its reader has gone.
    pub(crate) fn break_off(&self) {
        let mut state = self.state();
        state.is_broken = true;
        state.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When what is written now arrives.
    fn arrival(&mut self) -> Instant {
        let least = Duration::from_millis(1).min(self.delay);
        let delay = least + self.random.up_to(self.delay.saturating_sub(least));
        self.last = self.last.max(Instant::now() + delay);
        self.last
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Reads what has arrived. `Err`: nothing has, and when something does, if that is known.
    fn take(&mut self, buffer: &mut ReadBuf<'_>) -> Result<(), Option<Instant>> {
        if self.is_held {
            return Err(None);
        }
        let (now, before) = (Instant::now(), buffer.remaining());
        while let Some((_, chunk)) = self.chunks.front_mut().filter(|(at, _)| *at <= now) {
            let count = chunk.len().min(buffer.remaining());
            buffer.put_slice(&chunk[..count]);
            chunk.advance(count);
            self.bytes -= count;
            if !chunk.is_empty() {
                break;
            }
            self.chunks.pop_front();
        }
        if buffer.remaining() < before {
            if let Some(writer) = self.writer.take() {
                writer.wake();
            }
            return Ok(());
        }
        match self.chunks.front().map(|(at, _)| *at).or(self.end) {
            Some(at) if at <= now => Ok(()),
            at => Err(at),
        }
    }
}

/// One end of a connection in memory.
pub(crate) struct Stream {
    read: Arc<Pipe>,
    write: Arc<Pipe>,
    /// Until the next bytes arrive.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(crate) const fn new(read: Arc<Pipe>, write: Arc<Pipe>) -> Self {
        Self { read, write, sleep: None }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { read, sleep, .. } = self.get_mut();
        let mut state = read.state();
        loop {
            match state.take(buffer) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(at) => {
                    state.reader = Some(cx.waker().clone());
                    let Some(at) = at else { return Poll::Pending };
                    let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
                    sleep.as_mut().reset(at);
                    std::task::ready!(sleep.as_mut().poll(cx));
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.write.state();
        // Who cannot hear of it goes on writing, as with a socket.
        if state.end.is_some() || state.is_broken && !state.is_held {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = BYTES_MAX.saturating_sub(state.bytes);
        if room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes = &bytes[..bytes.len().min(room)];
        let at = state.arrival();
        state.chunks.push_back((at, Bytes::copy_from_slice(bytes)));
        state.bytes += bytes.len();
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.write.end();
        self.read.break_off();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    const DELAY: Duration = Duration::from_millis(5);
    const LONG: Duration = Duration::from_secs(60);

    fn connection() -> (Stream, Stream, Arc<Pipe>) {
        let (there, back) = (Pipe::new(DELAY, 1), Pipe::new(DELAY, 2));
        let one = Stream::new(Arc::clone(&back), Arc::clone(&there));
        (one, Stream::new(Arc::clone(&there), back), there)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_arrive_later_in_order_and_before_the_end() {
        let (mut one, mut other, _) = connection();
        let began = Instant::now();
        for n in 0..100 {
            one.write_all(&[n]).await.unwrap();
        }
        drop(one);
        let mut read = Vec::new();
        other.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, (0..100).collect::<Vec<u8>>());
        assert!((Duration::from_millis(1)..=DELAY).contains(&began.elapsed()));
        let error = other.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_is_held_loses_nothing_and_tells_nobody() {
        let (mut one, mut other, there) = connection();
        there.hold(true);
        one.write_all(b"held").await.unwrap();
        let mut read = [0; 4];
        assert!(timeout(LONG, other.read_exact(&mut read)).await.is_err());
        there.hold(false);
        other.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"held");
        there.hold(true);
        drop(other);
        one.write_all(b"nobody").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_waits_for_a_reader_that_is_slow() {
        let (mut one, mut other, _) = connection();
        one.write_all(&vec![7; BYTES_MAX]).await.unwrap();
        assert!(timeout(LONG, one.write_all(b"more")).await.is_err());
        let mut read = vec![0; BYTES_MAX];
        other.read_exact(&mut read).await.unwrap();
        one.write_all(b"more").await.unwrap();
    }
}
