//! The law of ownership, checked from the side of the store: each accepted commit that changes the
//! header of a record is compared with what was there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use throughline_cluster::{
    Beat, Class, Header, Member, NodeState, RecordId, Row, Standing, State, keys,
};
use throughline_store::{Batch, Check};

use crate::fault::FaultKind;
use crate::game::PILOT;
use crate::lives::Lives;
use crate::truth;

/// What the store knows of who writes.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Which member each start of a node is at present.
    members: BTreeMap<usize, Member>,
    /// Those that are dead or have left, as the store says, or were killed.
    gone: BTreeSet<Member>,
    /// Starts of nodes that were frozen past their lease and have not been refused anything since.
    thawed: BTreeSet<usize>,
    /// The versions of states that each start of a node reads, of the kinds that have some.
    newest: BTreeMap<usize, u32>,
    /// Starts of nodes that are killed when they next yield a session.
    to_kill: BTreeSet<usize>,
    /// Those for which it is time.
    killed: Vec<usize>,
    /// The start of a node of which is to be told when it is handed something; whether it was.
    granted: Option<(usize, bool)>,
    /// Who of the sessions is owned by whom without a snapshot.
    running: BTreeMap<Bytes, Member>,
    /// Whose entries say that they drain, have left or are dead.
    unfit: BTreeSet<Member>,
    /// Who is alive by its entry, since when, and the versions of states that it reads.
    alive: BTreeMap<Member, (Duration, u32)>,
    /// Who has left just now.
    left: Option<Member>,
    lives: Lives,
}

/// A node that writes knows of another one that has joined so long ago: it reads the entries with
/// every beat, and acts for a term without one.
const KNOWN_AFTER: Duration = Duration::from_secs(6);

/// The headers that a batch writes: as they were, and as they are then.
pub(crate) type Seen = Vec<(Bytes, Option<Header>, Option<Header>)>;

impl Audit {
    pub(crate) fn started(&mut self, by: usize, newest: u32) {
        self.newest.insert(by, newest);
        self.lives.started(by);
    }

    /// A start of a node was killed.
    pub(crate) fn killed(&mut self, by: usize) {
        self.to_kill.remove(&by);
        self.thawed.remove(&by);
        if let Some(member) = self.members.remove(&by) {
            self.is_gone(member);
        }
    }

    /// It goes on after it was frozen for longer than its lease.
    pub(crate) fn thawed(&mut self, by: usize) {
        self.thawed.insert(by);
    }

    pub(crate) fn kill_at_yield(&mut self, by: usize) {
        self.to_kill.insert(by);
    }

    /// From now on it is seen whether this start of a node is handed something.
    pub(crate) const fn tell_of_grant(&mut self, by: usize) {
        self.granted = Some((by, false));
    }

    /// Whether it was.
    pub(crate) fn take_granted(&mut self, by: usize) -> bool {
        let is_granted = self.granted == Some((by, true));
        if is_granted {
            self.granted = None;
        }
        is_granted
    }

    pub(crate) fn forgive(&mut self) {
        self.to_kill.clear();
    }

