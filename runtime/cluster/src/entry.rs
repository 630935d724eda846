//! The entry of a node: its standing, and beside it its beat.
//!
//! An entry is two values. The beat changes twice a second; the standing hardly ever, so that a
//! commit which checks that a node is alive is not refused because the node beat meanwhile.

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;

use crate::{
    defaults::{ADDRESS_MAX, ASKED_MAX, CLIENT_ADDRESSES_MAX, KIND_MAX, KINDS_MAX},
    form::{FORM, FormError, Reader, put_sized},
    id::{Member, NodeId, TooLong, at_most},
};

/// Whether a node may own anything. It only ever goes down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// It may.
    Alive,
    /// It keeps what it owns until it has handed it over, and is given nothing new.
    Draining,
    /// It went, and owned nothing then.
    Left,
    /// It did not beat: what it owned may be taken.
    Dead,
    /// Its entry cannot be read here: it is of a newer build, or damaged. It is there and left
    /// alone: nothing is given to it or taken from it, and nobody declares it dead.
    Unread,
}

/// The versions of the state of one kind that a node reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Readable {
    /// The kind.
    pub kind: String,
    /// The oldest version that `migrate` takes.
    pub oldest: u32,
    /// The newest version: its own.
    pub newest: u32,
}

/// What a node says of itself when it joins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeInfo {
    address: String,
    clients: Vec<String>,
    readable: Vec<Readable>,
    /// The standing as it was found, of a node that is [`NodeState::Unread`].
    unread: Bytes,
}

impl NodeInfo {
    /// The address for the other nodes, and what it reads.
    ///
    /// # Errors
    /// [`TooLong`] for the address, a kind, or the list of kinds.
    pub fn new(address: &str, readable: Vec<Readable>) -> Result<Self, TooLong> {
        at_most("address", address.len(), ADDRESS_MAX)?;
        at_most("list of kinds", readable.len(), KINDS_MAX)?;
        for Readable { kind, .. } in &readable {
            at_most("kind", kind.len(), KIND_MAX)?;
        }
        let (clients, unread) = (Vec::new(), Bytes::new());
        Ok(Self { address: address.to_owned(), clients, readable, unread })
    }

    /// The same node, with the addresses for clients that are sent here.
    ///
    /// # Errors
    /// [`TooLong`] for one of them, or for their list.
    pub fn with_clients(mut self, clients: Vec<String>) -> Result<Self, TooLong> {
        at_most("list of addresses", clients.len(), CLIENT_ADDRESSES_MAX)?;
        for address in &clients {
            at_most("address", address.len(), ADDRESS_MAX)?;
        }
        self.clients = clients;
        Ok(self)
    }

    /// Where clients reach it; empty if only behind a load balancer.
    #[must_use]
    pub fn clients(&self) -> &[String] {
        &self.clients
    }

    /// The versions it reads of the state of a kind, if it serves that kind.
    #[must_use]
    pub fn readable(&self, kind: &str) -> Option<&Readable> {
        self.readable.iter().find(|readable| readable.kind == kind)
    }

    /// The versions it reads of the states of all kinds that it serves.
    #[must_use]
    pub fn all_readable(&self) -> &[Readable] {
        &self.readable
    }

    /// Where other nodes reach it; empty of a node whose entry cannot be read.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it serves this kind and reads this version of its state.
    #[must_use]
    pub fn reads(&self, kind: &str, version: u32) -> bool {
        self.readable.iter().any(|r| r.kind == kind && (r.oldest..=r.newest).contains(&version))
    }
}

/// The part of an entry that commits of others check.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Whether it may own anything.
    pub state: NodeState,
    /// What it said of itself.
    pub info: Arc<NodeInfo>,
}

impl Standing {
    /// The standing of a node that is there, and whose entry cannot be read: `bytes` is the row of
    /// its standing as it was found, which is what commits check.
    #[must_use]
    pub fn unread(bytes: Bytes) -> Self {
        let (address, clients, readable) = (String::new(), Vec::new(), Vec::new());
        let info = Arc::new(NodeInfo { address, clients, readable, unread: bytes });
        Self { state: NodeState::Unread, info }
    }

