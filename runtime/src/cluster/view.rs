//! The nodes of the cluster, as this one last saw them.

use throughline_canary::canary;
use throughline_cluster::{Class, Entry, FinalVersions, Header, Member, RecordId, WallClock};
use throughline_link::Instant;

/// What the last read of all entries showed; renewed with every beat.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// This node, as it last wrote itself: what its commits check.
    pub(crate) me: Entry,
    pub(crate) nodes: Vec<Entry>,
    /// Until when messages of these incarnations are taken; `None`: not at all.
    pub(super) heard_until: Vec<(Member, Option<Instant>)>,
    pub(super) wall_clock: WallClock,
    /// What may be written.
    pub(super) finals: FinalVersions,
}

impl View {
    pub(super) fn alone(me: Member) -> Self {
        let me = Entry { member: me, standing: None };
        Self {
            me,
            nodes: Vec::new(),
            heard_until: Vec::new(),
            wall_clock: WallClock::default(),
            finals: FinalVersions::default(),
        }
    }

    /// A node as last seen; `None` if its standing was not there yet: a node that is about to
    /// join beats before it has one.
    pub(crate) fn entry(&self, member: Member) -> Option<&Entry> {
        if member == self.me.member {
            return Some(&self.me);
        }
        self.nodes.iter().find(|entry| entry.member == member && entry.standing.is_some())
    }

    /// Where a node is reached by others, if its entry says so and can be read.
    pub(crate) fn address(&self, member: Member) -> Option<&str> {
        let entry = self.entry(member).filter(|entry| !entry.is_unread())?;
        Some(entry.standing.as_ref()?.info.address())
    }

    /// A node that is there and whose entry cannot be read here: nobody knows what it reads.
    pub(super) fn unread(&self) -> Option<Member> {
        self.nodes.iter().find(|entry| entry.is_unread()).map(|entry| entry.member)
    }

