//! Why a balancer does not start.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why a balancer does not start. None of these goes away by trying again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BalancerError {
    /// A port is taken, or an address is not this machine's.
    #[error("cannot listen on {address}: {source}; another address is set with --{flag}")]
    Listen { address: SocketAddr, flag: &'static str, source: io::Error },
    /// Nothing to forward to.
    #[error("no node to forward to; name each with --node HTTP,LINK,ADMIN")]
    NoNodes,
    /// More than make sense on one machine.
    #[error("{found} nodes, at most {most} are taken with --node")]
    TooManyNodes { found: usize, most: usize },
    /// IPv4 does not reach IPv6, nor the other way.
    #[error("--from {from} cannot reach {node}: they are of different families")]
    Family { from: IpAddr, node: SocketAddr },
    /// The system gave no runtime or no signals.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
