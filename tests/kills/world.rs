//! The store of a cluster, as its parent lends it: every commit is looked at, and what must hold
//! of ownership's rows is checked after each.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{
    Check as Expected, Commit, Header, Holder, Law, Member, NodeId, NodeState, RecordId, Row,
    State, Turn, TurnState, Value, Write,
};
use throughline_link::CloseCode;
use throughline_store::{
    About, Batch, CloseError, CommitError, GetError, MemoryStore, Page, Scan, ScanError, Store,
    StoreFuture, Watch, WatchError,
};
use tokio::sync::watch;

use crate::step::{Step, Typed};

/// No wait is longer, on the slowest machine: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(40);

/// What is awaited happens.
pub(crate) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, happens).await;
    waited.unwrap_or_else(|_| panic!("not in {PATIENCE:?}: {what}"))
}

/// Commits that are told of when a case fails, the last ones.
const TOLD_MAX: usize = 60;

/// All rows, by what they mean.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: BTreeMap<Row, Value>,
    /// What did not hold, at any time.
    breaches: Vec<String>,
    /// Incarnations that were declared dead.
    marked: BTreeSet<Member>,
    history: Vec<String>,
}

/// The store, and all its rows.
#[derive(Debug, Clone)]
pub(crate) struct World {
    store: MemoryStore,
    rows: Arc<Mutex<Rows>>,
    /// One commit at a time, so that the rows are those of the store.
    gate: Arc<tokio::sync::Mutex<()>>,
    changed: watch::Sender<()>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            rows: Arc::default(),
            gate: Arc::default(),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// Waits until something holds of the rows.
    pub(crate) async fn wait(&self, what: &str, holds: impl Fn(&Rows) -> bool) {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            while !holds(&self.rows()) {
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            // No lock is held beyond: it would be poisoned.
            let told = self.rows().told();
            panic!("not in {PATIENCE:?}: {what}\n{told}");
        }
    }

    /// A fault of the store: the first turn of what was handed is in, though its owner has heard
    /// that it is not. The owner has it in no memory, and only a loss can follow.
    pub(crate) async fn runs_unheard(&self, id: &RecordId) {
        let read = || self.rows().header(id).expect("its record is there").clone();
        let law = Law::default();
        while read().state == State::Handed {
            // Versions that the owner has not proposed: it would take the commit for its own.
            let free = read().version + UNUSED;
            let settled = law.settle(&read(), free);
            if self.commit(batch(&settled.commit)).await.is_err() {
                // The owner was at it.
                continue;
            }
            let settled = settled.after.expect("a header");
            let (state, attempt) = (TurnState::Running, settled.attempt);
            let turn = Turn { state, attempt, due: None, more: Commit::default() };
            let turn = law.turn(&settled, turn).expect("it is owned");
            let _ = self.commit(batch(&turn.commit)).await;
        }
    }
}

/// Versions that an owner proposes at most while its commits are denied.
const UNUSED: u64 = 1_000;

fn batch(commit: &Commit) -> Batch {
    let own = commit.batch();
    let batch = own.checks.into_iter().fold(Batch::new(), |batch, check| match check {
        Expected::Equals { key, value } => batch.check_equals(key, value),
        Expected::Absent { key } => batch.check_absent(key),
    });
    own.writes.into_iter().fold(batch, |batch, write| match write {
        Write::Put { key, value } => batch.put(key, value),
        Write::Delete { key } => batch.delete(key),
    })
}

impl Rows {
    pub(crate) fn headers(&self) -> impl Iterator<Item = &Header> {
        self.rows.values().filter_map(|value| match value {
            Value::Header(header) => Some(header),
            _ => None,
        })
    }

    pub(crate) fn header(&self, id: &RecordId) -> Option<&Header> {
        match self.rows.get(&Row::Header(id.clone())) {
            Some(Value::Header(header)) => Some(header),
            _ => None,
        }
    }

