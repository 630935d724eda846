//! One operation after the other, each compared with the model.

use std::time::Duration;

use fastrand::Rng;
use throughline_queue::{
    DequeueError, EnqueueError, Enqueued, Inbox, Queue, QueueName, SweepCursor, sweep,
};
use throughline_store::FaultyStore;

use crate::reference::{Reference, Stored, seen};
use crate::{World, is_down, queue_names};

const STEPS: usize = 150;
const PRODUCERS: usize = 3;
const QUEUES: usize = 3;
/// That of the handles' options.
const TOKEN_KEPT_MS: u64 = 60 * 60 * 1000;

struct Run {
    rng: Rng,
    world: World,
    store: FaultyStore,
    handles: Vec<Queue>,
    lives: u64,
    names: Vec<QueueName>,
    model: Reference,
    cursor: SweepCursor,
    sent: u64,
    /// The highest number that each producer has enqueued under, in whichever life.
    numbers: [u64; PRODUCERS],
}

pub(crate) async fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let world = World::new();
    let store = world.faulty(rng.u64(..));
    let mut run = Run {
        rng,
        world,
        store,
        handles: Vec::new(),
        lives: 0,
        names: queue_names(QUEUES),
        model: Reference::default(),
        cursor: SweepCursor::default(),
        sent: 0,
        numbers: [0; PRODUCERS],
    };
    run.open_all().await;
    for _ in 0..STEPS {
        run.step().await;
        run.check().await;
    }
}

/// Repeats a call while the store is down; then nothing was done.
macro_rules! insist {
    ($call:expr) => {
        loop {
            match $call.await {
                Err(error) if is_down(&error) => {}
                outcome => break outcome,
            }
        }
    };
}

impl Run {
    async fn open_all(&mut self) {
        self.handles.clear();
        for producer in 0..PRODUCERS {
            self.lives += 1;
            let name = format!("producer {producer}");
            self.handles.push(self.world.open(&self.store, &name, self.lives).await);
        }
    }

    async fn step(&mut self) {
        let name = self.names[self.rng.usize(..QUEUES)].clone();
        let producer = self.rng.usize(..PRODUCERS);
        let handle = self.handles[producer].clone();
        let now_ms = self.world.now_ms();
        match self.rng.u32(..100) {
            0..32 => self.enqueue(&handle, &name).await,
            32..40 => self.enqueue_numbered(producer, &name).await,
            40..45 => self.drop_a_call(&handle, &name).await,
            45..60 => {
                let taken = insist!(handle.dequeue_all(&name)).unwrap();
                let taken: Vec<_> = taken.as_slice().iter().map(seen).collect();
                assert_eq!(taken, self.model.take(&name, now_ms));
            }
            60..72 => {
                let token = format!("token {}", self.rng.u32(..3));
                let taken = loop {
                    match insist!(handle.dequeue_all_with(&name, token.clone())) {
                        // What the token is for.
                        Err(DequeueError::Unknown { .. }) => {}
                        taken => break taken.unwrap(),
                    }
                };
                let taken: Vec<_> = taken.as_slice().iter().map(seen).collect();
                let expires_ms = now_ms + TOKEN_KEPT_MS;
                assert_eq!(taken, self.model.take_with(&name, &token, now_ms, expires_ms));
            }
            72..80 => self.peek_and_ack(&handle, &name).await,
            80..82 => self.measure(&handle, &name).await,
            82..88 => {
                let ms = if self.rng.bool() { 10 } else { TOKEN_KEPT_MS / 2 };
                let now_ms = self.world.now_ms() + self.rng.u64(..ms);
                self.world.now_ms.store(now_ms, std::sync::atomic::Ordering::SeqCst);
            }
            88..94 => {
                let swept = sweep(&self.store, &self.cursor, now_ms, self.rng.usize(1..20)).await;
                match swept {
                    Ok(swept) => self.cursor = swept.cursor,
                    Err(error) => assert!(is_down(&error), "{error}"),
                }
            }
            94..97 => {
                // Another process opens a producer; the older handle is fenced.
                let producer = self.rng.usize(..PRODUCERS);
                self.lives += 1;
                let named = format!("producer {producer}");
                let new = self.world.open(&self.store, &named, self.lives).await;
                let old = std::mem::replace(&mut self.handles[producer], new);
                let late = insist!(old.enqueue(&name, "late", Duration::from_secs(9)));
                assert_eq!(late, Err(EnqueueError::Fenced));
                match insist!(old.dequeue_all(&name)) {
                    Err(error) => assert_eq!(error, DequeueError::Fenced),
                    // Nobody uses its row yet, or there is nothing: then it may.
                    Ok(taken) => {
                        let taken: Vec<_> = taken.as_slice().iter().map(seen).collect();
                        assert_eq!(taken, self.model.take(&name, now_ms));
                    }
                }
            }
            _ => {
                self.store.crash().await.unwrap();
                self.store = self.world.faulty(self.rng.u64(..));
                self.open_all().await;
            }
        }
    }

    /// One message, or several at the same time, which share a commit and rows.
    async fn enqueue(&mut self, handle: &Queue, name: &QueueName) {
        let count = if self.rng.bool() { 1 } else { self.rng.u64(2..20) };
        let mut calls = Vec::new();
        for _ in 0..count {
            self.sent += 1;
            let payload = format!("message {}", self.sent);
            let ttl_ms = if self.rng.bool() { self.rng.u64(1..20) } else { 1 << 40 };
            let expires_ms = self.world.now_ms() + ttl_ms;
            let ttl = Duration::from_millis(ttl_ms);
            calls.push(async move {
                let position = insist!(handle.enqueue(name, payload.clone(), ttl)).unwrap();
                (position, Stored { payload, expires_ms })
            });
        }
        for (position, stored) in futures_util::future::join_all(calls).await {
            let before = self.model.messages.insert((name.clone(), position), stored);
            assert_eq!(before, None, "{position} was given twice");
        }
    }

