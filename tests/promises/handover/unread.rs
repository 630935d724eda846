//! Nodes whose entries the others cannot read: of a newer build, or damaged.

use std::sync::Arc;

use throughline_cluster::{Beat, Member, NodeId, Row};
use throughline_store::Batch;

use crate::{
    cluster::{Gate, Plan},
    operators::{
        http::{Answer, post},
        until,
    },
    watch,
};

const fn member(node: u32) -> Member {
    Member { node: NodeId(node), incarnation: 1 }
}

#[tokio::test]
async fn a_node_that_cannot_be_read_blinds_no_other_and_is_left_alone() {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(3).walled().quick();
    let mut cluster = plan.with(move |config| config.admin.listen = vec![any]).start().await;
    let store = Arc::clone(cluster.wall(1).store());
    let admin = cluster.node(1).admin_addresses()[0];
    let is_known = |said: &Answer| said.json()["kinds"][0]["read_by_all"].is_u64();
    until(admin, "/versions", is_known).await;
    // One of a newer build that beats no more, one whose rows are damaged.
    let beat = Beat::new(1, 1).encode();
    let rows = [
        (Row::Standing(member(8)).key(), b"\x02newer"[..].into()),
        (Row::Beat(member(8)).key(), beat.clone()),
        (Row::Standing(member(9)).key(), b"\x01\x07damaged"[..].into()),
        (Row::Beat(member(9)).key(), beat.slice(..4)),
    ];
    for (key, value) in &rows {
        store.commit(Batch::new().put(key.clone(), value.clone())).await.unwrap();
    }
    let is_unknown = |said: &Answer| said.json()["kinds"][0]["read_by_all"].is_null();
    until(admin, "/versions", is_unknown).await;
    let said = post(admin, "/versions/final", "").await;
    assert!(said.error().contains("cannot be read"), "{said:?}");
    // The others see who dies, and who joins.
    cluster.wall(3).set(Gate::shut());
    cluster.wall(1).sees_dead(3).await;
    cluster.wall(3).open();
    cluster.wall(1).sees_alive(3).await;
    assert!(cluster.stop(2).await.is_clean());
    watch::soon("a join", cluster.start_node(2)).await;
    for (key, value) in rows {
        assert_eq!(store.get(key).await.unwrap(), Some(value), "it is not left alone");
    }
}
