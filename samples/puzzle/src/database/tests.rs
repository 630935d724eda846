use super::*;
use crate::rules::Motion;

const DAY: u32 = 20_000;

fn opened() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("puzzle.db"), DAY).unwrap();
    (folder, database)
}

fn moves_written(database: &Database) -> u32 {
    let count = |row: &rusqlite::Row<'_>| row.get(0);
    database.with(|db| db.query_row("SELECT count(*) FROM moves", [], count)).unwrap()
}

/// Makes the next move that moves anything, and returns it.
fn play(database: &Database, player: &str) -> Move {
    let number = database.look(player, DAY).unwrap().0.number + 1;
    let motions = [Motion::Left, Motion::Up, Motion::Right, Motion::Down, Motion::StartOver];
    let moves = motions.map(|motion| Move { day: DAY, number, motion });
    let made = |&asked: &Move| database.play(player, asked).unwrap().is_none();
    moves.into_iter().find(made).unwrap()
}

#[test]
fn a_move_that_is_asked_for_again_changes_nothing() {
    let (folder, database) = opened();
    let moves: Vec<Move> = (0..40).map(|_| play(&database, "ann")).collect();
    let before = database.look("ann", DAY).unwrap();
    assert_eq!(before.0.number, 40);
    // As another node, after a crash.
    let other = Database::open(&folder.path().join("puzzle.db"), DAY).unwrap();
    for &asked in moves.iter().chain(moves.iter().rev()) {
        let another = Move { motion: Motion::StartOver, ..asked };
        assert_eq!(other.play("ann", asked).unwrap(), None);
        assert_eq!(other.play("ann", another).unwrap(), None);
    }
    assert_eq!(other.look("ann", DAY).unwrap(), before);
    let ahead = Move { day: DAY, number: 42, motion: Motion::Left };
    assert_eq!(other.play("ann", ahead).unwrap(), Some(Denial::WrongNumber));
    assert_eq!(database.look("ann", DAY).unwrap(), before);
    // The moves that are written make the board that is written.
    let replayed =
        moves.iter().fold(Game::start(DAY), |game, asked| game.play(DAY, asked.motion).unwrap());
    assert_eq!(replayed, before.0.game);
    assert_eq!(moves_written(&database), 40);
}

#[test]
fn of_one_move_asked_for_by_many_at_once_one_is_made() {
    let (folder, database) = opened();
    for _ in 0..5 {
        play(&database, "ann");
    }
    let motions = [Motion::Left, Motion::Right, Motion::Up, Motion::Down, Motion::StartOver];
    std::thread::scope(|scope| {
        for motion in motions.into_iter().cycle().take(20) {
            let database = Database::open(&folder.path().join("puzzle.db"), DAY).unwrap();
            let asked = Move { day: DAY, number: 6, motion };
            scope.spawn(move || database.play("ann", asked).unwrap());
        }
    });
    assert_eq!(database.look("ann", DAY).unwrap().0.number, 6);
}

#[test]
fn the_ranking_is_by_best_score_then_by_fewer_moves_then_by_name() {
    let (_folder, database) = opened();
    for (player, best, steps) in
        [("eve", 100, 9), ("bob", 200, 9), ("cem", 100, 8), ("ann", 100, 9), ("new", 0, 0)]
    {
        let row = (DAY, player, 1, [0_u8; 16], best, steps, best, steps);
        let insert = "INSERT INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        database.with(|connection| connection.execute(insert, row)).unwrap();
    }
    for (player, rank) in
        [("bob", Some(1)), ("cem", Some(2)), ("ann", Some(3)), ("eve", Some(4)), ("new", None)]
    {
        let (_, standing) = database.look(player, DAY).unwrap();
        assert_eq!((standing.rank, standing.players), (rank, 4), "{player}");
        let names: Vec<&str> = standing.ranking.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["bob", "cem", "ann", "eve"]);
    }
    let (_, tomorrow) = database.look("bob", DAY + 1).unwrap();
    assert_eq!(tomorrow, Standing { ranking: Vec::new(), rank: None, players: 0 });
}

#[test]
fn the_best_of_a_day_stays_when_a_player_starts_over() {
    let (_folder, database) = opened();
    for _ in 0..60 {
        play(&database, "ann");
    }
    let before = database.look("ann", DAY).unwrap().0;
    let over = Move { day: DAY, number: before.number + 1, motion: Motion::StartOver };
    assert_eq!(database.play("ann", over).unwrap(), None);
    let after = database.look("ann", DAY).unwrap().0;
    assert_eq!((after.game, after.best), (Game::start(DAY), before.best));
    assert!(after.best > 0);
}

#[test]
fn moves_are_forgotten_after_a_month_and_results_are_not() {
    let (folder, database) = opened();
    play(&database, "ann");
    let before = database.look("ann", DAY).unwrap();
    let path = folder.path().join("puzzle.db");
    let count = |today| {
        let database = Database::open(&path, today).unwrap();
        assert_eq!(database.look("ann", DAY).unwrap(), before);
        moves_written(&database)
    };
    assert_eq!([DAY + MOVES_KEPT_DAYS, DAY + MOVES_KEPT_DAYS + 1].map(count), [1, 0]);
}