    /// A number that this producer has had, before a crash or after it, does nothing; a higher one
    /// is a message.
    async fn enqueue_numbered(&mut self, producer: usize, name: &QueueName) {
        let handle = self.handles[producer].clone();
        let ttl = Duration::from_secs(1_000_000);
        if self.rng.bool() && self.numbers[producer] > 0 {
            let old = self.rng.u64(1..=self.numbers[producer]);
            let again = insist!(handle.enqueue_numbered(name, old, "again", ttl));
            assert_eq!(again, Ok(Enqueued::Repeated), "number {old}");
            return;
        }
        let number = handle.last_number().await + self.rng.u64(1..4);
        self.sent += 1;
        let payload = format!("message {}", self.sent);
        let expires_ms = self.world.now_ms() + 1_000_000_000;
        let sent = insist!(handle.enqueue_numbered(name, number, payload.clone(), ttl));
        let Ok(Enqueued::New(position)) = sent else { panic!("number {number}: {sent:?}") };
        let stored = Stored { payload, expires_ms };
        let before = self.model.messages.insert((name.clone(), position), stored);
        assert_eq!(before, None, "{position} was given twice");
        assert_eq!(handle.last_number().await, number);
        self.numbers[producer] = number;
    }

    /// How much there is, and how much of it has expired.
    async fn measure(&self, handle: &Queue, name: &QueueName) {
        let length = insist!(handle.length(name)).unwrap();
        let live = self.model.live(name, self.world.now_ms());
        let bytes: usize = live.iter().map(|(_, stored)| stored.payload.len()).sum();
        assert_eq!(length.size.messages, live.len() as u64);
        assert_eq!(length.size.bytes, bytes as u64);
        assert_eq!(length.oldest_ms.is_some(), !live.is_empty());
        assert!(!length.more);
    }

    /// A caller gives up in the middle: what it called has taken effect once, or not at all.
    async fn drop_a_call(&mut self, handle: &Queue, name: &QueueName) {
        let steps = self.rng.usize(..12);
        let patience = async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
        };
        let payload = format!("dropped {}", self.sent);
        self.sent += 1;
        let enqueues = self.rng.bool();
        if enqueues {
            let ttl = Duration::from_secs(1_000_000);
            tokio::select! {
                _ = handle.enqueue(name, payload.clone(), ttl) => {}
                () = patience => {}
            }
        } else {
            tokio::select! {
                _ = handle.dequeue_all(name) => {}
                () = patience => {}
            }
        }
        // The next calls of the handle settle it.
        self.sent += 1;
        let last = format!("message {}", self.sent);
        let ttl = Duration::from_secs(1_000_000);
        let position = insist!(handle.enqueue(name, last.clone(), ttl)).unwrap();
        let expires_ms = self.world.now_ms() + 1_000_000_000;
        let stored = Stored { payload: last.clone(), expires_ms };
        self.model.messages.insert((name.clone(), position), stored);
        insist!(handle.dequeue_all(&QueueName::named("empty").unwrap())).unwrap();
        let found = Inbox::read(&self.world.inner, name, None, 1000).await.unwrap();
        let found: Vec<_> = found.messages.iter().map(seen).collect();
        let before = self.model.live(name, self.world.now_ms());
        if enqueues {
            let new: Vec<_> =
                found.iter().filter(|(_, stored)| stored.payload == payload).collect();
            assert!(new.len() <= 1, "{new:?}");
            for (position, stored) in new {
                self.model.messages.insert((name.clone(), *position), stored.clone());
            }
        } else {
            // All that was there before is gone, or nothing of it.
            let rest: Vec<_> =
                before.into_iter().filter(|(_, stored)| stored.payload != last).collect();
            if found.iter().all(|(_, stored)| stored.payload == last) {
                self.model.remove(name, &rest);
            }
        }
    }

    async fn peek_and_ack(&mut self, handle: &Queue, name: &QueueName) {
        let peeked = insist!(handle.peek_all(name)).unwrap();
        let messages: Vec<_> = peeked.as_slice().iter().map(seen).collect();
        assert_eq!(messages, self.model.live(name, self.world.now_ms()));
        if self.rng.bool() {
            let acked = insist!(handle.ack(&peeked)).unwrap();
            assert_eq!(acked, messages.len());
            self.model.remove(name, &messages);
            // A repeated ack finds nothing.
            assert_eq!(insist!(handle.ack(&peeked)).unwrap(), 0);
        }
    }

    /// What the store has is what the model has, and every queue with messages has its row.
    async fn check(&self) {
        let (inner, now_ms) = (&self.world.inner, self.world.now_ms());
        let rows = Inbox::nonempty(inner, None, 100).await.unwrap().rows;
        for name in &self.names {
            let page = Inbox::read(inner, name, None, 1000).await.unwrap();
            let has_row = rows.iter().any(|row| row.name() == name);
            assert!(page.messages.is_empty() || has_row, "{name} has messages and no row");
            let live = page.messages.iter().filter(|message| !message.is_expired(now_ms));
            assert_eq!(live.map(seen).collect::<Vec<_>>(), self.model.live(name, now_ms));
        }
    }
}
