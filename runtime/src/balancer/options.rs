//! The balancer's command line.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::BalancerError;

/// More nodes than a machine has any use for; each is asked about its health all the time.
const NODES_MAX: usize = 64;

/// What a balancer is told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BalancerOptions {
    /// Where pages and WebSocket links come in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7777")]
    pub(crate) http: SocketAddr,

    /// Where TCP links come in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7778")]
    pub(crate) link: SocketAddr,

    /// A node: its HTTP, link and admin addresses; once for each node
    #[arg(long = "node", value_name = "HTTP,LINK,ADMIN", required = true)]
    pub(crate) nodes: Vec<NodeAddresses>,

    /// The address of this machine that nodes are reached from: the one in their
    /// `listen.proxy-from`. An own one, such as 127.0.0.2, leaves the nodes open to others that
    /// come from this machine. By default the system chooses
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,
}

impl BalancerOptions {
    /// What the types cannot say.
    pub(super) fn check(&self) -> Result<(), BalancerError> {
        if self.nodes.is_empty() {
            return Err(BalancerError::NoNodes);
        }
        if self.nodes.len() > NODES_MAX {
            let found = self.nodes.len();
            return Err(BalancerError::TooManyNodes { found, most: NODES_MAX });
        }
        let Some(from) = self.from else { return Ok(()) };
        let mut addresses = self.nodes.iter().flat_map(|node| [node.http, node.link]);
        match addresses.find(|address| address.is_ipv4() != from.is_ipv4()) {
            Some(node) => Err(BalancerError::Family { from, node }),
            None => Ok(()),
        }
    }
}

/// Where one node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeAddresses {
    pub(crate) http: SocketAddr,
    pub(crate) link: SocketAddr,
    /// Where `GET /readyz` is answered.
    pub(crate) admin: SocketAddr,
}

/// The text does not name a node's three addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "three addresses of a node are expected, such as \
     127.0.0.1:7710,127.0.0.1:7711,127.0.0.1:7712: HTTP, link, admin"
)]
pub(crate) struct NoNodeAddresses;

impl FromStr for NodeAddresses {
    type Err = NoNodeAddresses;

    fn from_str(text: &str) -> Result<Self, NoNodeAddresses> {
        let parse = |text: &str| text.trim().parse().map_err(|_| NoNodeAddresses);
        match text.split(',').collect::<Vec<_>>()[..] {
            [http, link, admin] => {
                Ok(Self { http: parse(http)?, link: parse(link)?, admin: parse(admin)? })
            }
            _ => Err(NoNodeAddresses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: BalancerOptions,
    }

    fn read(arguments: &[&str]) -> Result<BalancerOptions, String> {
        use clap::Parser as _;
        let line = Line::try_parse_from([&["balancer"], arguments].concat());
        line.map(|line| line.options).map_err(|error| error.to_string())
    }

    const ONE: &str = "127.0.0.1:7710,127.0.0.1:7711,127.0.0.1:7712";
    const TWO: &str = "[::1]:7720,[::1]:7721,[::1]:7722";

    #[test]
    fn the_command_line_names_listeners_and_nodes() {
        let options = read(&["--node", ONE, "--node", TWO, "--link", "0.0.0.0:1"]).unwrap();
        assert_eq!(options.http, "127.0.0.1:7777".parse().unwrap());
        assert_eq!(options.link, "0.0.0.0:1".parse().unwrap());
        let admins = options.nodes.iter().map(|node| node.admin.to_string()).collect::<Vec<_>>();
        assert_eq!(admins, ["127.0.0.1:7712", "[::1]:7722"]);
        assert!(options.check().is_ok());
    }

    #[test]
    fn a_wrong_command_line_is_refused_with_what_is_expected() {
        assert!(read(&[]).unwrap_err().contains("--node"));
        for wrong in ["127.0.0.1:7710", "127.0.0.1:1,127.0.0.1:2", "a,b,c", &format!("{ONE},{ONE}")]
        {
            assert!(read(&["--node", wrong]).unwrap_err().contains("HTTP, link, admin"));
        }
        let mixed = read(&["--node", TWO, "--from", "127.0.0.2"]).unwrap();
        assert!(matches!(mixed.check(), Err(BalancerError::Family { .. })));
        let many = read(&["--node", ONE].repeat(NODES_MAX + 1)).unwrap();
        assert!(matches!(many.check(), Err(BalancerError::TooManyNodes { .. })));
    }
}
