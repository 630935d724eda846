//! Ports for nodes that are stopped and started again at the same place.

use std::net::TcpListener;

use crate::error::Error;

/// Below these ports of the system connections get none, so nobody takes a node's while it is away.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// So many ports that nobody listens on now.
pub(super) fn free(wanted: u64) -> Result<Vec<u16>, Error> {
    // Runs side by side begin at different places.
    let skipped = usize::try_from(std::process::id()).unwrap_or(0) * 61 % RANGE.len();
    let mut listeners = Vec::new();
    let ports = RANGE.skip(skipped).chain(RANGE.take(skipped));
    for port in ports {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            listeners.push((port, listener));
        }
        if listeners.len() as u64 == wanted {
            return Ok(listeners.iter().map(|&(port, _)| port).collect());
        }
    }
    Err(Error::Ports(wanted))
}
