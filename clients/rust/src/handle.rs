//! A client that a task drives.

mod task;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use throughline_link::{SendError, SessionId, Stats, wire};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use crate::{
    address::AddressError,
    defaults::{CONTROLS, MESSAGES},
    driver::Driver,
    event::Event,
};

/// What a handle asks of the task, beside sending. It does not wait behind messages: they may wait
/// for a window that only a retry opens.
enum Control {
    Retry,
    Cut,
    Move(String, oneshot::Sender<Result<(), AddressError>>),
    Leave(oneshot::Sender<()>),
    Export(oneshot::Sender<Vec<u8>>),
}

/// What handles can read without asking the task.
#[derive(Debug, Clone, Copy, Default)]
struct Status {
    stats: Stats,
    rtt: Option<Duration>,
    /// The node's clock, and when it was so.
    server_time: Option<(u64, Instant)>,
    live: bool,
}

/// What the task shares with its handles and its events.
struct Shared {
    id: SessionId,
    status: Mutex<Status>,
    /// The largest frame, for `TooLarge` before a message is on its way.
    max_frame: AtomicU32,
    /// The highest message number that the application has taken.
    handled: AtomicU64,
    /// How many events the application has taken.
    taken: AtomicU64,
    /// The application has taken enough that the task should look.
    wake: Notify,
}

impl Shared {
    fn status(&self) -> Status {
        // Copied in and out: nobody can leave it half written.
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the task.
pub(crate) fn spawn(driver: Driver) -> (ClientHandle, Events) {
    let shared = Arc::new(Shared {
        id: driver.link.session_id().unwrap_or(SessionId([0; 16])),
        status: Mutex::default(),
        max_frame: AtomicU32::new(driver.link.frame_limit()),
        handled: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        wake: Notify::new(),
    });
    let (messages, messages_rx) = mpsc::channel(MESSAGES);
    let (controls, controls_rx) = mpsc::channel(CONTROLS);
    // Unbounded in type only: the task counts what was not taken, and stops at a limit.
    let (events_tx, events) = mpsc::unbounded_channel();
    let task = task::Task::new(driver, messages_rx, controls_rx, events_tx, Arc::clone(&shared));
    tokio::spawn(task.run());
    let handle = ClientHandle { messages, controls, shared: Arc::clone(&shared) };
    (handle, Events { events, shared })
}

/// Sends to a session whose client a task drives. Clones are handles of the same session.
#[derive(Clone)]
pub struct ClientHandle {
    messages: mpsc::Sender<Bytes>,
    controls: mpsc::Sender<Control>,
    shared: Arc<Shared>,
}

impl ClientHandle {
    fn check(&self, bytes: usize) -> Result<(), SendError> {
        let max_frame = self.shared.max_frame.load(Ordering::Relaxed) as usize;
        let limit = max_frame.saturating_sub(wire::DATA_OVERHEAD);
        if bytes > limit { Err(SendError::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    /// Sends a message, after those that this handle sent before. Waits while the window and the
    /// way to the task (256 messages) are full.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] and [`SendError::Ended`]; both are final.
    pub async fn send(&self, message: impl Into<Bytes>) -> Result<(), SendError> {
        let message = message.into();
        self.check(message.len())?;
        self.messages.send(message).await.map_err(|_| SendError::Ended)
    }

    /// Sends a message if there is room on the way to the task.
    ///
    /// # Errors
    /// [`SendError::WouldBlock`]: try again later; [`SendError::TooLarge`] and
    /// [`SendError::Ended`] are final.
    pub fn try_send(&self, message: impl Into<Bytes>) -> Result<(), SendError> {
        let message = message.into();
        self.check(message.len())?;
        self.messages.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::WouldBlock,
            mpsc::error::TrySendError::Closed(_) => SendError::Ended,
        })
    }

    /// As [`Client::retry`](crate::Client::retry).
    pub async fn retry(&self) {
        // A task that is gone has ended, and its last event says so.
        let _ = self.controls.send(Control::Retry).await;
    }

    /// As [`Client::cut`](crate::Client::cut). For tests and development.
    pub async fn cut(&self) {
        let _ = self.controls.send(Control::Cut).await;
    }

    /// As [`Client::move_to`](crate::Client::move_to). For load, tests and demonstrations.
    ///
    /// # Errors
    /// [`AddressError`] if the address cannot be used; nothing has happened then.
    pub async fn move_to(&self, address: impl Into<String>) -> Result<(), AddressError> {
        let (done, moved) = oneshot::channel();
        let asked = self.controls.send(Control::Move(address.into(), done)).await;
        match asked {
            Ok(()) => moved.await.unwrap_or(Ok(())),
            // The session has ended: nothing moves any more.
            Err(_) => Ok(()),
        }
    }

    /// As [`Client::leave`](crate::Client::leave); [`Event::Ended`] follows. From here on `send`
    /// fails. Messages sent before for which the window has no room are waited for, a second at
    /// most and only while there is a connection; then they are lost.
    pub async fn leave(&self) {
        let (done, left) = oneshot::channel();
        if self.controls.send(Control::Leave(done)).await.is_ok() {
            let _ = left.await;
        }
    }

    /// As [`Client::export`](crate::Client::export); none if the session has ended. Messages for
    /// which the window has no room yet are not in it.
    pub async fn export(&self) -> Option<Vec<u8>> {
        let (done, exported) = oneshot::channel();
        self.controls.send(Control::Export(done)).await.ok()?;
        exported.await.ok()
    }

    /// As [`Client::stats`](crate::Client::stats), as of the task's last wake-up.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.status().stats
    }

    /// As [`Client::rtt`](crate::Client::rtt).
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.shared.status().rtt
    }

    /// As [`Client::server_time`](crate::Client::server_time).
    #[must_use]
    pub fn server_time(&self) -> u64 {
        let Some((time, then)) = self.shared.status().server_time else { return 0 };
        let passed = u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX);
        time.saturating_add(passed)
    }

    /// As [`Client::is_live`](crate::Client::is_live), as of the task's last wake-up.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.shared.status().live
    }

    /// As [`Client::session_id`](crate::Client::session_id).
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.shared.id
    }
}

impl fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandle")
            .field("session", &self.shared.id)
            .field("status", &self.shared.status())
            .finish()
    }
}

/// The events of a session whose client a task drives.
///
/// While it is not read, the task holds 256 events at most and then stops reading from the node.
/// Dropping it stops the task: the connection closes, and the session expires at the node.
pub struct Events {
    events: mpsc::UnboundedReceiver<(u64, Event)>,
    shared: Arc<Shared>,
}

/// Events taken between two wake-ups of the task, at most: as many as an ack covers.
const WAKE_EVERY: u64 = 16;

impl Events {
    /// Waits for the next event, in order. `None` after [`Event::Ended`]. A message counts as
    /// handled once it was returned here.
    ///
    /// Cancel-safe: an event is returned or stays.
    pub async fn next(&mut self) -> Option<Event> {
        let (seq, event) = self.events.recv().await?;
        if seq != 0 {
            self.shared.handled.store(seq, Ordering::Release);
        }
        let taken = self.shared.taken.fetch_add(1, Ordering::AcqRel) + 1;
        if taken.is_multiple_of(WAKE_EVERY) || self.events.is_empty() {
            self.shared.wake.notify_one();
        }
        Some(event)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.events.len();
        f.debug_struct("Events").field("waiting", &waiting).finish_non_exhaustive()
    }
}
