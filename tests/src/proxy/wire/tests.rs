use std::time::Duration;

use super::super::pipe::HELD_MAX;
use super::*;

const START: Duration = Duration::ZERO;
const WHILE: Duration = Duration::from_secs(60);

fn wire() -> Wire {
    Wire::new(&Faults::none(), 0)
}

/// Writes what may be written at `now`, as one run of pieces.
fn written(wire: &mut Wire, direction: Direction, now: Duration) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while let Some(bytes) = wire.poll_write(direction, now) {
        let piece = bytes.to_vec();
        wire.handle_written(direction, now, piece.len());
        pieces.push(piece);
    }
    pieces
}

fn fired(wire: &mut Wire) -> Vec<Kind> {
    std::iter::from_fn(|| wire.poll_fired()).collect()
}

#[test]
fn without_faults_bytes_pass_at_once_and_ends_are_told() {
    let mut wire = wire();
    assert_eq!(wire.poll_at(), None);
    wire.handle_bytes(Direction::Up, START, b"there");
    wire.handle_bytes(Direction::Down, START, b"back");
    assert_eq!(written(&mut wire, Direction::Up, START), [b"there"]);
    wire.handle_end(Direction::Up);
    assert!(wire.poll_shutdown(Direction::Up));
    assert!(!wire.poll_shutdown(Direction::Up), "the end was told twice");
    wire.handle_end(Direction::Down);
    assert!(!wire.poll_shutdown(Direction::Down), "the end overtook bytes");
    assert_eq!(written(&mut wire, Direction::Down, START), [b"back"]);
    assert_eq!(wire.poll_over(), None);
    assert!(wire.poll_shutdown(Direction::Down));
    assert_eq!(wire.poll_over(), Some(Over::Closed));
    assert_eq!(fired(&mut wire), []);
}

#[test]
fn a_cut_counts_only_while_both_sides_are_open() {
    let mut open = wire();
    open.handle_fault(START, Fault::Cut);
    assert_eq!((open.poll_over(), fired(&mut open)), (Some(Over::Cut), vec![Kind::Cut]));

    let mut ending = wire();
    ending.handle_end(Direction::Up);
    ending.handle_fault(START, Fault::Cut);
    assert_eq!((ending.poll_over(), fired(&mut ending)), (Some(Over::Cut), vec![]));
}

#[test]
fn a_reset_forwards_a_part_of_what_came_for_every_point() {
    for direction in Direction::BOTH {
        for point in [0, 1, 2, 3, 4, 1_000, u32::MAX] {
            let mut wire = wire();
            wire.handle_fault(START, Fault::Reset { point });
            wire.handle_bytes(direction, START, b"1");
            assert_eq!(written(&mut wire, direction, START), [b"1"]);
            assert_eq!(wire.poll_over(), None, "one byte cannot be cut");
            wire.handle_bytes(direction, START, b"frame");
            assert_eq!(wire.space(Direction::Up), 0);
            let pieces = written(&mut wire, direction, START).concat();
            assert!(!pieces.is_empty() && pieces.len() < 5 && b"frame".starts_with(&pieces));
            assert_eq!(wire.poll_over(), Some(Over::Reset));
            assert_eq!(fired(&mut wire), [Kind::Reset]);
        }
    }
}

#[test]
fn a_black_hole_swallows_its_way_and_lets_the_other_pass() {
    for (way, hole, passes) in
        [(Way::Up, Direction::Up, Direction::Down), (Way::Down, Direction::Down, Direction::Up)]
    {
        let mut wire = wire();
        wire.handle_fault(START, Fault::BlackHole(way));
        assert_eq!(fired(&mut wire), [], "nothing was swallowed yet");
        wire.handle_bytes(hole, START, b"gone");
        wire.handle_bytes(hole, START, b"gone, too");
        wire.handle_bytes(passes, START, b"here");
        assert_eq!(fired(&mut wire), [Fault::BlackHole(way).kind()]);
        assert!(written(&mut wire, hole, START).is_empty());
        assert_eq!(written(&mut wire, passes, START), [b"here"]);
        wire.handle_end(hole);
        assert!(!wire.poll_shutdown(hole), "the end came through");
        assert_eq!(wire.poll_over(), None);
        wire.handle_end(passes);
        assert!(wire.poll_shutdown(passes));
        assert_eq!(wire.poll_over(), Some(Over::Closed));
    }
}

