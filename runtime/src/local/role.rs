//! Who is who in a local cluster.

use std::fmt;

/// One of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// It lends the store.
    Hub,
    /// The node of this number, from 1.
    Node(u8),
    /// It stands in front of the nodes.
    Balancer,
}

/// The highest number of a node: it is one key, and one digit of its ports.
pub(super) const NODES_MAX: u8 = 9;

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Node(number) => write!(f, "n{number}"),
            Self::Balancer => f.write_str("balancer"),
        }
    }
}

impl Role {
    /// `2`, `n2`, `hub` or `balancer`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "hub" => Some(Self::Hub),
            "balancer" => Some(Self::Balancer),
            number => {
                let number = number.strip_prefix('n').unwrap_or(number).parse().ok()?;
                (1..=NODES_MAX).contains(&number).then_some(Self::Node(number))
            }
        }
    }
}
