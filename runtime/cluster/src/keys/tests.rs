use std::collections::BTreeSet;

use throughline_link::SessionId;

use super::*;

fn rows() -> Vec<Row> {
    let ids = [
        RecordId::session(SessionId([0; 16])),
        RecordId::session(SessionId([0xff; 16])),
        RecordId::vactor("ab", b"c").unwrap(),
        RecordId::vactor("a", b"bc").unwrap(),
    ];
    let members = [0, u64::MAX]
        .map(|incarnation| [0, u32::MAX].map(|n| Member { node: NodeId(n), incarnation }))
        .concat();
    let mut rows = vec![Row::Node(NodeId(3)), Row::Key(SessionKey::new("ann").unwrap())];
    rows.push(Row::Foreign(Bytes::from_static(b"q")));
    for id in &ids {
        rows.extend([Row::Header(id.clone()), Row::Snapshot(id.clone())]);
        rows.extend([0, 256, u64::MAX].map(|at| Row::Due(at, id.clone())));
        for member in &members {
            rows.extend([Row::Owned(*member, id.clone()), Row::Request(*member, id.clone())]);
        }
    }
    rows.extend(members.iter().flat_map(|m| [Row::Standing(*m), Row::Beat(*m)]));
    rows
}

#[test]
fn every_row_has_a_key_of_its_own_that_names_it() {
    let rows = rows();
    let keys: BTreeSet<_> = rows.iter().map(Row::key).collect();
    assert_eq!(keys.len(), rows.len());
    for row in rows {
        assert_eq!(row_of(&row.key()), Some(row));
    }
}

#[test]
fn a_range_holds_exactly_its_rows() {
    let within = |range: &Range, row: &Row| range.start <= row.key() && row.key() < range.end;
    for row in rows() {
        assert_eq!(within(&standings(), &row), matches!(row, Row::Standing(_)));
        assert_eq!(within(&beats(), &row), matches!(row, Row::Beat(_)));
        let me = Member { node: NodeId(u32::MAX), incarnation: u64::MAX };
        assert_eq!(within(&owned_by(me), &row), matches!(row, Row::Owned(m, _) if m == me));
        assert_eq!(within(&requests_to(me), &row), matches!(row, Row::Request(m, _) if m == me));
        assert_eq!(within(&due_between(0, 256), &row), matches!(row, Row::Due(at, _) if at <= 256));
    }
}

#[test]
fn a_key_of_somebody_else_is_no_row() {
    for key in [&b""[..], b"h", b"hs123", b"zzz", b"o123", b"d1234567", b"i123"] {
        assert_eq!(row_of(key), None);
    }
}
