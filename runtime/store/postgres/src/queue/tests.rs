use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;

fn commit(batch: Batch) -> Commit {
    let room = || Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let answer = Answer::new(oneshot::channel().0, [room(), room()]);
    Commit { batch, answer, begin_by: Instant::now() }
}

fn queue(batches: impl IntoIterator<Item = Batch>) -> Queue {
    let mut queue = Queue::default();
    batches.into_iter().for_each(|batch| queue.push(commit(batch)));
    queue
}

fn put(key: &'static str) -> Batch {
    Batch::new().put(key, "x")
}

fn check(key: &'static str) -> Batch {
    Batch::new().check_equals(key, "x")
}

#[test]
fn commits_on_one_key_share_a_group_but_not_two_groups_at_once() {
    let mut queue = queue([put("a"), put("a")]);
    let first = queue.take().unwrap();
    assert_eq!(first.batches.len(), 2);
    queue.push(commit(put("a")));
    queue.push(commit(put("b")));
    let second = queue.take().unwrap();
    assert_eq!(second.batches, [put("b")]);
    assert!(queue.take().is_none());
    queue.release(&first);
    assert_eq!(queue.take().unwrap().batches, [put("a")]);
}

#[test]
fn a_key_that_is_only_checked_holds_up_writers_alone() {
    let mut queue = queue([check("node").put("a", "1")]);
    let first = queue.take().unwrap();
    queue.push(commit(check("node").put("b", "1")));
    let second = queue.take().unwrap();
    queue.push(commit(put("node")));
    assert!(queue.take().is_none());
    queue.release(&first);
    assert!(queue.take().is_none(), "the second still looks at it");
    queue.release(&second);
    assert!(queue.take().is_some());
}

#[test]
fn a_blocked_writer_is_not_overtaken_on_its_keys() {
    let mut queue = queue([check("node").put("a", "1")]);
    let first = queue.take().unwrap();
    queue.push(commit(put("node").put("c", "1")));
    assert!(queue.take().is_none());
    queue.push(commit(check("node").put("b", "1")));
    queue.push(commit(put("c")));
    assert!(queue.take().is_none(), "both come behind the writer");
    queue.release(&first);
    assert_eq!(queue.take().unwrap().batches.len(), 3);
}

#[test]
fn a_group_ends_at_its_bounds_but_takes_one_batch_of_any_size() {
    let large = |key| Batch::new().put(key, vec![0; GROUP_BYTES_MAX]);
    let mut queue = queue([large("a"), large("b")]);
    assert_eq!(queue.take().unwrap().batches.len(), 1);
    assert_eq!(queue.take().unwrap().batches.len(), 1);
    assert!(queue.take().is_none());
}

#[test]
fn what_waited_too_long_is_taken_out_even_if_it_is_blocked() {
    let mut queue = queue([put("a")]);
    let first = queue.take().unwrap();
    queue.push(commit(put("a")));
    assert!(queue.take().is_none());
    queue.push(commit(put("b")));
    let late = Instant::now() + std::time::Duration::from_secs(1);
    assert_eq!(queue.expired(late).len(), 2);
    queue.release(&first);
    assert!(queue.take().is_none());
}