#[test]
fn a_black_hole_swallows_what_is_on_its_way_and_resets() {
    let mut wire = wire();
    wire.handle_bytes(Direction::Down, START, b"late");
    wire.handle_fault(START, Fault::BlackHole(Way::Both));
    assert_eq!(fired(&mut wire), [Kind::BlackHole]);
    assert!(written(&mut wire, Direction::Down, START).is_empty());
    wire.handle_gone(Direction::Up);
    assert_eq!(wire.poll_over(), None, "the node was told");
    wire.handle_bytes(Direction::Down, START, b"anyone there?");
    wire.handle_gone(Direction::Down);
    assert_eq!(wire.poll_over(), Some(Over::Closed));
}

#[test]
fn a_black_hole_that_nobody_leaves_is_given_up() {
    let mut wire = wire();
    wire.handle_fault(START, Fault::BlackHole(Way::Both));
    let at = wire.poll_at().unwrap();
    wire.handle_time(at);
    assert_eq!(wire.poll_over(), Some(Over::Cut));
    assert_eq!(fired(&mut wire), []);
}

#[test]
fn nothing_follows_a_black_hole() {
    let mut wire = wire();
    wire.handle_fault(START, Fault::BlackHole(Way::Up));
    wire.handle_fault(START, Fault::Reset { point: 0 });
    wire.handle_faults(START, &Faults::only(0, Kind::Cut));
    wire.handle_bytes(Direction::Down, START, b"whole");
    assert_eq!(written(&mut wire, Direction::Down, START), [b"whole"]);
    wire.handle_time(Duration::from_secs(10));
    assert_eq!(wire.poll_over(), None);
}

#[test]
fn a_delay_is_kept_to_and_nothing_overtakes() {
    let by = Duration::from_millis(30);
    let lasting = Duration::from_millis(10);
    let mut wire = wire();
    wire.handle_fault(START, Fault::Delay { by, lasting });
    wire.handle_bytes(Direction::Up, START, b"first");
    // The delay is over, yet what was delayed still leads.
    wire.handle_bytes(Direction::Up, lasting, b"second");
    assert_eq!(wire.write_at(Direction::Up), Some(by));
    assert!(written(&mut wire, Direction::Up, by - Duration::from_micros(1)).is_empty());
    assert_eq!(written(&mut wire, Direction::Up, by), [&b"first"[..], b"second"]);
    assert_eq!(fired(&mut wire), [Kind::Delay]);
}

#[test]
fn a_throttle_passes_its_bytes_per_second_and_no_more() {
    let mut wire = wire();
    wire.handle_fault(START, Fault::Throttle { bytes_per_s: 1_000, lasting: WHILE });
    wire.handle_bytes(Direction::Up, START, &[7; 10_000]);
    let mut total = 0;
    let mut now = START;
    while let Some(at) = wire.write_at(Direction::Up) {
        now = now.max(at);
        total += written(&mut wire, Direction::Up, now).concat().len();
    }
    assert_eq!(total, 10_000);
    assert!((9_900..=10_000).contains(&now.as_millis()), "took {now:?}");
    assert_eq!(fired(&mut wire), [Kind::Throttle]);
}

#[test]
fn a_throttle_that_never_held_anything_back_has_not_fired() {
    let mut wire = wire();
    wire.handle_fault(START, Fault::Throttle { bytes_per_s: 1_000_000, lasting: WHILE });
    wire.handle_bytes(Direction::Up, START, b"little");
    assert_eq!(written(&mut wire, Direction::Up, START), [b"little"]);
    assert_eq!(fired(&mut wire), []);
}

#[test]
fn a_split_writes_every_byte_by_itself() {
    let mut wire = wire();
    wire.handle_fault(START, Fault::Split { lasting: WHILE });
    wire.handle_bytes(Direction::Down, START, b"abc");
    assert_eq!(written(&mut wire, Direction::Down, START), [b"a", b"b", b"c"]);
    wire.handle_bytes(Direction::Down, WHILE, b"abc");
    assert_eq!(written(&mut wire, Direction::Down, WHILE), [b"abc"]);
    assert_eq!(fired(&mut wire), [Kind::Split]);
}

#[test]
fn held_bytes_are_bounded() {
    let mut wire = wire();
    let mut came = 0;
    while wire.space(Direction::Up) >= 100 {
        wire.handle_bytes(Direction::Up, START, &[1; 100]);
        came += 100;
        assert!(came <= HELD_MAX);
    }
    assert_eq!(written(&mut wire, Direction::Up, START).concat().len(), came);
    assert_eq!(wire.space(Direction::Up), HELD_MAX);
}

#[test]
fn a_reset_of_one_side_resets_the_other() {
    let mut wire = wire();
    wire.handle_gone(Direction::Down);
    assert_eq!(wire.poll_over(), Some(Over::Reset));
    assert_eq!(fired(&mut wire), []);
}
