//! The ports of a local cluster.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;

/// Ports that are looked for lie here: outgoing connections take theirs from higher ones, so none
/// of them takes the port of a node that is being restarted.
const FREE: Range<u16> = 20_000..30_000;

/// So many places are looked at for free ports. In a range that is mostly free, one is enough.
const TRIES_MAX: u32 = 100;

/// The distance between two nodes' ports.
const NODE_STEP: u16 = 10;

/// The highest `--node-ports` that leaves room for nine nodes.
pub(super) const NODE_PORTS_MAX: i64 = 65_400;

/// Where everything listens, on the loopback address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    /// The balancer's, for pages and WebSocket links.
    pub(super) http: u16,
    /// The balancer's, for TCP links.
    pub(super) link: u16,
    /// Node n has the three from here + 10 n on.
    pub(super) nodes: u16,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum PortError {
    /// Somebody else listens there, or the system forbids it.
    #[error("cannot listen on {address} ({whose}): {source}; another port is set with --{flag}")]
    Taken { address: SocketAddr, whose: String, flag: &'static str, source: io::Error },
    /// Nothing free was found.
    #[error("no free port was found for --{0} 0: name one")]
    NoneFree(&'static str),
}

impl Ports {
    /// Where node `number` listens: HTTP, TCP link, admin.
    pub(super) fn node(&self, number: u8) -> [SocketAddr; 3] {
        let first = self.nodes + NODE_STEP * u16::from(number);
        [first, first + 1, first + 2].map(local)
    }

    /// The balancer's addresses: HTTP, TCP link.
    pub(super) fn balancer(&self) -> [SocketAddr; 2] {
        [self.http, self.link].map(local)
    }

    /// The same with free ports in the place of zeros, all of them found free now.
    pub(super) fn found(self, nodes: u8) -> Result<Self, PortError> {
        let mut tries = Tries::new();
        let mut held = Vec::new();
        let node_ports = |base| {
            let ports = Self { nodes: base, ..self };
            (1..=nodes).flat_map(move |number| ports.node(number)).collect::<Vec<_>>()
        };
        let one = |port| vec![local(port)];
        let http = tries.found(self.http, "http-port", "the balancer's HTTP", one, &mut held)?;
        let link =
            tries.found(self.link, "link-port", "the balancer's TCP link", one, &mut held)?;
        let whose = "a node's";
        let nodes = tries.found(self.nodes, "node-ports", whose, node_ports, &mut held)?;
        Ok(Self { http, link, nodes })
    }
}

struct Tries {
    next: u16,
    left: u32,
}

impl Tries {
    fn new() -> Self {
        // Two clusters that look at the same moment start at different places.
        let seed = getrandom::u32().unwrap_or_else(|_| std::process::id());
        Self {
            next: FREE.start + (seed % u32::from(FREE.end - FREE.start)) as u16,
            left: TRIES_MAX,
        }
    }

    /// Holds the addresses that follow from `port`, or, if it is 0, from a port that is free.
    fn found(
        &mut self,
        port: u16,
        flag: &'static str,
        whose: &str,
        addresses: impl Fn(u16) -> Vec<SocketAddr>,
        held: &mut Vec<TcpListener>,
    ) -> Result<u16, PortError> {
        if port != 0 {
            for address in addresses(port) {
                held.push(TcpListener::bind(address).map_err(|source| PortError::Taken {
                    address,
                    whose: whose.to_owned(),
                    flag,
                    source,
                })?);
            }
            return Ok(port);
        }
        while self.left > 0 {
            self.left -= 1;
            let port = self.next;
            // Beyond all that one port may stand for.
            self.next = if port + 200 < FREE.end { port + 100 } else { FREE.start };
            let all: io::Result<Vec<_>> =
                addresses(port).into_iter().map(TcpListener::bind).collect();
            if let Ok(listeners) = all {
                held.extend(listeners);
                return Ok(port);
            }
        }
        Err(PortError::NoneFree(flag))
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_with_its_address_and_its_flag() {
        let ports = Ports { http: 0, link: 0, nodes: 0 }.found(3).unwrap();
        let taken = TcpListener::bind(ports.node(2)[1]).unwrap();
        let error = ports.found(3).unwrap_err().to_string();
        let address = taken.local_addr().unwrap().to_string();
        assert!(error.contains(&address) && error.ends_with("--node-ports"), "{error}");
        // Node 2 is not there, so its port is not asked for.
        ports.found(1).unwrap();
    }

    #[test]
    fn one_port_for_two_uses_is_refused() {
        let ports = Ports { http: 0, link: 0, nodes: 0 }.found(1).unwrap();
        let error = Ports { link: ports.http, ..ports }.found(1).unwrap_err().to_string();
        assert!(error.ends_with("--link-port"), "{error}");
    }

    #[test]
    fn node_n_has_three_ports_from_the_tenth_on() {
        let ports = Ports { http: 7777, link: 7778, nodes: 7700 };
        assert_eq!(ports.node(3).map(|at| at.port()), [7730, 7731, 7732]);
    }
}
