//! Sessions that may see each other, those for one key, or one alone; and all that is about them:
//! their rows, their clients, what nodes have of them in memory, messages and commits on their way.

use throughline_cluster::Header;

use crate::{
    Bounds,
    memory::{Held, Place},
    message::Message,
    rows::Rows,
    small::{H, M, R, SmallCommit, V, header},
    store,
};

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client {
    /// Its highest attempt.
    pub attempt: u8,
    /// Messages it sent that were acknowledged.
    pub acked: u8,
    /// The highest attempt a node let in.
    pub welcomed: u8,
    /// It was told that its session is over.
    pub over: bool,
}

/// A session, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// Its client.
    pub client: Client,
    /// Whether every turn is committed.
    pub every_turn: bool,
    /// It is due.
    pub due: bool,
    /// What each node has of it.
    pub held: Vec<Option<Held>>,
    /// The resume that each node works on.
    pub places: Vec<Option<Place>>,
}

/// Whose commit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// A record in memory.
    Held(u8),
    /// A resume: the record, its attempt, and the number of messages in the snapshot read.
    Place(u8, u8, u8),
    /// Nobody waits for it.
    Nobody,
}

/// A commit about sessions on its way to the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flight {
    /// Who sent it.
    pub by: M,
    /// What it is about.
    pub of: Of,
    /// The header after it.
    pub after: Option<H>,
    /// What it is.
    pub commit: SmallCommit,
}

/// A rule that a step broke, for what a single state does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Broken {
    /// A client was let in with an attempt below an earlier one.
    pub attempt: bool,
    /// A header went back.
    pub version: bool,
    /// A record was deleted though it was owned or not due.
    pub removed: bool,
    /// A node acted for a record and lacked what was acknowledged.
    pub stale: bool,
}

/// Sessions that may see each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// What the store has of them.
    pub rows: Rows,
    /// The sessions; their records have their places as names.
    pub sessions: Vec<Session>,
    /// Messages on their way, sorted.
    pub net: Vec<Message>,
    /// Commits on their way, sorted.
    pub flights: Vec<Flight>,
    /// What was broken.
    pub broken: Broken,
}

impl Part {
    /// Sessions that nobody has begun; for each, whether every turn is committed.
    #[must_use]
    pub fn begin(nodes: usize, every_turn: &[bool]) -> Self {
        let client = Client { attempt: 0, acked: 0, welcomed: 0, over: false };
        let session = |&every_turn: &bool| Session {
            client,
            every_turn,
            due: false,
            held: vec![None; nodes],
            places: vec![None; nodes],
        };
        Self {
            rows: Rows::default(),
            sessions: every_turn.iter().map(session).collect(),
            net: Vec::new(),
            flights: Vec::new(),
            broken: Broken::default(),
        }
    }

    /// The header of a record.
    #[must_use]
    pub fn header(&self, record: usize) -> Option<H> {
        match self.rows.get(R::Header(name(record))) {
            Some(V::Header(h)) => Some(h),
            _ => None,
        }
    }

    /// The real header of a record, as it stands in the store.
    pub(crate) fn real_header(&self, record: usize) -> Option<Header> {
        self.header(record).map(|h| header(name(record), h))
    }

    /// What its snapshot holds, if it has one.
    #[must_use]
    pub fn snapshot(&self, record: usize) -> Option<u8> {
        match self.rows.get(R::Snapshot(name(record))) {
            Some(V::Snapshot(_, _, handled)) => Some(handled),
            _ => None,
        }
    }

    /// How many of the records this node owns, as the store's index says.
    #[must_use]
    pub fn owned_by(&self, m: M) -> usize {
        let owned = |(row, _): &&(R, V)| matches!(row, R::Owned(owner, _) if *owner == m);
        self.rows.0.iter().filter(owned).count()
    }

    /// The records that others want of this node through the store.
    pub(crate) fn requested_of(&self, m: M) -> impl Iterator<Item = u8> {
        self.rows.0.iter().filter_map(move |(row, _)| match row {
            R::Request(owner, record) if *owner == m => Some(*record),
            _ => None,
        })
    }

    /// Whether no more messages about this record may be on their way.
    pub(crate) fn is_full(&self, bounds: &Bounds, record: usize) -> bool {
        let about = self.net.iter().filter(|message| message.record() == name(record));
        about.count() >= bounds.messages
    }

    /// A node's process is gone with all it had; what it sent may still land.
    pub(crate) fn stop(&mut self, m: M) {
        for session in &mut self.sessions {
            session.held[usize::from(m.node)] = None;
            session.places[usize::from(m.node)] = None;
        }
        for flight in self.flights.iter_mut().filter(|flight| flight.by == m) {
            flight.of = Of::Nobody;
            flight.after = None;
        }
        self.net.retain(|message| message.receiver() != m);
        self.drop_hopeless();
    }

    /// Drops commits that nobody waits for and that can no longer land.
    pub(crate) fn drop_hopeless(&mut self) {
        let mut flights = core::mem::take(&mut self.flights);
        flights.retain(|flight| flight.of != Of::Nobody || store::can_land(self, &flight.commit));
        self.flights = flights;
    }
}

/// The name of a record.
pub(crate) fn name(record: usize) -> u8 {
    u8::try_from(record).unwrap_or(u8::MAX)
}
