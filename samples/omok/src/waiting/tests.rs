use super::*;

const NOW: u64 = 1_000_000;

fn guest(n: u8) -> Guest {
    Guest { session: SessionId([n; 16]), name: format!("player {n}") }
}

fn seek(list: &mut WaitingList, n: u8, want: Want) -> Result<Found, Denial> {
    list.seek(guest(n), 1, want, NOW).map(|(found, _)| found)
}

fn waits(code: Option<&str>) -> Result<Found, Denial> {
    Ok(Found::Waits { code: code.map(str::to_owned) })
}

fn code_of(list: &mut WaitingList, n: u8) -> String {
    match seek(list, n, Want::Code(None)) {
        Ok(Found::Waits { code: Some(code) }) => code,
        other => panic!("{other:?}"),
    }
}

fn pairing(found: Result<Found, Denial>) -> Pairing {
    match found {
        Ok(Found::Paired(pairing)) => pairing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_second_to_look_for_a_partner_finds_the_first() {
    let mut list = WaitingList::default();
    assert_eq!(seek(&mut list, 1, Want::Partner), waits(None));
    let (found, other) = list.seek(guest(2), 7, Want::Partner, NOW).unwrap();
    let (own, (session, theirs)) = (pairing(Ok(found)), other.unwrap());
    assert_eq!(session, guest(1).session);
    assert_eq!(
        (own.seat, own.ticket, theirs.seat, theirs.ticket),
        (Seat::Second, 7, Seat::First, 1)
    );
    assert_eq!((&own.id, &own.sitters), (&theirs.id, &theirs.sitters));
    assert_eq!(own.sitters, [Sitter::Player(guest(1)), Sitter::Player(guest(2))]);
    // The next one waits again.
    assert_eq!(seek(&mut list, 3, Want::Partner), waits(None));
}

#[test]
fn what_is_said_twice_with_one_ticket_is_said_once() {
    let mut list = WaitingList::default();
    for _ in 0..3 {
        assert_eq!(seek(&mut list, 1, Want::Partner), waits(None));
    }
    let first = pairing(seek(&mut list, 2, Want::Partner));
    // Either may not have heard of it.
    assert_eq!(pairing(seek(&mut list, 2, Want::Partner)), first);
    let theirs = pairing(seek(&mut list, 1, Want::Partner));
    assert_eq!((theirs.id, theirs.seat), (first.id, Seat::First));
    // With a new ticket it is another wait.
    let (found, _) = list.seek(guest(1), 2, Want::Partner, NOW).unwrap();
    assert_eq!(Ok(found), waits(None));
}

#[test]
fn a_private_code_pairs_only_those_who_know_it() {
    let mut list = WaitingList::default();
    let code = code_of(&mut list, 1);
    assert_eq!(code.len(), 5);
    assert_eq!(seek(&mut list, 2, Want::Partner), waits(None));
    assert_eq!(seek(&mut list, 3, Want::Join(String::new())), Err(Denial::NoSuchCode));
    let typed = format!(" {} ", code.to_lowercase());
    let paired = pairing(seek(&mut list, 3, Want::Join(typed)));
    assert_eq!(paired.sitters, [Sitter::Player(guest(1)), Sitter::Player(guest(3))]);
    assert_eq!(seek(&mut list, 4, Want::Join(code)), Err(Denial::NoSuchCode));
}

#[test]
fn codes_in_use_at_once_differ() {
    let mut list = WaitingList::default();
    // Ids that differ only far from where the codes come from are the worst case.
    let codes: std::collections::BTreeSet<_> = (0..100_u128)
        .map(|n| {
            let far = (n * CODES).to_be_bytes();
            let guest = Guest { session: SessionId(far), name: "ann".into() };
            match list.seek(guest, 1, Want::Code(None), NOW) {
                Ok((Found::Waits { code }, _)) => code.unwrap(),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(codes.len(), 100);
}

#[test]
fn a_list_that_has_forgotten_all_is_there_again_with_the_same_codes() {
    let mut list = WaitingList::default();
    let code = code_of(&mut list, 1);
    let mut next = WaitingList::default();
    let again = Want::Code(Some(code.clone()));
    assert_eq!(seek(&mut next, 1, again.clone()), waits(Some(&code)));
    // Unless somebody has it meanwhile.
    let (found, _) = next.seek(guest(3), 1, again, NOW).unwrap();
    assert!(matches!(found, Found::Waits { code: Some(other) } if other != code));
}

#[test]
fn who_stops_waiting_is_not_found() {
    let mut list = WaitingList::default();
    assert_eq!(seek(&mut list, 1, Want::Partner), waits(None));
    assert_eq!(list.stop(guest(1).session, 1), None);
    assert_eq!(seek(&mut list, 2, Want::Partner), waits(None));

    let code = code_of(&mut list, 3);
    assert_eq!(list.stop(guest(3).session, 1), None);
    assert_eq!(seek(&mut list, 4, Want::Join(code)), Err(Denial::NoSuchCode));
}

#[test]
fn who_was_just_paired_is_told_so_when_it_stops() {
    let mut list = WaitingList::default();
    seek(&mut list, 1, Want::Partner).unwrap();
    let paired = pairing(seek(&mut list, 2, Want::Partner));
    assert_eq!(list.stop(guest(1).session, 1).map(|pairing| pairing.id), Some(paired.id));
    assert_eq!(list.stop(guest(1).session, 2), None, "that is another wait");
}

#[test]
fn who_says_no_more_that_it_waits_is_forgotten() {
    let mut list = WaitingList::default();
    seek(&mut list, 1, Want::Partner).unwrap();
    let later = NOW + LEASE_MS - 1;
    list.seek(guest(1), 1, Want::Partner, later).unwrap();
    let (found, _) = list.seek(guest(2), 1, Want::Partner, later + LEASE_MS).unwrap();
    assert_eq!(Ok(found), waits(None));
}

#[test]
fn p9_a_list_is_never_longer_than_fits_into_a_snapshot() {
    let mut list = WaitingList::default();
    let name = "\u{10348}".repeat(24);
    let guest = |n: u32| {
        let session = SessionId(u128::from(n).to_be_bytes());
        Guest { session, name: name.clone() }
    };
    let players = WAITING_MAX as u32 + 1;
    let full = (0..players).map(|n| list.seek(guest(n), 1, Want::Code(None), NOW)).last();
    assert_eq!(full.unwrap().map(|_| ()), Err(Denial::LobbyFull));
    for n in 0..2 * PAIRED_MAX as u32 {
        list.stop(guest(n % players).session, 1);
        list.seek(guest(n + players), 1, Want::Partner, NOW).unwrap();
    }
    assert_eq!(list.paired.len(), PAIRED_MAX);
    let written = serde_json::to_vec(&list).unwrap();
    assert!(written.len() < 256 * 1024, "{} bytes", written.len());
}
