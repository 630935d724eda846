use super::*;
use crate::MemoryStore;

const SEED: u64 = 7;

fn faulty(faults: Faults, seed: u64) -> (MemoryStore, FaultyStore) {
    let memory = MemoryStore::new();
    (memory.clone(), FaultyStore::new(Arc::new(memory), faults, seed))
}

async fn outcomes(seed: u64) -> Vec<Result<(), CommitError>> {
    let faults = Faults {
        delay_steps_max: 3,
        commit_down_percent: 20,
        commit_unknown_percent: 20,
        ..Faults::default()
    };
    let (_, store) = faulty(faults, seed);
    let mut outcomes = Vec::new();
    for n in 0..200_u32 {
        outcomes.push(store.commit(Batch::new().put("key", n.to_be_bytes().to_vec())).await);
    }
    outcomes
}

#[tokio::test]
async fn the_same_seed_makes_the_same_faults() {
    let first = outcomes(SEED).await;
    assert_eq!(first, outcomes(SEED).await);
    assert_ne!(first, outcomes(SEED + 1).await);
}

#[tokio::test]
async fn every_kind_of_answer_comes_and_down_has_written_nothing() {
    let faults =
        Faults { commit_down_percent: 30, commit_unknown_percent: 30, ..Faults::default() };
    let (memory, store) = faulty(faults, SEED);
    let (mut done, mut down, mut landed, mut lost) = (0, 0, 0, 0);
    for n in 0..300_u32 {
        let key = Bytes::from(n.to_be_bytes().to_vec());
        let outcome = store.commit(Batch::new().put(key.clone(), "value")).await;
        let is_there = memory.get(key).await.expect("memory does not fail").is_some();
        match (outcome, is_there) {
            (Ok(()), true) => done += 1,
            (Err(CommitError::Down(_)), false) => down += 1,
            (Err(CommitError::Unknown { .. }), true) => landed += 1,
            (Err(CommitError::Unknown { .. }), false) => lost += 1,
            other => panic!("commit {n}: {other:?}"),
        }
    }
    assert!(done > 0 && down > 0 && landed > 0 && lost > 0, "{done} {down} {landed} {lost}");
}

#[tokio::test]
async fn a_crash_loses_some_of_what_was_not_synced_as_the_seed_says_and_nothing_else() {
    let faults = Faults { unsynced_commits_max: 3, ..Faults::default() };
    let mut kept = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let (memory, store) = faulty(faults, seed);
        for n in 0..10_u8 {
            store.commit(Batch::new().put("key", vec![n])).await.expect("no faults");
        }
        store.crash().await.expect("memory takes it back");
        kept.insert(memory.get("key".into()).await.unwrap().unwrap()[0]);
        assert_eq!(store.get("key".into()).await, Err(GetError::Closed));
        assert_eq!(store.commit(Batch::new().delete("key")).await, Err(CommitError::Closed));
    }
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [6, 7, 8]);
}

#[tokio::test]
async fn a_commit_under_way_at_a_crash_never_lands_afterwards() {
    let faults = Faults { delay_steps_max: 8, ..Faults::default() };
    for seed in 0..50 {
        let (memory, store) = faulty(faults, seed);
        let commit = tokio::spawn(store.commit(Batch::new().put("key", "value")));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        store.crash().await.expect("nothing to take back");
        let at_crash = memory.get("key".into()).await.expect("memory does not fail");
        let outcome = commit.await.expect("does not panic");
        assert!(matches!(outcome, Ok(()) | Err(CommitError::Unknown { .. })), "{outcome:?}");
        assert_eq!(memory.get("key".into()).await.expect("memory does not fail"), at_crash);
        assert!(outcome.is_err() || at_crash.is_some());
    }
}
