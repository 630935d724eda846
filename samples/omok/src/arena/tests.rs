use super::*;
use crate::clock::TURN;
use crate::matches::Next;
use crate::messages::Ending;
use crate::rules::{Point, Stone};

const NOW: u64 = 1_000_000;

fn guest(n: u8) -> Guest {
    Guest { session: SessionId([n; 16]), name: format!("player {n}") }
}

fn point(name: &str) -> Point {
    Point::parse(name).unwrap()
}

/// Two players in a match; the one who waited, player 1, has the first seat.
fn pair(arena: &mut Arena) -> MatchId {
    assert_eq!(arena.find_partner(guest(1), NOW), None);
    let paired = arena.find_partner(guest(2), NOW).unwrap();
    assert_eq!(paired.with, guest(1).session);
    paired.id
}

/// Places stones in turn, black first, and returns what the last one told.
fn play(arena: &mut Arena, id: MatchId, moves: &str) -> Vec<Tell> {
    let mut tells = Vec::new();
    for at in moves.split(' ') {
        let game = arena.find(id).unwrap();
        let seats = [Seat::First, Seat::Second];
        let seat =
            seats.into_iter().find(|&seat| game.next(seat, NOW) == Next::Mine(TURN)).unwrap();
        tells = game.place(seat, point(at), NOW).unwrap();
    }
    tells
}

fn ending(tells: &[Tell]) -> (Option<Stone>, How) {
    tells
        .iter()
        .find_map(|tell| match tell {
            Tell::Over(ending) => Some((ending.winner, ending.how)),
            _ => None,
        })
        .unwrap()
}

#[test]
fn the_second_to_look_for_a_partner_finds_the_first() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    let game = arena.find(id).unwrap();
    assert_eq!(game.partner(Seat::First), Some(guest(2).session));
    assert_eq!(game.partner(Seat::Second), Some(guest(1).session));
    let view = game.view(Seat::Second);
    assert_eq!((view.mine, &*view.black, &*view.white), (Stone::White, "player 1", "player 2"));
    // The next one waits again.
    assert_eq!(arena.find_partner(guest(3), NOW), None);
}

#[test]
fn a_private_code_pairs_only_those_who_know_it() {
    let mut arena = Arena::new();
    let code = arena.create_code(guest(1));
    assert_eq!(code.len(), 5);
    assert_eq!(arena.find_partner(guest(2), NOW), None);
    assert_eq!(arena.join_code("", guest(3), NOW), Err(Denial::NoSuchCode));
    let typed = format!(" {} ", code.to_lowercase());
    assert_eq!(arena.join_code(&typed, guest(3), NOW).unwrap().with, guest(1).session);
    assert_eq!(arena.join_code(&code, guest(4), NOW), Err(Denial::NoSuchCode));
}

#[test]
fn codes_in_use_at_once_differ() {
    let mut arena = Arena::new();
    // The same session id again and again is the worst case.
    let codes: std::collections::BTreeSet<_> =
        (0..100).map(|_| arena.create_code(guest(7))).collect();
    assert_eq!(codes.len(), 100);
}

#[test]
fn who_comes_from_another_node_waits_with_the_same_code_if_it_is_free() {
    let (mut here, mut there) = (Arena::new(), Arena::new());
    let code = there.create_code(guest(1));
    assert_eq!(here.keep_code(code.clone(), guest(1)), code);
    assert_eq!(here.join_code(&code, guest(2), NOW).unwrap().with, guest(1).session);
    // Somebody else waits with it here.
    assert_eq!(here.keep_code(code.clone(), guest(3)), code);
    assert_ne!(here.keep_code(code.clone(), guest(1)), code);
    assert_eq!(here.join_code(&code, guest(2), NOW).unwrap().with, guest(3).session);
}

#[test]
fn a_match_of_another_process_is_not_taken_for_one_of_this() {
    let (mut here, mut there) = (Arena::new(), Arena::new());
    let id = pair(&mut there);
    pair(&mut here);
    assert_eq!(here.find(id).unwrap_err(), Denial::NoGame);
    assert_eq!(here.leave(id, Seat::First, How::Moved), None);
}

