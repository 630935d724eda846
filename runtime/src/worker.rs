//! Workers: the threads that sessions and their sockets live on.

mod pulse;
mod stood;

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use throughline_link::Instant;
use throughline_store_hub::HubStore;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio::time::error::Elapsed;

pub(crate) use pulse::{Pulse, watch};

use crate::node::Shared;
use stood::{NOTE_EVERY, Stood};

/// Read and write buffer of a worker: one system call brings in or takes out so much. Shared by
/// its sessions, so that an idle session holds none.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

/// Work for a worker, sent from another thread.
pub(crate) type Job = Box<dyn FnOnce(Rc<Worker>) + Send>;

/// What runs on one worker's thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) node: Arc<Shared>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) thread: ThreadId,
    stood: Stood,
    read: RefCell<Vec<u8>>,
    write: RefCell<Vec<u8>>,
}

impl Worker {
    fn new(node: Arc<Shared>, pulse: Arc<Pulse>) -> Rc<Self> {
        let thread = thread::current().id();
        let (read, write) = (RefCell::default(), RefCell::default());
        let stood = Stood::from(node.clock.now());
        Rc::new(Self { node, pulse, thread, stood, read, write })
    }

    /// When a turn began that begins now, for its deadline: nothing awaited comes while the thread
    /// does not run, so that time is not the turn's.
    pub(crate) fn begin(&self, now: Instant) -> Began {
        Began { at: now, stood: self.stood.until(now) }
    }

    /// The turn was polled from `since` on, and is not done: what it held the thread itself is its
    /// own time.
    pub(crate) fn pended(&self, began: &mut Began, since: Instant) {
        let held = self.node.clock.now().since(since);
        // Less is no lateness to anybody.
        if held > NOTE_EVERY {
            began.stood += held;
        }
    }

    /// What comes of this in the time that a turn has, or that it took longer.
    ///
    /// # Errors
    /// It has.
    pub(crate) async fn within<T>(&self, turn: impl Future<Output = T>) -> Result<T, Elapsed> {
        let clock = &self.node.clock;
        let began = self.begin(clock.now());
        let mut turn = pin!(turn);
        loop {
            let at = clock.at(self.deadline(began, clock.now()));
            match tokio::time::timeout_at(at, turn.as_mut()).await {
                Err(_) if self.deadline(began, clock.now()) > clock.now() => {}
                ended => return ended,
            }
        }
    }

    /// When a turn has taken too long, by what is known now.
    pub(crate) fn deadline(&self, began: Began, now: Instant) -> Instant {
        let stood = self.stood.until(now).saturating_sub(began.stood);
        began.at + self.node.config.session.turn_deadline + stood
    }

    /// The worker's read buffer, full length; to be given back.
    pub(crate) fn take_read_buffer(&self) -> Vec<u8> {
        let mut buffer = self.read.take();
        buffer.resize(BUFFER_BYTES, 0);
        buffer
    }

    pub(crate) fn give_read_buffer(&self, buffer: Vec<u8>) {
        self.read.replace(buffer);
    }

    /// The worker's write buffer, empty; to be given back.
    pub(crate) fn take_write_buffer(&self) -> Vec<u8> {
        let mut buffer = self.write.take();
        buffer.clear();
        buffer
    }

    pub(crate) fn give_write_buffer(&self, buffer: Vec<u8>) {
        self.write.replace(buffer);
    }
}

/// When a turn began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    pub(crate) at: Instant,
    /// How long its worker had not run until then.
    stood: Duration,
}

/// A worker, seen from other threads.
#[derive(Debug, Clone)]
pub(crate) struct WorkerHandle {
    jobs: mpsc::Sender<Job>,
}

impl WorkerHandle {
    /// Runs `job` on the worker. False if it has stopped, or has more to do than it ever should.
    pub(crate) fn run(&self, job: impl FnOnce(Rc<Worker>) + Send + 'static) -> bool {
        self.jobs.try_send(Box::new(job)).is_ok()
    }
}

/// A worker that may have ended: a handle of this kind does not keep it running.
#[derive(Debug)]
pub(crate) struct WeakWorker {
    jobs: mpsc::WeakSender<Job>,
}

impl WeakWorker {
    /// Runs `job` on the worker, if it runs.
    pub(crate) fn run(&self, job: impl FnOnce(Rc<Worker>) + Send + 'static) -> bool {
        self.jobs.upgrade().is_some_and(|jobs| jobs.try_send(Box::new(job)).is_ok())
    }
}

impl WorkerHandle {
    pub(crate) fn downgrade(&self) -> WeakWorker {
        WeakWorker { jobs: self.jobs.downgrade() }
    }
}

/// Starts a worker. Its thread ends when every handle is dropped and `linger` has run.
///
/// The thread runs an actix runtime of its own. It is no `actix::Arbiter`: that one wants a global
/// `System`, cannot be joined, and cannot run in a simulation.
pub(crate) fn start(
    index: usize,
    node: Arc<Shared>,
) -> io::Result<(WorkerHandle, Arc<Pulse>, JoinHandle<()>)> {
    let limits = &node.config.limits;
    // Each accepted connection is one job, and is counted against its limit before.
    let (jobs, inbox) = mpsc::channel::<Job>(limits.connections.max(1));
    let blocking_threads = limits.blocking_threads.max(1);
    let pulse = Arc::new(Pulse::new(index));
    let beat = Arc::clone(&pulse);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(blocking_threads)
        .build()?;
    let body = move || {
        let runtime = actix_rt::Runtime::from(runtime);
        let worker = Worker::new(node, beat);
        runtime.block_on(work(worker, inbox));
    };
    let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(body)?;
    Ok((WorkerHandle { jobs }, pulse, thread))
}

/// The only worker of a node on its caller's thread, to be polled among the node's tasks.
pub(crate) fn start_here(
    node: Arc<Shared>,
) -> (WorkerHandle, Arc<Pulse>, impl Future<Output = ()> + 'static) {
    let (jobs, inbox) = mpsc::channel::<Job>(node.config.limits.connections.max(1));
    let pulse = Arc::new(Pulse::new(0));
    let worker = Worker::new(node, Arc::clone(&pulse));
    (WorkerHandle { jobs }, pulse, work(worker, inbox))
}

async fn work(worker: Rc<Worker>, mut inbox: mpsc::Receiver<Job>) {
    // The store's answers wake what waits for them on the same thread.
    let _connection = worker.node.hub.as_ref().map(HubStore::attach);
    let mut notes = tokio::time::interval(NOTE_EVERY);
    notes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            job = inbox.recv() => match job {
                Some(job) => job(Rc::clone(&worker)),
                None => return,
            },
            _ = notes.tick() => worker.stood.note(worker.node.clock.now()),
        }
    }
}
