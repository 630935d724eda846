//! The ports of a local cluster.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;

/// Ports that are looked for lie here: outgoing connections take theirs from higher ones, so none
/// of them takes the port of a node that is being restarted.
const FREE: Range<u16> = 20_000..30_000;

/// The ports of one cluster: its balancer's two, and nine nodes' from the tenth on.
const BLOCK: u16 = 125;

const BLOCKS: u16 = (FREE.end - FREE.start) / BLOCK;

/// The distance between two nodes' ports.
const NODE_STEP: u16 = 10;

/// The highest `--node-ports` that leaves room for nine nodes.
pub(super) const NODE_PORTS_MAX: i64 = 65_400;

pub(super) const HTTP_PORT: &str = "http-port";
pub(super) const LINK_PORT: &str = "link-port";
pub(super) const NODE_PORTS: &str = "node-ports";

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
    Taken { address: SocketAddr, whose: &'static str, flag: &'static str, source: io::Error },
    /// Other clusters have them all.
    #[error("no free ports were found: name some with --http-port, --link-port and --node-ports")]
    NoneFree,
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

    /// The same with free ports in the place of zeros, all of them found free now. Clusters that
    /// look for ports take different ones, as long as each keeps the reservation.
    pub(super) fn found(self, nodes: u8) -> Result<(Self, Option<Reservation>), PortError> {
        if self.http != 0 && self.link != 0 && self.nodes != 0 {
            self.check(nodes)?;
            return Ok((self, None));
        }
        let or = |port, free| if port == 0 { free } else { port };
        // Two clusters that look at the same moment start at different places.
        let first = getrandom::u32().unwrap_or_else(|_| std::process::id());
        let mut why = None;
        for number in 0..BLOCKS {
            let block = ((first + u32::from(number)) % u32::from(BLOCKS)) as u16;
            let Some(reservation) = Reservation::of(block) else { continue };
            let base = FREE.start + block * BLOCK;
            let ports = Self {
                http: or(self.http, base),
                link: or(self.link, base + 1),
                nodes: or(self.nodes, base + NODE_STEP),
            };
            match ports.check(nodes) {
                Ok(()) => return Ok((ports, Some(reservation))),
                // A port that was named is not looked for elsewhere.
                Err(error) if self.names(&error) => return Err(error),
                Err(error) => why = Some(error),
            }
        }
        Err(why.unwrap_or(PortError::NoneFree))
    }

    /// Whether the port that cannot be had was asked for by its number.
    fn names(&self, error: &PortError) -> bool {
        match error {
            PortError::Taken { flag: HTTP_PORT, .. } => self.http != 0,
            PortError::Taken { flag: LINK_PORT, .. } => self.link != 0,
            PortError::Taken { .. } => self.nodes != 0,
            PortError::NoneFree => false,
        }
    }

    /// Whether all of them can be had now.
    fn check(&self, nodes: u8) -> Result<(), PortError> {
        let [http, link] = self.balancer();
        let front = [(http, "the balancer's HTTP", HTTP_PORT), (link, "its TCP link", LINK_PORT)];
        let node = |number| self.node(number).map(|address| (address, "a node's", NODE_PORTS));
        // All are held until the last is there: two uses of one port are found, too.
        let uses = front.into_iter().chain((1..=nodes).flat_map(node));
        let listen = |(address, whose, flag)| {
            TcpListener::bind(address).map_err(|source| PortError::Taken {
                address,
                whose,
                flag,
                source,
            })
        };
        uses.map(listen).collect::<Result<Vec<_>, _>>().map(drop)
    }
}

/// A block of ports that no other cluster of this machine looks at.
#[derive(Debug)]
pub(super) struct Reservation(#[allow(dead_code, reason = "locked as long as it is open")] File);

impl Reservation {
    fn of(block: u16) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("throughline-ports-{block}"));
        // A file of another user's cannot be opened: then it is that user's block.
        let file = File::options().create(true).truncate(false).write(true).open(path).ok()?;
        file.try_lock().ok()?;
        Some(Self(file))
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Ports = Ports { http: 0, link: 0, nodes: 0 };

    #[test]
    fn a_taken_port_is_refused_with_its_address_and_its_flag() {
        let (ports, _reservation) = ANY.found(3).unwrap();
        let taken = TcpListener::bind(ports.node(2)[1]).unwrap();
        let error = ports.found(3).unwrap_err().to_string();
        let address = taken.local_addr().unwrap().to_string();
        assert!(error.contains(&address) && error.ends_with("--node-ports"), "{error}");
        // Also beside ports that are looked for.
        let error = Ports { http: 0, ..ports }.found(3).unwrap_err().to_string();
        assert!(error.contains(&address), "{error}");
        // Node 2 is not there, so its port is not asked for.
        ports.found(1).unwrap();
    }

    #[test]
    fn one_port_for_two_uses_is_refused() {
        let (ports, _reservation) = ANY.found(1).unwrap();
        let error = Ports { link: ports.http, ..ports }.found(1).unwrap_err().to_string();
        assert!(error.ends_with("--link-port"), "{error}");
    }

    #[test]
    fn two_clusters_that_look_for_ports_find_different_ones() {
        let (one, _held) = ANY.found(9).unwrap();
        let (other, _held_too) = ANY.found(9).unwrap();
        assert!(one.http.abs_diff(other.http) >= BLOCK, "{one:?} {other:?}");
    }

    #[test]
    fn node_n_has_three_ports_from_the_tenth_on() {
        let ports = Ports { http: 7777, link: 7778, nodes: 7700 };
        assert_eq!(ports.node(3).map(|at| at.port()), [7730, 7731, 7732]);
    }
}
