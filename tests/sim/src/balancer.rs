//! A load balancer: it forwards connections to the nodes in turn. The runtime's own has real
//! sockets, so this stands in for it.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;

use crate::network::{Host, Wire};
use crate::place::LINK_PORT;

/// Forwards until its host is gone.
pub(crate) async fn forward(host: Host, nodes: Vec<SocketAddr>) -> io::Result<()> {
    let mut incoming = host.accept(LINK_PORT)?;
    let mut first = 0;
    while let Some((client, _)) = incoming.recv().await {
        first += 1;
        tokio::spawn(carry(host.clone(), client, nodes.clone(), first));
    }
    Ok(())
}

/// To the first node from there on that takes connections.
async fn carry(host: Host, mut client: Wire, nodes: Vec<SocketAddr>, first: usize) {
    for n in 0..nodes.len() {
        let node = nodes[(first + n) % nodes.len()];
        if let Ok(mut wire) = host.clone().open(node).await {
            // It ends when either side does, and the other one learns it.
            let _ = copy_bidirectional(&mut client, &mut wire).await;
            return;
        }
    }
}
