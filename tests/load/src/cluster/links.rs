//! A node's ways to the other nodes and to the store, with a proxy in each that can break it.

use std::net::SocketAddr;

use super::here;
use crate::child::Child;
use crate::error::Error;
use crate::options::pass;

/// The proxies of one node.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) peers: Child,
    /// One for each place at which the store may be.
    pub(crate) store: Vec<Child>,
    peers_at: String,
    store_ports: Vec<u16>,
}

impl Links {
    /// In front of what the node listens on for others, and between it and the store.
    pub(super) async fn start(peers: SocketAddr, store_at: &[u16]) -> Result<Self, Error> {
        let (peers, peers_at) = proxy(peers).await?;
        let (mut store, mut store_ports) = (Vec::new(), Vec::new());
        for &port in store_at {
            let (child, at) = proxy(here(port)).await?;
            store.push(child);
            store_ports.push(at.port());
        }
        Ok(Self { peers, store, peers_at: peers_at.to_string(), store_ports })
    }

    /// Where the other nodes find it.
    pub(super) fn peers_at(&self) -> &str {
        &self.peers_at
    }

    /// Where the node finds the store.
    pub(super) fn store_ports(&self) -> &[u16] {
        &self.store_ports
    }
}

async fn proxy(target: SocketAddr) -> Result<(Child, SocketAddr), Error> {
    let one = pass(&[("target", &target), ("first", &0), ("clients", &1), ("seed", &0)]);
    let options = [one, vec!["--calm".to_owned()]].concat();
    let (proxy, addresses): (_, Vec<SocketAddr>) = Child::start("serve-proxy", &options).await?;
    let gone = || Error::Gone { role: "serve-proxy".to_owned() };
    Ok((proxy, addresses.into_iter().next().ok_or_else(gone)?))
}