#[test]
fn nobody_loses_by_a_session_that_is_moved() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    let (told, tells) = arena.leave(id, Seat::First, How::Moved).unwrap();
    assert_eq!(told, guest(2).session);
    assert_eq!(ending(&tells), (None, How::Moved));
    assert_eq!(tells.last(), Some(&Tell::PartnerLeft));
}

#[test]
fn who_stops_waiting_is_not_found() {
    let mut arena = Arena::new();
    assert_eq!(arena.find_partner(guest(1), NOW), None);
    assert_eq!(arena.stop_waiting(guest(1).session), Ok(()));
    assert_eq!(arena.stop_waiting(guest(1).session), Err(Denial::JustPaired));
    assert_eq!(arena.find_partner(guest(2), NOW), None);

    let code = arena.create_code(guest(3));
    assert_eq!(arena.stop_waiting(guest(3).session), Ok(()));
    assert_eq!(arena.join_code(&code, guest(4), NOW), Err(Denial::NoSuchCode));
}

#[test]
fn who_was_just_paired_cannot_stop_waiting() {
    let mut arena = Arena::new();
    pair(&mut arena);
    assert_eq!(arena.stop_waiting(guest(1).session), Err(Denial::JustPaired));
}

#[test]
fn five_in_a_row_ends_the_game() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    let tells = play(&mut arena, id, "a1 a2 b1 b2 c1 c2 d1 d2 e1");
    let row = ["a1", "b1", "c1", "d1", "e1"].map(point).to_vec();
    let over = Ending { winner: Some(Stone::Black), how: How::Five, row };
    let placed = Tell::Placed { number: 9, at: point("e1"), stone: Stone::Black, turn: None };
    assert_eq!(tells, [placed, Tell::Over(over.clone())]);
    let game = arena.find(id).unwrap();
    assert_eq!(game.view(Seat::First).over, Some(over));
    assert_eq!(game.next(Seat::Second, NOW), Next::Nothing);
    assert_eq!(game.place(Seat::Second, point("h8"), NOW), Err(Denial::GameOver));
    assert_eq!(game.resign(Seat::Second), Err(Denial::GameOver));
    assert_eq!(game.time_up(Seat::Second), Err(Denial::GameOver));
}

#[test]
fn a_full_board_is_a_draw() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    // Pairs of columns, shifted on every other row: no row of five in any direction.
    let colour = |at: Point| (at.x() / 2 + at.y()).is_multiple_of(2);
    let mut black: Vec<_> = Point::all().filter(|&at| colour(at)).collect();
    let mut white: Vec<_> = Point::all().filter(|&at| !colour(at)).collect();
    if black.len() < white.len() {
        std::mem::swap(&mut black, &mut white);
    }
    assert_eq!((black.len(), white.len()), (113, 112));
    let game = arena.find(id).unwrap();
    let mut tells = Vec::new();
    for number in 0..225 {
        let (seat, from) = match number % 2 {
            0 => (Seat::First, &black),
            _ => (Seat::Second, &white),
        };
        tells = game.place(seat, from[number / 2], NOW).unwrap();
    }
    assert_eq!(ending(&tells), (None, How::BoardFull));
}

#[test]
fn a_refused_move_changes_nothing() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    play(&mut arena, id, "h8");
    let game = arena.find(id).unwrap();
    let before = game.view(Seat::First);
    assert_eq!(game.place(Seat::First, point("a1"), NOW + 1), Err(Denial::NotYourTurn));
    assert_eq!(game.place(Seat::Second, point("h8"), NOW + 1), Err(Denial::Taken));
    assert_eq!(game.bot_moves(NOW + 1), Err(Denial::NotYourTurn));
    assert_eq!(game.time_up(Seat::First), Err(Denial::NotYourTurn));
    assert_eq!(game.rematch(Seat::First, NOW + 1), Err(Denial::GameGoesOn));
    assert_eq!(game.view(Seat::First), before);
}

