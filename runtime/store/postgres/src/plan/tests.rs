use super::*;

fn found(rows: &[(&'static str, Row)]) -> Found {
    rows.iter().map(|(key, row)| (Bytes::from(*key), row.clone())).collect()
}

fn keys(locks: &[Lock]) -> Vec<&[u8]> {
    locks.iter().map(|lock| &lock.key[..]).collect()
}

fn value(value: &'static str) -> Row {
    Row::Value(value.into())
}

#[test]
fn what_is_checked_or_deleted_is_locked_in_order() {
    let batch = Batch::new()
        .check_equals("node", "alive")
        .check_absent("b")
        .put("b", "1")
        .put("blind", "1")
        .delete("a");
    let locks = Locks::of(std::slice::from_ref(&batch), false);
    assert_eq!(keys(&locks.exclusive), [&b"a"[..], b"b"]);
    assert_eq!(keys(&locks.shared), [b"node"]);
    let locks = Locks::of(&[batch], true);
    assert_eq!(keys(&locks.exclusive), [&b"a"[..], b"b", b"blind", b"node"]);
    assert!(locks.shared.is_empty());
}

#[test]
fn a_batch_is_checked_against_what_those_before_it_leave() {
    let batches = [
        Batch::new().check_equals("k", "1").put("k", "2"),
        Batch::new().check_equals("k", "1").put("k", "3"),
        Batch::new().check_equals("k", "2").put("k", "4"),
    ];
    let (verdicts, plan) = evaluate(&batches, &found(&[("k", value("1"))]));
    assert!(verdicts[0].is_ok() && verdicts[2].is_ok());
    let refusal = Refusal { check: 0, key: "k".into() };
    assert_eq!(verdicts[1], Err(NotAdmitted::Refused(refusal)));
    assert_eq!(plan.upserts, [("k".into(), "4".into())]);
    assert!(plan.inserts.is_empty() && plan.deletes.is_empty());
}

#[test]
fn a_key_that_must_stay_absent_is_locked_by_a_row_that_does_not_stay() {
    let batches = [Batch::new().check_absent("gone").put("a", "1").delete("never")];
    let rows = found(&[("gone", Row::Absent), ("never", Row::Absent)]);
    let (verdicts, plan) = evaluate(&batches, &rows);
    assert_eq!(verdicts, [Ok(())]);
    assert_eq!(plan.inserts, [("gone".into(), "".into()), ("never".into(), "".into())]);
    assert_eq!(plan.deletes, [Bytes::from("gone"), Bytes::from("never")]);
    assert_eq!(plan.upserts, [("a".into(), "1".into())]);
}

#[test]
fn a_key_that_is_created_and_deleted_in_one_group_stays_locked() {
    let batches = [
        Batch::new().check_absent("k").put("k", "1"),
        Batch::new().check_equals("k", "1").delete("k"),
    ];
    let (verdicts, plan) = evaluate(&batches, &found(&[("k", Row::Absent)]));
    assert_eq!(verdicts, [Ok(()), Ok(())]);
    assert_eq!(plan.inserts, [("k".into(), "".into())]);
    assert_eq!(plan.deletes, [Bytes::from("k")]);
}

#[test]
fn a_refused_batch_writes_and_locks_nothing() {
    let batches = [Batch::new().check_absent("gone").check_equals("k", "2").put("k", "3")];
    let rows = found(&[("gone", Row::Absent), ("k", value("1"))]);
    let (verdicts, plan) = evaluate(&batches, &rows);
    assert_eq!(verdicts[0], Err(NotAdmitted::Refused(Refusal { check: 1, key: "k".into() })));
    assert!(plan.is_empty());
}

#[test]
fn damage_fails_the_batch_that_looks_at_it_alone() {
    let batches = [Batch::new().check_equals("bad", "1").put("a", "1"), Batch::new().put("b", "1")];
    let (verdicts, plan) = evaluate(&batches, &found(&[("bad", Row::Damaged)]));
    assert!(matches!(verdicts[0], Err(NotAdmitted::Corrupt(_))) && verdicts[1].is_ok());
    assert_eq!(plan.upserts.len(), 1);
}
