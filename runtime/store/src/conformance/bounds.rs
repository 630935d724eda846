//! The limits.

use bytes::Bytes;

use crate::conformance::tools::{content, ensure, get, noise, number, put};
use crate::conformance::{Breach, Subject, open};
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_CHECKS_MAX, BATCH_WRITES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX,
};
use crate::{Batch, BatchError, CommitError, GetError, KeyError, Scan, ScanError};

pub(crate) async fn what_is_at_a_limit_is_taken(
    subject: &mut dyn Subject,
    seed: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let longest = Bytes::from(vec![7; KEY_BYTES_MAX]);
    let largest = noise(VALUE_BYTES_MAX, seed);
    put(&store, Batch::new().put(longest.clone(), largest.clone())).await?;
    let found = get(&store, &longest).await?;
    ensure!(12, found == Some(largest.clone()), "the largest value under the longest key");
    put(&store, Batch::new().check_equals(longest.clone(), largest).delete(longest)).await?;

    let mut most = Batch::new();
    for n in 0..BATCH_WRITES_MAX as u64 {
        most = most.put(number(n), "");
    }
    for n in 0..BATCH_CHECKS_MAX as u64 {
        most = most.check_absent(number(n));
    }
    put(&store, most).await?;
    ensure!(12, content(&store).await?.len() == BATCH_WRITES_MAX, "the most writes");

    let full = (0..4).fold(Batch::new(), |batch, n| {
        batch.put(number(n), noise(BATCH_BYTES_MAX / 4 - 8, seed + n))
    });
    ensure!(12, full.bytes() == BATCH_BYTES_MAX, "the suite's own sum");
    put(&store, full).await
}

pub(crate) async fn what_is_over_a_limit_is_refused_and_writes_nothing(
    subject: &mut dyn Subject,
    _: u64,
) -> Result<(), Breach> {
    let store = open(subject).await?;
    let long = Bytes::from(vec![7; KEY_BYTES_MAX + 1]);
    let large = Bytes::from(vec![7; VALUE_BYTES_MAX + 1]);
    let ok = Batch::new().put("ok", "1");
    let key = |bytes| BatchError::Key(KeyError::TooLarge { bytes });
    let empty = BatchError::Key(KeyError::Empty);
    let twice = BatchError::WrittenTwice { key: "a".into() };
    let value = BatchError::ValueTooLarge { key: "a".into(), bytes: large.len() };
    let checks = (0..=BATCH_CHECKS_MAX).fold(ok.clone(), |batch, _| batch.check_absent("a"));
    let count = BATCH_WRITES_MAX as u64;
    let writes = (0..count).fold(ok.clone(), |batch, n| batch.delete(number(n)));
    let quarter = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    let bytes = (0..4).fold(ok.clone(), |batch, n| batch.put(number(n), quarter.clone()));
    let cases = [
        (ok.clone().put("", "1"), empty.clone()),
        (ok.clone().delete(""), empty.clone()),
        (ok.clone().check_absent(""), empty),
        (ok.clone().put(long.clone(), "1"), key(long.len())),
        (ok.clone().check_equals(long.clone(), "1"), key(long.len())),
        (ok.clone().put("a", large), value),
        (ok.clone().put("a", "1").delete("a"), twice.clone()),
        (ok.clone().put("a", "1").put("a", "1"), twice),
        (checks, BatchError::TooManyChecks { count: BATCH_CHECKS_MAX + 1 }),
        (writes, BatchError::TooManyWrites { count: BATCH_WRITES_MAX + 1 }),
        (bytes.clone(), BatchError::TooLarge { bytes: bytes.bytes() }),
    ];
    for (batch, expected) in cases {
        let found = store.commit(batch).await;
        let is_right = found == Err(CommitError::Invalid(expected.clone()));
        ensure!(12, is_right, "{found:?}, not {expected:?}");
    }
    ensure!(12, content(&store).await?.is_empty(), "a batch over a limit wrote something");
    let found = store.get(long.clone()).await;
    let is_right = matches!(found, Err(GetError::Key(_) | GetError::Down(_)));
    ensure!(12, is_right, "get of a key too long: {found:?}");
    let far = Scan::range([&long[..], &[0]].concat(), None);
    let found = store.scan(far).await;
    let is_right = matches!(found, Err(ScanError::Range(_) | ScanError::Down(_)));
    ensure!(12, is_right, "scan from a key too long: {found:?}");
    Ok(())
}