    /// Starts of nodes that have yielded a session just now, and are to be killed for it.
    pub(crate) fn take_killed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.killed)
    }

    /// Who has left with the commit that was accepted last.
    pub(crate) fn take_left(&mut self) -> Option<Member> {
        self.left.take()
    }

    /// A node has left, and owns this: it must be nothing.
    pub(crate) fn left(member: Member, owned: &[RecordId]) {
        if let Some(first) = owned.first() {
            let count = owned.len();
            breach(format_args!("{member} has left, and owns {count} records, the first {first}"));
        }
    }

    fn is_gone(&mut self, member: Member) {
        self.gone.insert(member);
        self.alive.remove(&member);
        for (id, owner) in &self.running {
            if *owner == member
                && let Some(id) = session_of(id)
            {
                truth::bereave(id);
            }
        }
    }

    /// What `batch` is about to change.
    pub(crate) fn look(&self, batch: &Batch, read: impl Fn(&Bytes) -> Option<Bytes>) -> Seen {
        let headers = batch.writes().iter().filter(|write| is_header(write.key()));
        let seen = headers.map(|write| {
            let old = read(write.key()).and_then(|value| Header::decode(&value).ok());
            let new = write.value().and_then(|value| Header::decode(value).ok());
            (write.key().clone(), old, new)
        });
        seen.collect()
    }

    pub(crate) fn refused(&mut self, by: usize) {
        if self.thawed.remove(&by) {
            truth::fire(FaultKind::NodeFrozen);
        }
    }

    /// A node reads a value.
    pub(crate) fn read(&self, by: usize, key: &Bytes, value: &Bytes) {
        let Some(newest) = self.newest.get(&by) else { return };
        if !is_header(key) {
            return;
        }
        let Ok(header) = Header::decode(value) else { return };
        if header.state.has_snapshot() && header.state_version > *newest {
            truth::fire(FaultKind::NewerVersion);
        }
    }

    /// A commit took effect.
    pub(crate) fn accepted(&mut self, by: usize, batch: &Batch, sent: Duration, seen: &Seen) {
        for write in batch.writes() {
            self.beat(by, batch, write.key(), write.value());
            if let (Some(Row::Beat(member)), Some(value)) =
                (keys::row_of(write.key()), write.value())
            {
                self.lives.beat(by, member, sent, Beat::decode(value).ok());
            }
            if let Some(Row::Key(key)) = keys::row_of(write.key())
                && !batch.checks().iter().any(|check| key_of(check) == write.key())
            {
                breach(format_args!("#{by} changes who holds {key:?} without a look at it"));
            }
            if let (Some(Row::Standing(member)), value) = (keys::row_of(write.key()), write.value())
            {
                self.standing(by, member, value);
            }
        }
        for (key, old, new) in seen {
            self.header(by, batch, key, old.as_ref(), new.as_ref());
            if let Some(new) = new {
                self.readable(by, sent, old.as_ref(), new);
            }
        }
    }

    /// Who was declared dead beats no more, and is declared so by who has seen its last beat.
    fn beat(&self, by: usize, batch: &Batch, key: &Bytes, value: Option<&Bytes>) {
        match (keys::row_of(key), value) {
            // One that has not joined yet beats before it is in.
            (Some(Row::Beat(member)), Some(_))
                if self.gone.contains(&member) && self.members.get(&by) == Some(&member) =>
            {
                breach(format_args!("#{by} beats as {member}, which is gone"));
            }
            (Some(Row::Standing(member)), Some(value)) => {
                let is_dead = Standing::decode(value).is_ok_and(|s| s.state == NodeState::Dead);
                let is_seen =
                    |check: &Check| keys::row_of(key_of(check)) == Some(Row::Beat(member));
                if is_dead && !batch.checks().iter().any(is_seen) {
                    breach(format_args!("#{by} declares {member} dead without a look at its beat"));
                }
                if let (true, Some(beats)) = (is_dead, self.lives.too_few_beats(by, member)) {
                    breach(format_args!(
                        "#{by} declares {member} dead after {beats} beats of its own"
                    ));
                }
            }
            _ => {}
        }
    }

    fn standing(&mut self, by: usize, member: Member, value: Option<&Bytes>) {
        let state = value.and_then(|value| Standing::decode(value).ok()).map(|s| s.state);
        if let Some(NodeState::Alive | NodeState::Dead) = state {
            truth::set_dead(member.node.0, state == Some(NodeState::Dead));
        }
        match state {
            Some(NodeState::Alive) => {
                let reads = self.newest.get(&by).copied().unwrap_or(u32::MAX);
                self.alive.entry(member).or_insert_with(|| (truth::now(), reads));
                self.unfit.remove(&member);
            }
            _ => {
                self.alive.remove(&member);
                self.unfit.insert(member);
            }
        }
        if state == Some(NodeState::Left) {
            self.left = Some(member);
        }
        match state {
            Some(NodeState::Alive) => {
                truth::note(format_args!("{member} is alive"));
                // Forgotten before it had joined, for want of a new beat, it may join.
                let was_in = self.members.insert(by, member) == Some(member);
                if self.gone.remove(&member) && was_in {
                    breach(format_args!("{member} is alive, and was gone"));
                }
            }
            Some(NodeState::Draining) => truth::note(format_args!("{member} drains")),
            gone => {
                if !self.gone.contains(&member) {
                    truth::note(format_args!("{member} is {gone:?}"));
                }
                self.is_gone(member);
            }
        }
    }

    fn header(
        &mut self,
        by: usize,
        batch: &Batch,
        key: &Bytes,
        old: Option<&Header>,
        new: Option<&Header>,
    ) {
        if let Some(new) = new {
            let owner = new.owner.map(|owner| owner.to_string()).unwrap_or_default();
            let who = name(new);
            truth::poisons(|poisons| poisons.committed(&who));
            if old.is_some_and(|old| old.crashes < new.crashes) {
                truth::wishes(|wishes| wishes.died(&who));
            }
            if let Some(id) = session_of(key) {
                truth::set_attempt(id, new.state.has_snapshot().then_some(new.attempt));
            }
            truth::note(format_args!(
                "#{by} {who} v{} e{} s{} {:?} {owner}",
                new.version, new.epoch, new.state_version, new.state
            ));
        }
        if let (Some(old), None) = (old, new) {
            truth::note(format_args!("#{by} {} v{} is deleted", name(old), old.version));
        }
        self.running.remove(key);
        if let Some(Header { state: State::New | State::Running, owner: Some(owner), .. }) = new {
            self.running.insert(key.clone(), *owner);
            // A commit that was on its way when its node was declared dead.
            if self.gone.contains(owner)
                && let Some(id) = session_of(key)
            {
                truth::bereave(id);
            }
        }
        let owner = new.and_then(|new| new.owner);
        if let (Some(owner), Some(new)) = (owner, new)
            && old.and_then(|old| old.owner) != Some(owner)
        {
            self.given(by, owner, new);
        }
        let is_checked = batch.checks().iter().any(|check| match (check, old) {
            (Check::Equals { key: checked, .. }, Some(_)) => checked == key,
            (Check::Absent { key: checked }, None) => checked == key,
            _ => false,
        });
        if !is_checked {
            breach(format_args!("a commit of #{by} writes {key:?} unchecked"));
        }
        if let (Some(old), Some(new)) = (old, new) {
            self.change(by, old, new);
        }
    }

    /// A record gets another owner, which must be there to take it, and able to read it.
    fn given(&self, by: usize, owner: Member, new: &Header) {
        let who = name(new);
        if self.unfit.contains(&owner) {
            breach(format_args!("{who}: #{by} gives it to {owner}, which drains or is gone"));
        }
        let start = self.members.iter().find(|(_, member)| **member == owner);
        let reads = start.and_then(|(start, _)| self.newest.get(start)).copied();
        if new.state.has_snapshot() && reads.is_some_and(|reads| reads < new.state_version) {
            let version = new.state_version;
            breach(format_args!("{who}: #{by} gives {owner} its version {version}, unreadable"));
        }
    }

    /// What is written in a newer version than before is read by all who live, or could not be
    /// written in an older one.
    fn readable(&self, by: usize, sent: Duration, old: Option<&Header>, new: &Header) {
        let version = new.state_version;
        let is_newer = old.is_none_or(|old| old.state_version < version);
        if !is_newer || !new.state.has_snapshot() || new.identity.kind() == PILOT {
            return;
        }
        let is_behind = |(_, (since, reads)): &(&Member, &(Duration, u32))| {
            *reads < version && *since + KNOWN_AFTER < sent
        };
        if let Some((member, _)) = self.alive.iter().find(is_behind) {
            let who = name(new);
            breach(format_args!("{who}: #{by} writes version {version}, and {member} lives"));
        }
    }

    fn change(&mut self, by: usize, old: &Header, new: &Header) {
        let who = name(old);
        if old.state == State::Running
            && old.owner != new.owner
            && new.life == old.life
            && matches!(new.state, State::New | State::Running)
        {
            breach(format_args!("{who}: begins anew with the life that it had"));
        }
        if new.version <= old.version {
            breach(format_args!("{who}: version {} after {}", new.version, old.version));
        }
        if new.epoch < old.epoch
            || new.owner != old.owner && new.owner.is_some() && new.epoch == old.epoch
        {
            breach(format_args!(
                "{who}: epoch {} after {} for {:?}",
                new.epoch, old.epoch, new.owner
            ));
        }
        if new.life == old.life && new.attempt < old.attempt {
            breach(format_args!("{who}: attempt {} after {}", new.attempt, old.attempt));
        }
        let me = self.members.get(&by).copied();
        self.taken(by, me, old, new);
        let is_yield = old.owner == me && new.state == State::Handed && new.owner != me;
        if is_yield && self.to_kill.remove(&by) {
            self.killed.push(by);
        }
        if is_yield
            && let Some((to, is_granted)) = &mut self.granted
            && self.members.get(to).copied() == new.owner
        {
            *is_granted = true;
        }
    }

    /// Whoever changes what another one owns may do so only if that one is gone, or its snapshot
    /// says all.
    fn taken(&self, by: usize, me: Option<Member>, old: &Header, new: &Header) {
        let Some(owner) = old.owner.filter(|owner| Some(*owner) != me) else { return };
        let is_open = matches!(old.state, State::New | State::Running);
        if is_open && !self.gone.contains(&owner) {
            truth::count(|counts| counts.double_owner += 1);
            let (who, was, is) = (name(old), old.state, new.state);
            breach(format_args!(
                "{who}: #{by} made {is:?} of {was:?}, which the live {owner} owns"
            ));
        }
    }
}

fn key_of(check: &Check) -> &Bytes {
    match check {
        Check::Equals { key, .. } | Check::Absent { key } => key,
    }
}

fn breach(what: std::fmt::Arguments<'_>) {
    truth::fail(format_args!("ownership: {what}"));
}

fn is_header(key: &[u8]) -> bool {
    matches!(keys::row_of(key), Some(Row::Header(_)))
}

fn session_of(key: &[u8]) -> Option<throughline::SessionId> {
    match keys::row_of(key)? {
        Row::Header(id) => id.session_id(),
        _ => None,
    }
}

fn name(header: &Header) -> String {
    match header.class() {
        Class::Session => match header.id.session_id() {
            Some(id) => format!("session {id}"),
            None => "a session".to_owned(),
        },
        Class::VActor => {
            let (kind, key) = header.id.vactor_name().unwrap_or_default();
            format!("{kind}/{}", String::from_utf8_lossy(key))
        }
    }
}
