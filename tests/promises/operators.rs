//! What operators ask of a node through its admin listener, and what comes of it.

mod drains;
pub(crate) mod http;
mod orders;
mod rubbish;
mod vactors;

use std::net::SocketAddr;

use throughline::{Config, RunningNode};

use crate::{game, watch};
use http::{Answer, get};

/// A node whose admin listener has a free port, and its address.
fn node(change: impl FnOnce(&mut Config)) -> (RunningNode, SocketAddr) {
    let node = game::node(|config| {
        config.admin.listen = vec!["127.0.0.1:0".parse().unwrap()];
        change(config);
    });
    let admin = node.admin_addresses()[0];
    (node, admin)
}

/// Waits until the node says that it is ready; it joins its cluster first.
async fn ready(admin: SocketAddr) {
    until(admin, "/readyz", |answer| answer.status == 200).await;
}

/// Asks until the answer is as wanted; the last one.
pub(crate) async fn until(
    admin: SocketAddr,
    path: &str,
    is_so: impl Fn(&Answer) -> bool,
) -> Answer {
    watch::soon(path, async {
        loop {
            let answer = get(admin, path).await;
            if is_so(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}
