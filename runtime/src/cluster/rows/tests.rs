use throughline_cluster::{Law, NodeInfo, StepName};
use throughline_store::{Batch, MemoryStore};

use super::*;

const NEWER: &[u8] = &[2, 1, 2, 3];

fn member(node: u32) -> Member {
    Member { node: NodeId(node), incarnation: 1 }
}

fn standing_of(state: NodeState) -> Standing {
    Standing { state, info: Arc::new(NodeInfo::new("10.0.0.1:7", Vec::new()).unwrap()) }
}

async fn with(rows: &[(Row, &[u8])]) -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    for (row, bytes) in rows {
        store.commit(Batch::new().put(row.key(), bytes.to_vec())).await.unwrap();
    }
    store
}

/// Nodes of newer builds, of damaged rows, and one that is well.
async fn mixed() -> Arc<dyn Store> {
    let alive = standing_of(NodeState::Alive).encode();
    let dead = standing_of(NodeState::Dead).encode();
    let beat = Beat::new(1, 1).encode();
    with(&[
        (Row::Standing(member(1)), &alive),
        (Row::Beat(member(1)), &beat),
        (Row::Standing(member(2)), NEWER),
        (Row::Beat(member(2)), &beat),
        (Row::Standing(member(3)), &alive[..alive.len() - 1]),
        (Row::Beat(member(3)), NEWER),
        (Row::Standing(member(4)), &alive),
        (Row::Beat(member(4)), NEWER),
        (Row::Standing(member(5)), &alive),
        (Row::Beat(member(5)), &beat[..3]),
        (Row::Standing(member(6)), &dead),
        (Row::Beat(member(6)), &beat[..3]),
        (Row::Beat(member(7)), &beat[..3]),
    ])
    .await
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_left_alone_and_hides_no_other() {
    let store = mixed().await;
    let entries = entries(&store, NodeId(1)).await.expect("the others are read");
    let states = entries.nodes.iter().map(|(entry, _)| entry.standing.as_ref().map(|s| s.state));
    let (alive, unread, dead) = (NodeState::Alive, NodeState::Unread, NodeState::Dead);
    assert_eq!(
        states.collect::<Vec<_>>(),
        [Some(alive), Some(unread), Some(unread), Some(unread), Some(unread), Some(dead), None],
    );
    for (entry, beat) in entries.nodes.iter().filter(|(entry, _)| entry.is_unread()) {
        assert!(!entry.is_alive() && !entry.is_gone() && !entry.reads("game", 1), "{entry:?}");
        assert_eq!(*beat, (entry.member == member(2)).then_some(Beat::new(1, 1)));
        let seen = Beat::new(1, 1);
        Law::default().mark_dead(entry, seen).expect_err("it is declared dead");
        Law::default().forget(entry, 0, &[]).expect_err("it is forgotten");
    }
    let alone = entry(&store, member(3)).await.expect("it is there");
    assert!(alone.is_unread());
}

/// What is asked of its node through the store checks the very bytes that stand there.
#[tokio::test]
async fn a_commit_for_a_node_that_cannot_be_read_checks_its_row_as_it_was_found() {
    let store = mixed().await;
    for node in [2, 4] {
        let entries = entries(&store, NodeId(1)).await.unwrap();
        let (found, _) = entries.nodes.iter().find(|(e, _)| e.member == member(node)).unwrap();
        let step = Law::default().beat(found, Beat::new(2, 2));
        assert_eq!(step.name, StepName::Beat);
        assert_eq!(commit(&store, &step.commit).await, Outcome::Done);
        let row = Row::Standing(member(node)).key();
        store.commit(Batch::new().put(row, &b"\x02another"[..])).await.unwrap();
        assert_eq!(commit(&store, &step.commit).await, Outcome::Refused);
    }
}
