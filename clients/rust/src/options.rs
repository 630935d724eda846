//! What a client can be told before it connects.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use throughline_link::{AddressOrder, ClientConfig, wire};

use crate::{
    address::{Address, AddressError},
    connector::{Connector, PlainTcp},
    error::ConnectError,
};

/// Where to connect, as whom, and with which limits.
///
/// Only addresses and [`kind`](Self::kind) must be given.
#[derive(Clone)]
pub struct Options {
    pub(crate) config: ClientConfig,
    pub(crate) connector: Arc<dyn Connector>,
}

impl Options {
    /// Addresses of nodes or load balancers, tried in turn, a repair from the one that worked:
    /// `host:port`, `[ipv6]:port`, `tcp://host:port`, `ws://host:port/path` (feature `websocket`;
    /// the path is `/link` if there is none, the port 80), and `tls://`, `wss://` for a
    /// [`Connector`] that brings TLS.
    #[must_use]
    pub fn new<A: Into<String>>(addresses: impl IntoIterator<Item = A>) -> Self {
        let addresses = addresses.into_iter().map(Into::into).collect();
        // Every `RandomState` has other keys; it only has to spread the waits of many clients.
        let seed = RandomState::new().build_hasher().finish();
        Self { config: ClientConfig::new(addresses, "", &[], seed), connector: Arc::new(PlainTcp) }
    }

    /// The session kind, 1 to 64 bytes: which of the node's games this is.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.config.kind = kind.into();
        self
    }

    /// The login payload, for the game's login; 16 KiB at most unless the node allows more. Empty
    /// by default.
    #[must_use]
    pub fn login(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.config.login = payload.as_ref().to_owned();
        self
    }

    /// The version of the game's client, 1 to 64 bytes, for a node that checks it; none by default.
    #[must_use]
    pub fn game_version(mut self, version: impl Into<String>) -> Self {
        self.config.game_version = Some(version.into()).filter(|version| !version.is_empty());
        self
    }

    /// Tries until the client gives up and asks its player; 8 by default, at least 1.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.config.tries = tries.max(1);
        self
    }

    /// A try without an answer, from opening the connection to the node's yes or no, has failed
    /// after so long; 5 s by default.
    #[must_use]
    pub fn try_timeout(mut self, after: Duration) -> Self {
        self.config.try_timeout = after;
        self
    }

    /// Where to go first after a break: to the address that the node advertised, once, by default.
    /// Addresses that a node names when it restarts or refuses come before that.
    #[must_use]
    pub fn address_order(mut self, order: AddressOrder) -> Self {
        self.config.address_order = order;
        self
    }

    /// The same as [`try_timeout`](Self::try_timeout), for a try of a repair behind which there are
    /// others: that at the address that the node advertised, and the first at each that a node
    /// named and at each of several configured ones; 2 s by default, and never more than the other.
    #[must_use]
    pub fn advertised_try_timeout(mut self, after: Duration) -> Self {
        self.config.advertised_try_timeout = after;
        self
    }

    /// How long after a break the client goes on with what does not count as a try: refusals that
    /// may be retried, and addresses that nodes name. By default the time that the node keeps a
    /// session without a connection, as it told (60 s before it has).
    #[must_use]
    pub fn total_time(mut self, time: Duration) -> Self {
        self.config.total_time = Some(time);
        self
    }

    /// The wait between tries: random below `base`, which doubles with each try up to `max`; 100 ms
    /// and 5 s by default. The first try after a break is made at once.
    #[must_use]
    pub fn backoff(mut self, base: Duration, max: Duration) -> Self {
        self.config.backoff_base = base;
        self.config.backoff_max = max;
        self
    }

    /// When a message taken by the application is acknowledged: after `delay` or `every` messages,
    /// whichever comes first, unless a message to the node carries it; 20 ms and 16 by default.
    #[must_use]
    pub fn acks(mut self, delay: Duration, every: u32) -> Self {
        self.config.ack_delay = delay;
        self.config.ack_every = every.max(1);
        self
    }

    /// What the waits between tries are drawn from; random by default. For tests.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// How byte streams are opened; [`PlainTcp`] by default.
    #[must_use]
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.connector = Arc::new(connector);
        self
    }

    /// Whether all of it can be used.
    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        if self.config.addresses.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        for address in &self.config.addresses {
            usable(address, self.connector.as_ref())
                .map_err(|why| ConnectError::BadAddress { address: address.clone(), why })?;
        }
        let bytes = self.config.kind.len();
        if !(1..=wire::KIND_MAX).contains(&bytes) {
            return Err(ConnectError::BadKind { bytes });
        }
        Ok(())
    }
}

/// Reads an address that this client can connect to.
pub(crate) fn usable(text: &str, connector: &dyn Connector) -> Result<Address, AddressError> {
    let address = Address::parse(text)?;
    if address.target.tls && !connector.brings_tls() {
        return Err(AddressError::NoTls);
    }
    if address.websocket.is_some() && !cfg!(feature = "websocket") {
        return Err(AddressError::NoWebSocket);
    }
    Ok(address)
}

impl fmt::Debug for Options {
    /// Leaves out the login payload, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("addresses", &self.config.addresses)
            .field("kind", &self.config.kind)
            .field("game_version", &self.config.game_version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_refused_before_anything_is_tried() {
        let check = |options: Options| options.check().map_err(|error| error.to_string());
        assert_eq!(check(Options::new(["h:1"]).kind("k")), Ok(()));
        assert_eq!(
            check(Options::new(["h:1", "tls://h:1"]).kind("k")),
            Err(r#"address "tls://h:1": TLS is asked for, and the connector brings none"#.into())
        );
        assert_eq!(check(Options::new([""; 0])), Err("no address to connect to".into()));
        let kind = "a session kind of 0 bytes, where 1 to 64 are expected";
        assert_eq!(check(Options::new(["h:1"])), Err(kind.into()));
        assert!(check(Options::new(["h:1"]).kind("k".repeat(65))).is_err());
    }

    #[test]
    fn a_login_is_not_printed() {
        let options = Options::new(["h:1"]).kind("k").login("hunter2");
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
