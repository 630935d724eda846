//! A host of its own, as far as the network goes.

use std::net::Ipv4Addr;
use std::process::Command;

use super::{ServerError, output};

/// Of the private addresses, those of pairs of hosts: four for each.
const NETWORK: u32 = u32::from_be_bytes([10, 231, 0, 0]);
const PAIRS: u32 = 1 << 14;

/// A network namespace with a wire to this one, which can be cut. It takes root, and a kernel that
/// lets root do so. Dropping it removes both.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    /// This end of the wire.
    wire: String,
    address: Ipv4Addr,
}

fn ip(words: &str) -> Result<String, ServerError> {
    output(Command::new("ip").args(words.split(' ')))
}

impl Namespace {
    /// Makes one; `None` if this machine lets nobody do so.
    ///
    /// # Errors
    /// It can be made, and not be wired.
    pub fn new() -> Result<Option<Self>, ServerError> {
        let process = std::process::id();
        let (name, wire) = (format!("throughline-{process}"), format!("tl{process}"));
        let first = NETWORK + process % PAIRS * 4;
        let (here, address) = (Ipv4Addr::from(first + 1), Ipv4Addr::from(first + 2));
        if ip(&format!("netns add {name}")).is_err() {
            return Ok(None);
        }
        let made = Self { name, wire, address };
        let Self { name, wire, .. } = &made;
        for words in [
            format!("link add {wire} type veth peer name {wire}x"),
            format!("link set {wire}x netns {name}"),
            format!("addr add {here}/30 dev {wire}"),
            format!("link set {wire} up"),
            format!("-n {name} addr add {address}/30 dev {wire}x"),
            format!("-n {name} link set {wire}x up"),
            format!("-n {name} link set lo up"),
        ] {
            ip(&words)?;
        }
        Ok(Some(made))
    }

    /// Cuts the wire, or mends it: what is sent meanwhile vanishes, and nobody is told.
    ///
    /// # Errors
    /// The system refuses.
    pub fn cut(&self, is_cut: bool) -> Result<(), ServerError> {
        let (name, wire) = (&self.name, &self.wire);
        // At the other end, so that this one's addresses and routes stay.
        ip(&format!("-n {name} link set {wire}x {}", if is_cut { "down" } else { "up" }))?;
        Ok(())
    }

    /// Where it is found from here.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The wire goes with either of its ends.
        drop(ip(&format!("link del {}", self.wire)));
        drop(ip(&format!("netns del {}", self.name)));
    }
}
