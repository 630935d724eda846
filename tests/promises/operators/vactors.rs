//! Where a VActor is, and the order that it go elsewhere.

use throughline::prelude::*;
use throughline::{Config, NodeBuilder};
use throughline_vactor::prelude::*;

use super::{
    http::{Answer, get, post},
    until,
};
use crate::{cluster::Plan, game};

/// Counts its asks.
#[derive(Debug)]
struct Counter(u64);

/// One more; the count.
#[derive(Debug, Serialize, Deserialize)]
struct More;

impl Message for More {
    type Reply = u64;
}

messages! { Counter { "more" => More } }

impl VActor for Counter {
    const KIND: &'static str = "counter";
    type State = u64;

    fn new(_key: &str, count: u64) -> Self {
        Self(count)
    }

    fn state(&self) -> &u64 {
        &self.0
    }
}

impl Handle<More> for Counter {
    async fn handle(
        &mut self,
        _: More,
        _: &mut throughline_vactor::Context<Self>,
    ) -> Result<u64, HandlerError> {
        self.0 += 1;
        Ok(self.0)
    }
}

/// Node 3 does not serve the kind.
fn kinds(number: u32, config: Config) -> NodeBuilder {
    let builder = game::builder(|own| *own = config);
    if number == 3 { builder } else { builder.vactors::<Counter>() }
}

#[tokio::test]
async fn a_vactor_is_found_and_moved_with_its_state_by_way_of_any_node() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(3).kinds(kinds);
    let mut cluster = plan.with(move |config| config.admin.listen = vec![any]).start().await;
    let admins: Vec<_> = (1..=3).map(|n| cluster.node(n).admin_addresses()[0]).collect();
    let path = "/vactors/counter/a%2Fb";
    let said = |answer: &Answer| (answer.status, answer.json());
    let at = |node: u32| {
        (200, serde_json::json!({ "state": "active", "node": node, "arriving": false }))
    };

    let unknown = post(admins[0], &format!("{path}/move?node=2"), "").await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert_eq!(get(admins[0], path).await.json()["state"], "unknown");

    let counter = Counter::at("a/b");
    assert_eq!(cluster.node(1).ask(&counter, More).await.unwrap(), 1);
    // Each order comes while who has it begins there.
    for (to, by) in [(1, 0), (2, 0), (1, 2), (2, 1), (1, 1), (2, 2), (2, 1)] {
        let moved = post(admins[by], &format!("{path}/move?node={to}"), "").await;
        assert_eq!(said(&moved), at(to), "by way of node {}", by + 1);
        for admin in &admins {
            assert_eq!(said(&get(*admin, path).await), at(to));
        }
    }
    // It has not left for where it is not understood, or where nobody is.
    for nowhere in [3, 7] {
        let refused = post(admins[2], &format!("{path}/move?node={nowhere}"), "").await;
        assert_eq!(refused.status, 409);
        assert!(refused.error().contains(&format!("no live node {nowhere}")), "{refused:?}");
    }
    assert_eq!(cluster.node(1).ask(&counter, More).await.unwrap(), 2);
    for node in [1, 2] {
        assert!(cluster.stop(node).await.is_clean());
    }
    assert_eq!(get(admins[2], path).await.json()["state"], "parked");
    let refused = post(admins[2], &format!("{path}/move?node=3"), "").await;
    assert_eq!(refused.status, 409);
    assert!(refused.error().contains("in no node's memory"), "{refused:?}");
}

#[tokio::test]
async fn what_a_crash_proof_vactor_has_handled_of_its_inbox_is_counted() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(1).kinds(kinds).with(move |config| config.admin.listen = vec![any]);
    let cluster = plan.start().await;
    let admin = cluster.node(1).admin_addresses()[0];
    let counter = Counter::at("c");
    for _ in 0..3 {
        let mut node = cluster.node(1);
        node.tell_reliable(&counter, &More, Duration::from_secs(60)).await.unwrap();
    }
    let counts = |answer: &Answer| answer.json()["queues"]["handled"].clone();
    until(admin, "/status", |answer| counts(answer) == 3).await;
    assert_eq!(cluster.node(1).ask(&counter, More).await.unwrap(), 4);
    assert_eq!(counts(&get(admin, "/status").await), 3);
}
