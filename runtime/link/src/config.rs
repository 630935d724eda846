//! What a link is told when it starts.

use core::time::Duration;

use crate::defaults;

/// Limits and timings of a node's side. Fields are plain; the node's configuration validates them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// See [`defaults::HEARTBEAT`].
    pub heartbeat: Duration,
    /// See [`defaults::ACK_DELAY`].
    pub ack_delay: Duration,
    /// See [`defaults::ACK_EVERY`].
    pub ack_every: u32,
    /// See [`defaults::WINDOW_MESSAGES`].
    pub window_messages: u32,
    /// See [`defaults::WINDOW_BYTES`].
    pub window_bytes: u32,
    /// See [`defaults::RETAINED_MESSAGES`].
    pub retained_messages: u32,
    /// See [`defaults::RETAINED_BYTES`].
    pub retained_bytes: u32,
    /// See [`defaults::MAX_FRAME`].
    pub max_frame: u32,
    /// See [`defaults::ACK_TIMEOUT`].
    pub ack_timeout: Duration,
    /// See [`defaults::SESSION_TIMEOUT`].
    pub session_timeout: Duration,
    /// Connected, but no message for so long ends the session; `None`: never, the default.
    pub idle_limit: Option<Duration>,
    /// The node's own public address, told to clients.
    pub advertise: Option<String>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            heartbeat: defaults::HEARTBEAT,
            ack_delay: defaults::ACK_DELAY,
            ack_every: defaults::ACK_EVERY,
            window_messages: defaults::WINDOW_MESSAGES,
            window_bytes: defaults::WINDOW_BYTES,
            retained_messages: defaults::RETAINED_MESSAGES,
            retained_bytes: defaults::RETAINED_BYTES,
            max_frame: defaults::MAX_FRAME,
            ack_timeout: defaults::ACK_TIMEOUT,
            session_timeout: defaults::SESSION_TIMEOUT,
            idle_limit: None,
            advertise: None,
        }
    }
}

/// Where a client goes after a break. Addresses that a node names (when it restarts or refuses)
/// and that of `move_to` come before either, in both orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AddressOrder {
    /// One try at the address that the node advertised in its Welcome, if it did: the session is
    /// there, and nothing need be handed over. Then the configured addresses in turn. The default.
    #[default]
    AdvertisedFirst,
    /// The configured addresses in turn; what nodes advertise is ignored. For clients that reach
    /// nodes only through a load balancer.
    ConfiguredOnly,
}

/// What a client's side is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Where nodes or load balancers listen; tried in turn, a repair from the one that worked.
    /// At least one.
    pub addresses: Vec<String>,
    /// The session kind asked for, 1 to 64 bytes.
    pub kind: String,
    /// The login payload.
    pub login: Vec<u8>,
    /// The version of the game's client, if the node should check it.
    pub game_version: Option<String>,
    /// See [`defaults::ACK_DELAY`].
    pub ack_delay: Duration,
    /// See [`defaults::ACK_EVERY`].
    pub ack_every: u32,
    /// See [`defaults::TRIES`].
    pub tries: u32,
    /// Where to go first after a break.
    pub address_order: AddressOrder,
    /// See [`defaults::TRY_TIMEOUT`].
    pub try_timeout: Duration,
    /// See [`defaults::ADVERTISED_TRY_TIMEOUT`].
    pub advertised_try_timeout: Duration,
    /// How long after the break what does not count as a try (refusals that may be retried,
    /// addresses that nodes named) is tried; `None`, the default: the session's timeout, as told
    /// by Welcome, and [`defaults::SESSION_TIMEOUT`] before it.
    pub total_time: Option<Duration>,
    /// See [`defaults::BACKOFF_BASE`].
    pub backoff_base: Duration,
    /// See [`defaults::BACKOFF_MAX`].
    pub backoff_max: Duration,
    /// Random: two clients with the same seed wait the same times.
    pub seed: u64,
}

impl ClientConfig {
    /// The defaults, for these addresses.
    #[must_use]
    pub fn new(addresses: Vec<String>, kind: &str, login: &[u8], seed: u64) -> Self {
        Self {
            addresses,
            kind: kind.to_owned(),
            login: login.to_owned(),
            game_version: None,
            ack_delay: defaults::ACK_DELAY,
            ack_every: defaults::ACK_EVERY,
            tries: defaults::TRIES,
            address_order: AddressOrder::default(),
            try_timeout: defaults::TRY_TIMEOUT,
            advertised_try_timeout: defaults::ADVERTISED_TRY_TIMEOUT,
            total_time: None,
            backoff_base: defaults::BACKOFF_BASE,
            backoff_max: defaults::BACKOFF_MAX,
            seed,
        }
    }
}
