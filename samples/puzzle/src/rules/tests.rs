use super::*;

/// A board of one line, and three free ones.
fn line(tiles: [u8; SIDE]) -> Cells {
    let mut cells = [0; SIDE * SIDE];
    cells[..SIDE].copy_from_slice(&tiles);
    cells
}

fn turned(cells: Cells) -> Cells {
    std::array::from_fn(|at| cells[at % SIDE * SIDE + at / SIDE])
}

#[test]
fn tiles_slide_and_each_merges_once() {
    for (before, after, gain) in [
        ([0, 0, 0, 1], [1, 0, 0, 0], 0),
        ([1, 0, 0, 1], [2, 0, 0, 0], 4),
        ([1, 1, 1, 0], [2, 1, 0, 0], 4),
        ([1, 1, 1, 1], [2, 2, 0, 0], 8),
        ([1, 1, 2, 0], [2, 2, 0, 0], 4),
        ([2, 1, 1, 0], [2, 2, 0, 0], 4),
        ([1, 2, 1, 2], [1, 2, 1, 2], 0),
        ([10, 0, 10, 0], [11, 0, 0, 0], 2048),
    ] {
        let (mut back, mut end) = (before, after);
        back.reverse();
        end.reverse();
        assert_eq!(slide(&line(before), Motion::Left), (line(after), gain), "{before:?}");
        assert_eq!(slide(&line(back), Motion::Right), (line(end), gain), "{back:?}");
        assert_eq!(slide(&turned(line(before)), Motion::Up), (turned(line(after)), gain));
        assert_eq!(slide(&turned(line(back)), Motion::Down), (turned(line(end)), gain));
    }
}

#[test]
fn a_day_is_the_same_for_everybody_and_another_one_is_not() {
    let moves = [Motion::Left, Motion::Up, Motion::Right, Motion::Down].into_iter().cycle();
    let play = |day| {
        let step = |game: Game, motion| game.play(day, motion).unwrap_or(game);
        moves.clone().take(100).fold(Game::start(day), step)
    };
    assert_eq!(play(20_000), play(20_000));
    assert_ne!(play(20_000), play(20_001));
    let days: std::collections::HashSet<Cells> =
        (0..100).map(|day| Game::start(day).cells).collect();
    assert!(days.len() > 60, "{} first boards", days.len());
}

#[test]
fn a_move_adds_a_tile_and_one_that_moves_nothing_is_none() {
    let game = Game { cells: line([1, 1, 0, 0]), score: 8, steps: 3 };
    let next = game.play(7, Motion::Left).unwrap();
    assert_eq!((next.score, next.steps), (12, 4));
    assert_eq!(next.cells.iter().filter(|&&tile| tile > 0).count(), 2);
    assert_eq!(game.play(7, Motion::Up), None);
    assert_eq!(game.play(7, Motion::StartOver), Some(Game::start(7)));
}

#[test]
fn a_game_is_over_when_nothing_moves() {
    let mut cells: Cells = std::array::from_fn(|at| (1 + (at + at / SIDE) % 2) as u8);
    let game = |cells| Game { cells, score: 0, steps: 0 };
    assert!(game(cells).is_over());
    cells[15] = cells[14];
    assert!(!game(cells).is_over());
    assert!(!Game::start(1).is_over());
}
