//! Where a client goes: first where a node sent it, then to the address that its node advertised,
//! then to the configured addresses, round and round.

use core::time::Duration;
use std::collections::VecDeque;

use crate::{
    config::{AddressOrder, ClientConfig},
    defaults::{HURRIED_TRY_MIN, HURRIED_TRY_ROUND_TRIPS, NAMED_TRIES},
    wire::ADDRESSES_MAX,
};

/// Where a try goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Where a node or `move_to` sent the client.
    Named,
    /// The address in the last Welcome.
    Advertised,
    /// The configured address of this index.
    Configured(usize),
}

#[derive(Debug, Default)]
pub(super) struct Route {
    /// Where to go before anything else; at most [`ADDRESSES_MAX`].
    named: VecDeque<String>,
    /// Tries at such addresses in this repair.
    named_tries: u32,
    /// The address in the last Welcome, until it was tried.
    advertised: Option<String>,
    /// Where the present try, or connection, goes to.
    goal: Option<Goal>,
    /// Which of the configured addresses comes next.
    next: usize,
    /// Tries at configured addresses since the connection broke.
    tried: usize,
    /// It fell silent.
    is_silent: bool,
    /// The present try has less than the whole time.
    is_short: bool,
    /// There is a session to go on with: no game decides about it, so answers come soon.
    is_repair: bool,
}

impl Route {
    /// The tries begin, because the player asked for it.
    pub(super) const fn begin(&mut self) {
        self.named_tries = 0;
    }

    /// A node took the session.
    pub(super) fn arrived(&mut self, advertised: Option<&str>) {
        self.named.clear();
        self.advertised = advertised.map(str::to_owned);
    }

    /// A live connection broke. `failed`: it was of no use. `is_silent`: its node may stand still,
    /// so nothing else of it is tried either, before others are.
    pub(super) fn broke(&mut self, failed: bool, is_silent: bool) {
        self.named_tries = 0;
        (self.tried, self.is_silent, self.is_repair) = (0, is_silent, true);
        if is_silent {
            self.advertised = None;
        }
        let is_spent = failed || is_silent;
        if let (false, Some(Goal::Configured(index))) = (is_spent, self.goal.take()) {
            self.next = index;
        }
    }

    /// The node is about to go: whatever happens next, it is not tried again.
    pub(super) fn leave_for<'a>(&mut self, addresses: impl Iterator<Item = &'a str>) {
        self.advertised = None;
        self.goal = None;
        self.named = addresses.map(str::to_owned).collect();
    }

    /// A node names other addresses; they go before those named earlier. Whether there was one.
    pub(super) fn go_to<'a>(&mut self, addresses: impl Iterator<Item = &'a str>) -> bool {
        let fresh: Vec<_> = addresses.map(str::to_owned).collect();
        let any = !fresh.is_empty();
        for address in fresh.into_iter().rev() {
            self.named.retain(|known| *known != address);
            self.named.push_front(address);
        }
        self.named.truncate(ADDRESSES_MAX);
        any
    }

    /// This address comes first.
    pub(super) fn go_first(&mut self, address: &str) {
        self.go_to([address].into_iter());
    }

    /// Whether a failure of the present try counts.
    pub(super) fn counts(&self) -> bool {
        match self.goal {
            Some(Goal::Named) => self.is_led_around(),
            Some(Goal::Advertised) => false,
            Some(Goal::Configured(_)) | None => true,
        }
    }

    /// Whether the present try, at a configured address, has less than the whole time.
    pub(super) const fn is_short(&self) -> bool {
        self.is_short
    }

    /// Whether nodes have named more addresses than any cluster needs.
    pub(super) const fn is_led_around(&self) -> bool {
        self.named_tries > NAMED_TRIES
    }

    /// The address of the next try, and how long it may take. `rtt`: the usual round trip, if it is
    /// known.
    pub(super) fn next(
        &mut self,
        config: &ClientConfig,
        rtt: Option<Duration>,
    ) -> (String, Duration) {
        self.is_short = false;
        if let Some(address) = self.named.pop_front() {
            self.goal = Some(Goal::Named);
            self.named_tries = self.named_tries.saturating_add(1);
            return (address, self.time(config, rtt, 0));
        }
        let advertised = self.advertised.take();
        if let (Some(address), AddressOrder::AdvertisedFirst) = (advertised, config.address_order) {
            self.goal = Some(Goal::Advertised);
            return (address, shorter(config));
        }
        let index = self.next % config.addresses.len().max(1);
        self.next = index + 1;
        self.goal = Some(Goal::Configured(index));
        let timeout = match config.addresses.len() {
            several @ 2.. => self.time(config, rtt, self.tried / several),
            _ => config.try_timeout,
        };
        self.is_short = timeout < config.try_timeout;
        self.tried = self.tried.saturating_add(1);
        (config.addresses.get(index).cloned().unwrap_or_default(), timeout)
    }

    /// Whether a configured address was not tried since the connection broke.
    pub(super) const fn has_untried(&self, config: &ClientConfig) -> bool {
        self.tried < config.addresses.len()
    }

    /// The time of a try behind which there are others: in a repair it is short at first, and
    /// doubled in each round, when all were tried in vain.
    fn time(&self, config: &ClientConfig, rtt: Option<Duration>, round: usize) -> Duration {
        if !self.is_repair {
            return config.try_timeout;
        }
        let first = if self.is_silent { hurried(config, rtt) } else { shorter(config) };
        // By then it has the whole time, whatever it began with.
        let doubled = 1 << round.min(16);
        first.saturating_mul(doubled).min(config.try_timeout)
    }
}

/// The time of a try that hurries.
fn hurried(config: &ClientConfig, rtt: Option<Duration>) -> Duration {
    let enough = rtt.map(|rtt| rtt.saturating_mul(HURRIED_TRY_ROUND_TRIPS));
    let enough = enough.map_or(Duration::MAX, |enough| enough.max(HURRIED_TRY_MIN));
    enough.min(shorter(config))
}

fn shorter(config: &ClientConfig) -> Duration {
    config.advertised_try_timeout.min(config.try_timeout)
}