#[test]
fn each_move_winds_the_clock_of_the_other() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    let game = arena.find(id).unwrap();
    assert_eq!(game.next(Seat::First, NOW), Next::Mine(TURN));
    assert_eq!(game.next(Seat::Second, NOW), Next::Theirs(TURN));
    game.place(Seat::First, point("h8"), NOW + 5_000).unwrap();
    assert_eq!(game.next(Seat::First, NOW + 5_000), Next::Theirs(TURN));
    assert_eq!(game.next(Seat::Second, NOW + 5_000), Next::Mine(TURN));
}

#[test]
fn a_clock_run_out_and_a_resignation_lose() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    play(&mut arena, id, "h8");
    let tells = arena.find(id).unwrap().time_up(Seat::Second).unwrap();
    assert_eq!(ending(&tells), (Some(Stone::Black), How::Time));

    let id = pair(&mut arena);
    let tells = arena.find(id).unwrap().resign(Seat::First).unwrap();
    assert_eq!(ending(&tells), (Some(Stone::White), How::Resigned));
}

#[test]
fn a_rematch_begins_when_both_ask_with_colours_swapped() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    play(&mut arena, id, "h8");
    let game = arena.find(id).unwrap();
    game.resign(Seat::Second).unwrap();
    assert_eq!(game.rematch(Seat::First, NOW), Ok(false));
    assert_eq!(game.view(Seat::Second).rematch, Some(Stone::Black));
    assert_eq!(game.rematch(Seat::First, NOW), Err(Denial::RematchAsked));
    assert_eq!(game.rematch(Seat::Second, NOW), Ok(true));
    let view = game.view(Seat::First);
    assert_eq!((view.mine, &*view.black), (Stone::White, "player 2"));
    assert!(view.moves.is_empty() && view.over.is_none() && view.rematch.is_none());
    assert_eq!(game.next(Seat::Second, NOW), Next::Mine(TURN));
}

#[test]
fn who_goes_in_the_middle_of_a_game_loses_it() {
    for (how, seat, winner) in
        [(How::Left, Seat::First, Stone::White), (How::Away, Seat::Second, Stone::Black)]
    {
        let mut arena = Arena::new();
        let id = pair(&mut arena);
        let stays = arena.find(id).unwrap().partner(seat).unwrap();
        let (told, tells) = arena.leave(id, seat, how).unwrap();
        assert_eq!(told, stays);
        assert_eq!(ending(&tells), (Some(winner), how));
        assert_eq!(tells.last(), Some(&Tell::PartnerLeft));
        let game = arena.find(id).unwrap();
        assert!(game.view(seat.other()).partner_left);
        assert_eq!(game.rematch(seat.other(), NOW), Err(Denial::PartnerLeft));
    }
}

#[test]
fn a_match_is_gone_when_both_have_left() {
    let mut arena = Arena::new();
    let id = pair(&mut arena);
    arena.leave(id, Seat::First, How::Left);
    assert_eq!(arena.leave(id, Seat::Second, How::Away), None);
    assert_eq!(arena.find(id).unwrap_err(), Denial::NoGame);
    // A leave that comes late finds nothing, and harms nothing.
    assert_eq!(arena.leave(id, Seat::Second, How::Away), None);

    let id = arena.play_bot(guest(1), NOW);
    arena.leave(id, Seat::First, How::Left);
    assert_eq!(arena.find(id).unwrap_err(), Denial::NoGame);
}

#[test]
fn the_bot_answers_a_move_and_takes_every_rematch() {
    let mut arena = Arena::new();
    let id = arena.play_bot(guest(1), NOW);
    let game = arena.find(id).unwrap();
    assert_eq!(game.bot_moves(NOW), Err(Denial::NotYourTurn));
    game.place(Seat::First, point("h8"), NOW).unwrap();
    assert_eq!(game.next(Seat::First, NOW), Next::Bot);
    let tells = game.bot_moves(NOW).unwrap();
    assert!(matches!(tells[..], [Tell::Placed { number: 2, stone: Stone::White, .. }]));
    assert_eq!(game.next(Seat::First, NOW), Next::Mine(TURN));
    game.resign(Seat::First).unwrap();
    assert_eq!(game.rematch(Seat::First, NOW), Ok(true));
    assert_eq!(game.next(Seat::First, NOW), Next::Bot);
}