    /// Nodes that may own something.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Entry> {
        self.nodes.iter().filter(|entry| entry.is_alive())
    }

    /// Whether messages of this incarnation are refused `now`: it is dead, or was silent for too
    /// long. One that was not seen yet has just joined.
    pub(super) fn refuses(&self, from: Member, now: Instant) -> bool {
        let mut known = self.heard_until.iter().filter(|(member, _)| *member == from);
        known.any(|(_, until)| until.is_none_or(|until| now >= until))
    }

    /// Nodes whose records may be taken, and whose entries forgotten. One that beats without a
    /// standing is about to join: its beat stays while it changes.
    pub(super) fn gone(&self, now: Instant) -> impl Iterator<Item = &Entry> {
        let is_joining =
            move |entry: &Entry| entry.standing.is_none() && !self.refuses(entry.member, now);
        self.nodes.iter().filter(move |entry| entry.is_gone() && !is_joining(entry))
    }

    /// Addresses for clients of the other nodes that may have this record.
    pub(super) fn others(&self, header: Option<&Header>) -> Vec<String> {
        let infos = self.takers(header).filter_map(|entry| entry.standing.as_ref());
        infos.flat_map(|standing| standing.info.clients().to_vec()).collect()
    }

    /// The other nodes that may have this record, or, without one, anything.
    pub(super) fn takers(&self, header: Option<&Header>) -> impl Iterator<Item = &Entry> {
        let reads = move |entry: &&Entry| {
            header.is_none_or(|h| entry.reads(h.identity.kind(), h.state_version))
        };
        self.alive().filter(|entry| entry.member != self.me.member).filter(reads)
    }

    /// The newest version of a kind's state that is final and that every live node reads, but at
    /// least `oldest`. While there is a node of which nobody knows what it reads, nothing newer
    /// than what is final is written; of a kind of which nothing is, the oldest.
    pub(crate) fn common_version(&self, kind: &str, newest: u32, oldest: u32) -> u32 {
        let infos = self.alive().filter_map(|entry| entry.standing.as_ref());
        let newest_of = infos.filter_map(|s| s.info.readable(kind)).map(|r| r.newest);
        let newest_of = newest_of.chain(self.finals.of(kind));
        let newest_of = newest_of.filter(|_| !canary!(NewestVersionWritten));
        let is_known = self.unread().is_none() || self.finals.of(kind).is_some();
        let otherwise = if is_known { newest } else { oldest };
        newest_of.min().unwrap_or(newest).min(otherwise).clamp(oldest, newest)
    }

    /// Whether it is this node's turn to look after something: each live node has a share.
    pub(crate) fn is_mine(&self, bytes: &[u8]) -> bool {
        self.is_share(bytes, |_| true)
    }

    /// The same for a VActor, of which each live node has a share that serves its kind.
    pub(crate) fn is_mine_of_kind(&self, id: &RecordId) -> bool {
        let kind = id.vactor_name().map(|(kind, _)| kind).unwrap_or_default();
        self.is_share(id.as_bytes(), |entry| {
            let info = entry.standing.as_ref().map(|standing| &standing.info);
            info.is_some_and(|info| info.readable(kind).is_some())
        })
    }

    /// The same for a record, of which each live node has a share that can read it.
    pub(super) fn is_mine_of(&self, header: &Header) -> bool {
        let (kind, version) = (header.identity.kind(), header.state_version);
        self.is_share(header.id.as_bytes(), |entry| {
            header.state.is_ended() || entry.reads(kind, version)
        })
    }

    /// Whether a record that a dead node owned may be this node's turn, before its header says who
    /// reads it: while all nodes read the same, headers of the others' shares need not be read.
    pub(super) fn may_be_mine(&self, id: &RecordId) -> bool {
        let mut infos = self.alive().filter_map(|entry| entry.standing.as_ref()).map(|s| &s.info);
        let first = infos.next();
        let are_alike = infos.all(|i| first.is_some_and(|f| f.all_readable() == i.all_readable()));
        !are_alike || self.is_mine(id.as_bytes())
    }

    /// The same once its header is read: what has a snapshot is taken only by who reads it. Of what
    /// is lost nothing is read: a VActor begins anew where its kind is served, and a session ends
    /// anywhere.
    pub(super) fn is_mine_of_the_dead(&self, header: &Header) -> bool {
        match header.class() {
            _ if header.state.has_snapshot() => self.is_mine_of(header),
            Class::Session => self.is_mine(header.id.as_bytes()),
            Class::VActor => self.is_mine_of_kind(&header.id),
        }
    }

    fn is_share(&self, bytes: &[u8], may: impl Fn(&Entry) -> bool) -> bool {
        let alive = self.alive().filter(|entry| may(entry));
        let mut alive: Vec<_> = alive.map(|entry| entry.member).collect();
        alive.sort_unstable();
        let Ok(mine) = alive.binary_search(&self.me.member) else { return false };
        // FNV-1a: every node must come to the same share.
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash >> 32) % alive.len() as u64 == mine as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use throughline_cluster::{NodeId, NodeInfo, NodeState, Readable, Standing};

    use super::*;

    /// Not with the next look at the store: others may have what it owned by then.
    #[test]
    fn a_silent_incarnation_is_refused_from_its_time_on() {
        let of = |incarnation| Member { node: NodeId(2), incarnation };
        let now = Instant::from_micros(1_000_000);
        let (until, dead, unseen) = (now + Duration::from_millis(1), of(2), of(3));
        let mut view = View::alone(Member { node: NodeId(1), incarnation: 1 });
        view.heard_until = vec![(of(1), Some(until)), (dead, None)];
        assert!(!view.refuses(of(1), now));
        assert!(view.refuses(of(1), until));
        assert!(view.refuses(dead, now));
        assert!(!view.refuses(unseen, until), "it has just joined");
    }

    /// A node of a newer build may have taken over what it reads only in an old version.
    #[test]
    fn nothing_newer_than_what_is_final_is_written_beside_a_node_that_cannot_be_read() {
        let member = |node| Member { node: NodeId(node), incarnation: 1 };
        let info = |newest| {
            let readable = Readable { kind: "hero".to_owned(), oldest: 1, newest };
            NodeInfo::new("10.0.0.1:7", vec![readable]).unwrap()
        };
        let standing = Standing { state: NodeState::Alive, info: Arc::new(info(3)) };
        let mut view = View::alone(member(1));
        view.nodes = vec![Entry { member: member(1), standing: Some(standing) }];
        assert_eq!(view.common_version("hero", 3, 1), 3);
        let unread = Some(Standing::unread((&b"\x02newer"[..]).into()));
        view.nodes.push(Entry { member: member(2), standing: unread });
        assert_eq!(view.common_version("hero", 3, 1), 1, "nothing of it is final");
        let finals = FinalVersions::default();
        view.finals = finals.with_kinds_of([&info(2)].into_iter()).unwrap();
        assert_eq!(view.common_version("hero", 3, 1), 2);
        assert_eq!(view.address(member(2)), None);
        assert!(view.gone(Instant::from_micros(1)).next().is_none());
    }
}