    /// The incarnation of a node that joined last.
    pub(crate) fn member(&self, node: u32) -> Option<Member> {
        match self.rows.get(&Row::Node(NodeId(node))) {
            Some(Value::Incarnation(incarnation)) => {
                Some(Member { node: NodeId(node), incarnation: *incarnation })
            }
            _ => None,
        }
    }

    pub(crate) fn standing(&self, member: Member) -> Option<NodeState> {
        match self.rows.get(&Row::Standing(member)) {
            Some(Value::Standing(standing)) => Some(standing.state),
            _ => None,
        }
    }

    /// The number of an incarnation's last beat.
    pub(crate) fn beat(&self, member: Member) -> Option<u64> {
        match self.rows.get(&Row::Beat(member)) {
            Some(Value::Beat(beat)) => Some(beat.number),
            _ => None,
        }
    }

    pub(crate) fn marked(&self) -> &BTreeSet<Member> {
        &self.marked
    }

    pub(crate) fn breaches(&self) -> &[String] {
        &self.breaches
    }

    /// Rows that name an incarnation other than these, and records that nobody is to come for.
    pub(crate) fn left_over(&self, alive: &[Member]) -> Vec<String> {
        let is_gone = |member: &Member| !alive.contains(member);
        let left = self.rows.iter().filter(|(row, value)| match (row, value) {
            (Row::Standing(member) | Row::Beat(member), _) => is_gone(member),
            (Row::Owned(..) | Row::Request(..) | Row::Key(_), _) => true,
            (_, Value::Header(header)) => !header.state.is_ended(),
            _ => false,
        });
        left.map(|(row, _)| format!("{row:?}")).collect()
    }

    /// The last commits, one a line.
    pub(crate) fn told(&self) -> String {
        let from = self.history.len().saturating_sub(TOLD_MAX);
        self.history[from..].join("\n")
    }

    fn take(&mut self, batch: &Batch) {
        let Some(typed) = Typed::of(batch) else {
            self.breaches.push(format!("a commit cannot be read: {batch:?}"));
            return;
        };
        let step = Step::of(batch, None);
        let mut touched = BTreeSet::new();
        for (row, value) in typed.writes {
            if let (Row::Standing(member), Some(Value::Standing(standing))) = (&row, &value)
                && standing.state == NodeState::Dead
            {
                self.marked.insert(*member);
            }
            match (&row, &value) {
                (Row::Header(id), Some(Value::Header(after))) => {
                    self.follows(id, after);
                    touched.insert(id.clone());
                }
                (Row::Header(id) | Row::Owned(_, id) | Row::Due(_, id) | Row::Snapshot(id), _) => {
                    touched.insert(id.clone());
                }
                (Row::Beat(_), _) if step == Some(Step::Beat) => {}
                _ => self.history.push(told(&row, value.as_ref())),
            }
            match value {
                Some(value) => self.rows.insert(row, value),
                None => self.rows.remove(&row),
            };
        }
        for id in touched {
            self.history.push(match self.header(&id) {
                Some(header) => told_header(header),
                None => format!("{id} is deleted"),
            });
            self.check(&id);
        }
        self.check_keys();
    }

    /// What a header may be after the one that stands there.
    fn follows(&mut self, id: &RecordId, after: &Header) {
        let before = self.header(id).cloned();
        if let Some(before) = before.as_ref().filter(|before| before.life == after.life)
            && (after.version <= before.version
                || after.epoch < before.epoch
                || after.attempt < before.attempt
                || before.state.is_ended())
        {
            self.breach(format!("{} after {}", told_header(after), told_header(before)));
        }
        let is_lost = after.state == State::Ended(CloseCode::Lost.number());
        if let Some(before) = before.as_ref().filter(|b| is_lost && b.state.has_snapshot()) {
            self.breach(format!("lost with a snapshot: {}", told_header(before)));
        }
        let new = after.owner.filter(|owner| before.is_none_or(|b| b.owner != Some(*owner)));
        if let Some(owner) = new.filter(|owner| self.standing(*owner) != Some(NodeState::Alive)) {
            self.breach(format!("{owner} gets {} and is not alive", told_header(after)));
        }
    }

