//! What a step of a part sees, and all that it can change: the part.

use throughline_cluster::{Commit, Entry, Header};

use crate::{
    Bounds,
    env::Env,
    memory::{Held, Place},
    part::{Flight, Of, Part, Session, name},
    small::{H, M, header, small_commit},
};

/// A part, and what it sees of the rest.
///
/// That a step of a part gets this, and nothing else, is why parts do in a state of several what
/// each does alone: it cannot see another part, and it cannot change the nodes.
pub(crate) struct View<'a> {
    /// The bounds.
    pub bounds: &'a Bounds,
    /// The nodes.
    pub env: &'a Env,
    /// The sessions.
    pub part: &'a mut Part,
}

impl View<'_> {
    /// A session.
    pub(crate) fn session(&mut self, record: usize) -> &mut Session {
        &mut self.part.sessions[record]
    }

    /// What a node has of a record.
    pub(crate) fn held(&self, node: usize, record: usize) -> Option<Held> {
        self.part.sessions[record].held[node]
    }

    /// The same, to change it.
    pub(crate) fn held_mut(&mut self, node: usize, record: usize) -> &mut Option<Held> {
        &mut self.part.sessions[record].held[node]
    }

    /// The resume that a node works on.
    pub(crate) fn place(&self, node: usize, record: usize) -> Option<Place> {
        self.part.sessions[record].places[node]
    }

    /// The same, to change it.
    pub(crate) fn place_mut(&mut self, node: usize, record: usize) -> &mut Option<Place> {
        &mut self.part.sessions[record].places[node]
    }

    /// The real header of something held.
    pub(crate) fn mine(&self, node: usize, record: usize) -> Option<Header> {
        self.held(node, record).map(|held| header(name(record), held.header))
    }

    /// An entry as it stands in the store.
    pub(crate) fn entry(&self, m: M) -> Entry {
        self.env.entry(self.bounds, m)
    }

    /// A node's own entry, as it last wrote it.
    pub(crate) fn own_entry(&self, node: usize) -> Entry {
        self.env.own_entry(self.bounds, node)
    }

    /// Whether no more messages about this record may be on their way.
    pub(crate) fn is_full(&self, record: usize) -> bool {
        self.part.is_full(self.bounds, record)
    }

    /// Sends a commit.
    pub(crate) fn fly(&mut self, by: M, of: Of, after: Option<H>, commit: &Commit) -> Option<()> {
        self.part.flights.push(Flight { by, of, after, commit: small_commit(commit) });
        Some(())
    }

    /// A commit that nobody waits for; one at a time of a kind is enough.
    pub(crate) fn fly_once(&mut self, node: usize, commit: &Commit) -> Option<()> {
        let commit = small_commit(commit);
        if self.part.flights.iter().any(|flight| flight.commit == commit) {
            return None;
        }
        let by = self.env.member(node);
        self.part.flights.push(Flight { by, of: Of::Nobody, after: None, commit });
        Some(())
    }
}
