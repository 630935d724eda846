use proptest::prelude::*;
use throughline_link::SessionId;

use super::*;

pub(crate) fn any_header() -> impl Strategy<Value = Header> {
    let state = prop_oneof![
        Just(State::New),
        Just(State::Parked),
        Just(State::Handed),
        Just(State::Running),
        Just(State::Committed),
        any::<u16>().prop_map(State::Ended),
    ];
    let names = (any::<[u8; 16]>(), "[a-z]{0,64}", proptest::collection::vec(any::<u8>(), 0..512));
    let numbers = any::<[u64; 5]>();
    let owner = proptest::option::of((any::<u32>(), any::<u64>()));
    let key = proptest::option::of("[ -~]{0,256}");
    let rest = (any::<u32>(), any::<u8>(), proptest::option::of(any::<u64>()));
    (names, state, numbers, owner, key, rest).prop_map(
        |(names, state, numbers, owner, key, rest)| {
            let [life, epoch, version, snapshot_version, attempt] = numbers;
            let member = |(node, incarnation)| Member { node: NodeId(node), incarnation };
            let identity = Identity::new(&names.1, &names.2, Secret([7; 32])).unwrap();
            Header {
                id: RecordId::session(SessionId(names.0)),
                identity: Arc::new(identity),
                life,
                state,
                epoch,
                owner: owner.map(member),
                version,
                state_version: rest.0,
                snapshot_version,
                attempt,
                crashes: rest.1,
                key: key.map(|key| SessionKey::new(&key).unwrap()),
                due: rest.2,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_header_reads_back_as_it_was(header in any_header()) {
        prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn a_header_that_was_cut_or_grew_is_damaged(header in any_header(), cut in 0_usize..100) {
        let bytes = header.encode();
        let shorter = &bytes[..bytes.len().saturating_sub(cut + 1)];
        prop_assert!(Header::decode(shorter).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(Header::decode(&longer).is_err());
    }

    #[test]
    fn no_bytes_of_the_store_bring_a_node_down(bytes in any::<Vec<u8>>()) {
        let _ = Header::decode(&bytes);
    }
}

#[test]
fn a_header_of_a_newer_form_is_not_called_damaged() {
    let newer = FormError::Newer { what: "header", found: 2 };
    assert_eq!(Header::decode(&[2, 9, 9]), Err(newer));
}

#[test]
fn names_above_their_limit_are_refused() {
    let secret = || Secret([0; 32]);
    assert!(Identity::new(&"k".repeat(65), b"", secret()).is_err());
    assert!(Identity::new("k", &[0; 513], secret()).is_err());
    assert!(SessionKey::new(&"k".repeat(257)).is_err());
    assert!(RecordId::vactor("match", &[0; 255]).is_err());
}