    /// The bytes of the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let state = match self.state {
            NodeState::Unread => return self.info.unread.clone(),
            NodeState::Alive => 1,
            NodeState::Draining => 2,
            NodeState::Left => 3,
            NodeState::Dead => 4,
        };
        let mut out = vec![FORM, state];
        put_sized(&mut out, self.info.address.as_bytes());
        out.push(u8::try_from(self.info.clients.len()).unwrap_or(u8::MAX));
        for address in &self.info.clients {
            put_sized(&mut out, address.as_bytes());
        }
        for Readable { kind, oldest, newest } in &self.info.readable {
            put_sized(&mut out, kind.as_bytes());
            out.extend_from_slice(&oldest.to_be_bytes());
            out.extend_from_slice(&newest.to_be_bytes());
        }
        out.into()
    }

    /// Reads the bytes of the store.
    ///
    /// # Errors
    /// [`FormError`]. A node whose standing cannot be read is there: it is left alone, see
    /// [`Standing::unread`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FormError> {
        let mut reader = Reader::new("standing", bytes)?;
        let state = match reader.u8("state")? {
            1 => NodeState::Alive,
            2 => NodeState::Draining,
            3 => NodeState::Left,
            4 => NodeState::Dead,
            _ => return Err(reader.damaged("state")),
        };
        let address = reader.text("address")?;
        let count = reader.u8("addresses")?;
        let clients = (0..count).map(|_| Ok(reader.text("addresses")?.to_owned()));
        let clients = clients.collect::<Result<Vec<_>, FormError>>()?;
        let mut readable = Vec::new();
        while reader.end().is_err() {
            let kind = reader.text("kind")?.to_owned();
            let oldest = reader.u32("oldest")?;
            readable.push(Readable { kind, oldest, newest: reader.u32("newest")? });
        }
        let info = NodeInfo::new(address, readable).and_then(|info| info.with_clients(clients));
        let info = info.map_err(|_| reader.damaged("address"))?;
        Ok(Self { state, info: Arc::new(info) })
    }
}

/// How a node goes on while no node reaches the store: `docs/cluster.md`, "Playing on".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlayOn {
    /// It may act for so long beyond its lease, in milliseconds.
    pub limit_ms: u32,
    /// Whom it asks before it does, in order, [`ASKED_MAX`] at most. Each of them may declare it
    /// dead after a term without a changed beat; every other one waits for the limit, too.
    ///
    /// [`ASKED_MAX`]: crate::defaults::ASKED_MAX
    pub asks: Arc<[Member]>,
}

/// The part of an entry that its node renews.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Beat {
    /// Grows with each beat.
    pub number: u64,
    /// The node's wall clock, in milliseconds since 1970 UTC.
    pub wall_ms: u64,
    /// `None`: its lease is all that it acts by.
    pub plays_on: Option<PlayOn>,
}

impl Beat {
    /// A beat of a node that acts by its lease alone.
    #[must_use]
    pub const fn new(number: u64, wall_ms: u64) -> Self {
        Self { number, wall_ms, plays_on: None }
    }

    /// How long a node is to wait without a changed beat, in which it counted, before it may
    /// declare this one dead: a term, and the limit if this one does not know that it is there. Of
    /// that a sixteenth more: two clocks measure it, and the margin is for a term.
    #[must_use]
    pub fn patience(&self, who: Member, term: Duration) -> Duration {
        match &self.plays_on {
            Some(plays_on) if !plays_on.asks.contains(&who) => {
                let limit = Duration::from_millis(plays_on.limit_ms.into());
                term + limit + limit / 16
            }
            _ => term,
        }
    }

    /// The bytes of the store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = vec![FORM];
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.wall_ms.to_be_bytes());
        if let Some(PlayOn { limit_ms, asks }) = &self.plays_on {
            out.extend_from_slice(&limit_ms.to_be_bytes());
            for Member { node, incarnation } in asks.iter() {
                out.extend_from_slice(&node.0.to_be_bytes());
                out.extend_from_slice(&incarnation.to_be_bytes());
            }
        }
        out.into()
    }

    /// Reads the bytes of the store.
    ///
    /// # Errors
    /// [`FormError`]. A node that has a standing and a beat that cannot be read is left alone, see
    /// [`Standing::unread`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FormError> {
        let mut reader = Reader::new("beat", bytes)?;
        let mut beat = Self::new(reader.u64("number")?, reader.u64("wall time")?);
        if reader.end().is_err() {
            let limit_ms = reader.u32("limit of an outage")?;
            let mut asks = Vec::new();
            while reader.end().is_err() {
                if asks.len() == ASKED_MAX {
                    return Err(reader.damaged("nodes that are asked"));
                }
                let node = NodeId(reader.u32("nodes that are asked")?);
                asks.push(Member { node, incarnation: reader.u64("nodes that are asked")? });
            }
            beat.plays_on = Some(PlayOn { limit_ms, asks: asks.into() });
        }
        Ok(beat)
    }
}

/// A node as it was read: its standing, `None` if it has no entry, which counts as dead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Who.
    pub member: Member,
    /// Its standing as read.
    pub standing: Option<Standing>,
}

impl Entry {
    /// Whether what it owns may be taken.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.standing.as_ref().is_none_or(|s| matches!(s.state, NodeState::Left | NodeState::Dead))
    }

    /// Whether it may be named an owner.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.standing.as_ref().is_some_and(|s| s.state == NodeState::Alive)
    }

    /// Whether it is there and cannot be read here: what it reads and serves is not known.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.standing.as_ref().is_some_and(|s| s.state == NodeState::Unread)
    }

    /// Whether it serves this kind and reads this version of its state.
    #[must_use]
    pub fn reads(&self, kind: &str, version: u32) -> bool {
        self.standing.as_ref().is_some_and(|s| s.info.reads(kind, version))
    }
}
