//! A node's ways to the other nodes and to the store, with a proxy in each that can break it.

use std::net::SocketAddr;

use crate::child::Child;
use crate::error::Error;
use crate::options::pass;

/// The proxies of one node.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) peers: Child,
    pub(crate) store: Child,
    peers_at: String,
    store_at: String,
}

impl Links {
    /// In front of what the node listens on for others, and between it and the hub.
    pub(super) async fn start(peers: SocketAddr, hub: SocketAddr) -> Result<Self, Error> {
        let (peers, peers_at) = proxy(peers).await?;
        let (store, store_at) = proxy(hub).await?;
        Ok(Self { peers, store, peers_at, store_at })
    }

    /// Where the other nodes find it.
    pub(super) fn peers_at(&self) -> &str {
        &self.peers_at
    }

    /// `store.at` of the node.
    pub(super) fn store_at(&self) -> String {
        format!("hub:tcp:{}", self.store_at)
    }
}

async fn proxy(target: SocketAddr) -> Result<(Child, String), Error> {
    let one = pass(&[("target", &target), ("first", &0), ("clients", &1), ("seed", &0)]);
    let options = [one, vec!["--calm".to_owned()]].concat();
    let (proxy, addresses): (_, Vec<String>) = Child::start("serve-proxy", &options).await?;
    let gone = || Error::Gone { role: "serve-proxy".to_owned() };
    Ok((proxy, addresses.into_iter().next().ok_or_else(gone)?))
}
