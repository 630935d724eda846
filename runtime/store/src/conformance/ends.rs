//! Watches and closing.

use futures_util::future::{join, join_all};

use crate::conformance::tools::{content, ensure, number, put};
use crate::conformance::{Breach, Subject, open};
use crate::limits::WATCHES_MAX;
use crate::{Batch, CommitError, GetError, Scan, ScanError, WatchError};

pub(crate) async fn a_watch_that_nobody_looks_at_holds_up_nothing(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let watch = || store.watch("w/".into());
    let mut unseen = watch().map_err(|error| Breach::new(13, format!("watch: {error}")))?;
    for n in 0..300 {
        put(&store, Batch::new().put([b"w/", &number(n)[..]].concat(), "x")).await?;
    }
    ensure!(13, content(&store).await?.len() == 300, "commits under a watch");
    for _ in 0..2 * WATCHES_MAX {
        // Watches that were dropped do not count.
        ensure!(13, watch().is_ok(), "a watch is refused though the others were dropped");
    }
    let kept: Vec<_> = (0..WATCHES_MAX).map(|_| watch()).collect();
    let refused = kept.iter().find_map(|watch| watch.as_ref().err());
    ensure!(13, refused == Some(&WatchError::TooMany), "too many watches: {refused:?}");
    drop(kept);
    store.close().await.map_err(|error| Breach::new(14, error.to_string()))?;
    // One hint may be left from before; then the end must show.
    let ended = [unseen.changed().await, unseen.changed().await];
    ensure!(14, ended[1].is_err(), "a watch goes on behind the end of its store");
    Ok(())
}

pub(crate) async fn a_closed_store_refuses_calls_and_opens_again(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let mut store = open(subject).await?;
    for round in 0..5_u64 {
        put(&store, Batch::new().put(number(round), "x")).await?;
        for _ in 0..2 {
            let closed = store.close().await;
            ensure!(14, closed.is_ok(), "close: {closed:?}");
        }
        let got = store.get("k".into()).await;
        ensure!(14, got == Err(GetError::Closed), "get after close: {got:?}");
        let committed = store.commit(Batch::new().put("late", "x")).await;
        ensure!(14, committed == Err(CommitError::Closed), "commit after close: {committed:?}");
        let page = store.scan(Scan::all()).await.err();
        ensure!(14, page == Some(ScanError::Closed), "scan after close: {page:?}");
        let watch = store.watch("k".into()).err();
        ensure!(14, watch == Some(WatchError::Closed), "watch after close: {watch:?}");
        drop(store);
        store = open(subject).await?;
        let all = content(&store).await?;
        ensure!(4, all.keys().eq((0..=round).map(number).collect::<Vec<_>>().iter()), "{all:?}");
    }
    Ok(())
}

pub(crate) async fn calls_made_before_a_close_get_true_answers(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let mut store = open(subject).await?;
    for round in 0..5_u64 {
        let key = |n: u64| number(round * 100 + n);
        let commits = join_all((0..100).map(|n| store.commit(Batch::new().put(key(n), "x"))));
        let (outcomes, closed) = join(commits, store.close()).await;
        ensure!(14, closed.is_ok(), "close: {closed:?}");
        drop(store);
        store = open(subject).await?;
        let all = content(&store).await?;
        for (n, outcome) in (0..).zip(outcomes) {
            let is_there = all.contains_key(&key(n));
            match outcome {
                Ok(()) => ensure!(4, is_there, "commit {n} was answered and is not there"),
                Err(CommitError::Unknown { .. }) => {}
                Err(CommitError::Closed | CommitError::Down(_)) => {
                    ensure!(9, !is_there, "commit {n} was refused and is there");
                }
                Err(error) => return Err(Breach::new(14, format!("commit {n}: {error}"))),
            }
        }
    }
    Ok(())
}
