//! Which faults there are, and how often each is wanted.

use std::ops::Range;
use std::time::Duration;

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Both sides are closed.
    Cut,
    /// A part of what was sent is forwarded, then both sides are reset.
    Reset,
    /// What the client sends vanishes; the connection stays open.
    BlackHoleUp,
    /// What the node sends vanishes; the connection stays open.
    BlackHoleDown,
    /// What both send vanishes; the connection stays open.
    BlackHole,
    /// Every byte arrives later, for a while.
    Delay,
    /// Few bytes per second pass, for a while.
    Throttle,
    /// Every byte is written by itself, for a while.
    Split,
}

/// How many kinds there are.
pub(crate) const KINDS: usize = 8;

impl Kind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; KINDS] = [
        Self::Cut,
        Self::Reset,
        Self::BlackHoleUp,
        Self::BlackHoleDown,
        Self::BlackHole,
        Self::Delay,
        Self::Throttle,
        Self::Split,
    ];

    /// Whether a connection that has had this fault can carry nothing more, in one way at least.
    pub fn breaks(self) -> bool {
        !matches!(self, Self::Delay | Self::Throttle | Self::Split)
    }

    /// A short name, for fields and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::BlackHoleUp => "black_hole_up",
            Self::BlackHoleDown => "black_hole_down",
            Self::BlackHole => "black_hole",
            Self::Delay => "delay",
            Self::Throttle => "throttle",
            Self::Split => "split",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One direction of a proxied connection, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the client to the node.
    Up,
    /// From the node to the client.
    Down,
    /// Both.
    Both,
}

/// One fault of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Close both sides now; what is on its way is lost.
    Cut,
    /// Forward a part of the next bytes that come, then reset both sides. `point` chooses how large
    /// the part is: any number does, equal numbers choose equally.
    Reset {
        /// Taken modulo the number of places where the bytes can be cut.
        point: u32,
    },
    /// Swallow bytes, ends and resets of that way from now on. The connection stays open until both
    /// its sides have closed.
    BlackHole(Way),
    /// Deliver what comes so much later.
    Delay {
        /// How much later each byte arrives.
        by: Duration,
        /// How long this goes on.
        lasting: Duration,
    },
    /// Let so many bytes per second pass, each way.
    Throttle {
        /// Bytes per second, at least 1.
        bytes_per_s: u32,
        /// How long this goes on.
        lasting: Duration,
    },
    /// Write every byte by itself.
    Split {
        /// How long this goes on.
        lasting: Duration,
    },
}

impl Fault {
    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::Cut => Kind::Cut,
            Self::Reset { .. } => Kind::Reset,
            Self::BlackHole(Way::Up) => Kind::BlackHoleUp,
            Self::BlackHole(Way::Down) => Kind::BlackHoleDown,
            Self::BlackHole(Way::Both) => Kind::BlackHole,
            Self::Delay { .. } => Kind::Delay,
            Self::Throttle { .. } => Kind::Throttle,
            Self::Split { .. } => Kind::Split,
        }
    }

    /// How long it goes on; zero if it does not pass.
    pub(crate) fn lasting(self) -> Duration {
        match self {
            Self::Delay { lasting, .. }
            | Self::Throttle { lasting, .. }
            | Self::Split { lasting } => lasting,
            Self::Cut | Self::Reset { .. } | Self::BlackHole(_) => Duration::ZERO,
        }
    }
}

/// Which faults are wanted, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Everything random follows from this.
    pub seed: u64,
    /// The wanted kinds, each with its weight. None: no faults.
    pub kinds: Vec<(Kind, u32)>,
    /// How long after the start of a connection, and after the end of its last fault, the next one
    /// comes.
    pub every: Range<Duration>,
    /// How long a fault that passes goes on.
    pub lasting: Range<Duration>,
    /// How much later bytes arrive under [`Kind::Delay`].
    pub delay: Range<Duration>,
    /// Bytes per second under [`Kind::Throttle`].
    pub bytes_per_s: Range<u32>,
}

impl Faults {
    /// No faults: bytes pass as they come.
    pub fn none() -> Self {
        Self {
            seed: 0,
            kinds: Vec::new(),
            every: Duration::from_millis(100)..Duration::from_secs(2),
            lasting: Duration::from_millis(50)..Duration::from_millis(300),
            delay: Duration::from_millis(5)..Duration::from_millis(100),
            bytes_per_s: 2_000..20_000,
        }
    }

    /// Every kind. Mostly those that break a connection at once, since a black hole takes a client
    /// seconds to notice: with more of them few other faults would find a connection to break.
    pub fn all(seed: u64) -> Self {
        let kinds = Kind::ALL.into_iter().map(|kind| (kind, weight(kind))).collect();
        Self { seed, kinds, ..Self::none() }
    }

    /// One kind alone.
    pub fn only(seed: u64, kind: Kind) -> Self {
        Self { seed, kinds: vec![(kind, 1)], ..Self::none() }
    }
}

fn weight(kind: Kind) -> u32 {
    match kind {
        Kind::Cut | Kind::Reset => 8,
        Kind::BlackHoleUp | Kind::BlackHoleDown | Kind::BlackHole => 1,
        Kind::Delay | Kind::Throttle | Kind::Split => 3,
    }
}
