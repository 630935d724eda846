//! What several tests begin with.

use throughline_link::{ClientConfig, LinkConfig};

use crate::pair::{Pair, SECOND};

pub(crate) const HOME: &str = "home:7778";

pub(crate) fn client() -> ClientConfig {
    ClientConfig::new(vec![HOME.to_owned()], "test", b"ann", 7)
}

/// A client and a node that have not met yet.
pub(crate) fn strangers() -> Pair {
    Pair::new(client(), LinkConfig::default())
}

/// A session that is under way.
pub(crate) fn live() -> Pair {
    live_with(LinkConfig::default())
}

pub(crate) fn live_with(config: LinkConfig) -> Pair {
    let mut pair = Pair::new(client(), config);
    pair.connect();
    pair.run(SECOND / 10);
    assert!(pair.client.link.is_live());
    pair
}

/// A conversation in which both sides speak, answer, fall silent and speak again.
pub(crate) fn converse(pair: &mut Pair) {
    pair.host.echoes = true;
    pair.connect();
    for round in 0..3 {
        for _ in 0..=round {
            // Waits for the window only if a test made it tiny; then the message is not sent.
            let _ = pair.client.send();
        }
        pair.run(30_000);
        pair.host.send();
        pair.run(30_000);
    }
}