    /// Whether the rows of a record fit together: one owner, one index row of it.
    fn check(&mut self, id: &RecordId) {
        let of = |row: &Row| match row {
            Row::Owned(_, of) | Row::Due(_, of) | Row::Snapshot(of) => of == id,
            _ => false,
        };
        let found: BTreeSet<_> = self.rows.keys().filter(|row| of(row)).cloned().collect();
        let header = self.header(id);
        let mut expected = BTreeSet::new();
        if let Some(header) = header {
            expected.extend(header.owner.map(|owner| Row::Owned(owner, id.clone())));
            expected.extend(header.due.map(|due| Row::Due(due, id.clone())));
            if header.state.has_snapshot() || header.state.is_ended() {
                expected.insert(Row::Snapshot(id.clone()));
            }
        }
        let has_owner = |header: &Header| match header.state {
            State::Parked | State::Ended(_) => header.owner.is_none(),
            _ => header.owner.is_some(),
        };
        let is_right = header.is_none_or(has_owner) && found == expected;
        let fits = match (header, self.rows.get(&Row::Snapshot(id.clone()))) {
            (Some(header), Some(Value::Snapshot(snapshot))) => snapshot.belongs_to(header),
            _ => true,
        };
        if !is_right || !fits {
            let text = header.map_or_else(|| format!("{id}, deleted,"), told_header);
            self.breach(format!("{text} has {found:?}; its snapshot fits: {fits}"));
        }
    }

    /// Whether each key is held by a session that lives and knows it.
    fn check_keys(&mut self) {
        let holders = self.rows.iter().filter_map(|(row, value)| match (row, value) {
            (Row::Key(key), Value::Holder(Holder { id, life })) => Some((key, id, life)),
            _ => None,
        });
        let wrong = holders.filter(|(key, id, life)| {
            self.header(id).is_none_or(|header| {
                header.life != **life
                    || header.state.is_ended()
                    || header.key.as_ref() != Some(*key)
            })
        });
        let wrong: Vec<_> = wrong.map(|(key, id, _)| format!("{key:?} points to {id}")).collect();
        for text in wrong {
            self.breach(text);
        }
    }

    fn breach(&mut self, text: String) {
        self.history.push(format!("BREACH: {text}"));
        self.breaches.push(text);
    }
}

fn told_header(header: &Header) -> String {
    let Header { id, state, epoch, version, attempt, .. } = header;
    let owner = header.owner.map_or_else(|| "nobody".to_owned(), |owner| owner.to_string());
    format!("{id}: {state:?} of {owner}, epoch {epoch}, version {version}, attempt {attempt}")
}

fn told(row: &Row, value: Option<&Value>) -> String {
    match value {
        Some(Value::Standing(standing)) => format!("{row:?}: {:?}", standing.state),
        value => format!("{row:?}: {value:?}"),
    }
}

impl Store for World {
    fn about(&self) -> About {
        self.store.about()
    }

    fn get(&self, key: Bytes) -> StoreFuture<Result<Option<Bytes>, GetError>> {
        self.store.get(key)
    }

    fn scan(&self, scan: Scan) -> StoreFuture<Result<Page, ScanError>> {
        self.store.scan(scan)
    }

    fn commit(&self, batch: Batch) -> StoreFuture<Result<(), CommitError>> {
        let world = self.clone();
        Box::pin(async move {
            let _gate = world.gate.lock().await;
            let answer = world.store.commit(batch.clone()).await;
            if answer.is_ok() {
                world.rows().take(&batch);
                world.changed.send_replace(());
            }
            answer
        })
    }

    fn watch(&self, prefix: Bytes) -> Result<Watch, WatchError> {
        self.store.watch(prefix)
    }

    fn close(&self) -> StoreFuture<Result<(), CloseError>> {
        self.store.close()
    }
}
