//! The kinds of fault, in the order of their numbers in the design, and how often each took effect.

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub(crate) enum FaultKind {
    CutInFrame,
    HalfOpen,
    RacingResumes,
    NodeKilled,
    NodeFrozen,
    KilledInHandover,
    StoreKilled,
    DiskFull,
    SlowDisk,
    DamagedBytes,
    ClockJump,
    NodesParted,
    NodeWithoutStore,
    FlappingLink,
    RollingUpdate,
    ReconnectFlood,
    HandlerPanic,
    StateTooLarge,
    NewerVersion,
    QueueOverflow,
    NeverAcks,
    RepeatedFrames,
    StolenResume,
}

/// How many kinds there are.
pub(crate) const KINDS: usize = FaultKind::ALL.len();

impl FaultKind {
    pub(crate) const ALL: [Self; 23] = [
        Self::CutInFrame,
        Self::HalfOpen,
        Self::RacingResumes,
        Self::NodeKilled,
        Self::NodeFrozen,
        Self::KilledInHandover,
        Self::StoreKilled,
        Self::DiskFull,
        Self::SlowDisk,
        Self::DamagedBytes,
        Self::ClockJump,
        Self::NodesParted,
        Self::NodeWithoutStore,
        Self::FlappingLink,
        Self::RollingUpdate,
        Self::ReconnectFlood,
        Self::HandlerPanic,
        Self::StateTooLarge,
        Self::NewerVersion,
        Self::QueueOverflow,
        Self::NeverAcks,
        Self::RepeatedFrames,
        Self::StolenResume,
    ];

    /// The field of reports, and what took effect when it counts.
    pub(crate) const fn field(self) -> (&'static str, &'static str) {
        match self {
            Self::CutInFrame => ("cut_in_frame", "a connection broke within what was written"),
            Self::HalfOpen => ("half_open", "a client gave up a connection that carried nothing"),
            Self::RacingResumes => ("racing_resumes", "two resumes of one session were answered"),
            Self::NodeKilled => ("node_killed", "a node that had sessions was killed"),
            Self::NodeFrozen => ("node_frozen", "a commit of a node frozen past its lease refused"),
            Self::KilledInHandover => ("killed_in_handover", "a node was killed at a yield"),
            Self::StoreKilled => ("store_killed", "the store was killed with commits under way"),
            Self::DiskFull => ("disk_full", "a commit found no space"),
            Self::SlowDisk => ("slow_disk", "a commit waited for a slow disk"),
            Self::DamagedBytes => ("damaged_bytes", "something that was read was damaged"),
            Self::ClockJump => ("clock_jump", "the wall clock of a node with sessions jumped"),
            Self::NodesParted => ("nodes_parted", "a node could not write to another one"),
            Self::NodeWithoutStore => ("node_without_store", "a call did not reach the store"),
            Self::FlappingLink => ("flapping_link", "traffic met a link that came and went"),
            Self::RollingUpdate => ("rolling_update", "a state went to another version"),
            Self::ReconnectFlood => ("reconnect_flood", "all connections broke at once"),
            Self::HandlerPanic => ("handler_panic", "a handler panicked"),
            Self::StateTooLarge => ("state_too_large", "a state outgrew its limit"),
            Self::NewerVersion => ("newer_version", "an old node read a newer state's header"),
            Self::QueueOverflow => ("queue_overflow", "an enqueue found its queue full"),
            Self::NeverAcks => ("never_acks", "a session ended whose client never acked"),
            Self::RepeatedFrames => ("repeated_frames", "a frame came again or out of order"),
            Self::StolenResume => ("stolen_resume", "a resume without its proof was refused"),
        }
    }

    /// Its number in the design.
    pub(crate) const fn number(self) -> usize {
        self as usize + 1
    }
}

/// How often each kind took effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fired([u64; KINDS]);

impl Fired {
    pub(crate) const fn count(&mut self, kind: FaultKind) {
        self.0[kind as usize] += 1;
    }

    pub(crate) const fn of(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    pub(crate) fn never(&self) -> Vec<FaultKind> {
        FaultKind::ALL.into_iter().filter(|kind| self.of(*kind) == 0).collect()
    }
}
