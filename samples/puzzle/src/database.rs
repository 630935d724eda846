//! What lasts: each player's days, in a SQLite file that all nodes of the machine share. All of it
//! blocks, so sessions call it through `Context::blocking`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Result, TransactionBehavior};
use serde::{Deserialize, Serialize};

use crate::messages::{Denial, Move};
use crate::rules::Game;

/// A write waits so long for those of other nodes, which take milliseconds; then it is denied.
const BUSY_TIME: Duration = Duration::from_secs(2);
/// Connections that are kept open: as many as use one processor well.
const CONNECTIONS_KEPT: usize = 8;
/// Players that a ranking shows.
const RANKING_MAX: u32 = 10;
/// Moves of a player in a day: no hand makes so many, and each is a row, for so many days.
const MOVES_MAX: u32 = 20_000;
const MOVES_KEPT_DAYS: u32 = 30;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS progress (day INTEGER, player TEXT, number INTEGER, cells BLOB,
        score INTEGER, steps INTEGER, best INTEGER, best_steps INTEGER, PRIMARY KEY (day, player));
    CREATE INDEX IF NOT EXISTS ranking ON progress (day, best DESC, best_steps, player);
    CREATE TABLE IF NOT EXISTS moves (day INTEGER, player TEXT, number INTEGER, motion TEXT,
        PRIMARY KEY (day, player, number)) WITHOUT ROWID;";

/// How far a player is on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Of the last move, from 1; 0 before the first.
    pub number: u32,
    #[serde(flatten)]
    pub game: Game,
    /// The highest score of the day, and the moves that it took.
    pub best: u32,
    pub best_steps: u32,
}

/// The ranking of a day, and where a player is in it: from 1, none before the first point.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Names and scores.
    pub ranking: Vec<(String, u32)>,
    pub rank: Option<u32>,
    pub players: u32,
}

/// The file, and connections to it that nobody uses just now.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file, or makes it.
    pub fn open(path: &Path, today: u32) -> Result<Self> {
        let database = Self { path: path.to_owned(), idle: Mutex::default() };
        database.with(|db| {
            db.execute_batch(SCHEMA)?;
            db.execute("DELETE FROM moves WHERE day + ?1 < ?2", (MOVES_KEPT_DAYS, today))
        })?;
        Ok(database)
    }

    /// Writes a move, or says why not. Its number decides: the one after the last is made, and one
    /// that is written is not made again. So to ask twice does no harm, by whatever session and
    /// node. The check and the writes are one transaction, on the disk when this returns.
    pub fn play(&self, player: &str, asked: Move) -> Result<Option<Denial>> {
        let Move { day, number, motion } = asked;
        self.with(|db| {
            // Takes the write lock first: nobody writes between the check and the writes.
            let db = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = progress(&db, player, day)?;
            if number <= before.number {
                return Ok(None);
            }
            if number > before.number + 1 || number > MOVES_MAX {
                return Ok(Some(Denial::WrongNumber));
            }
            let Some(game) = before.game.play(day, motion) else {
                return Ok(Some(Denial::NothingMoves));
            };
            let better = game.score > before.best;
            let best = if better { game.score } else { before.best };
            let best_steps = if better { game.steps } else { before.best_steps };
            let row = (day, player, number, format!("{motion:?}"));
            db.prepare_cached("INSERT INTO moves VALUES (?, ?, ?, ?)")?.execute(row)?;
            let row = (day, player, number, game.cells, game.score, game.steps, best, best_steps);
            db.prepare_cached("REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?
                .execute(row)?;
            db.commit()?;
            Ok(None)
        })
    }

    /// How far a player is, and the ranking, both at one moment.
    pub fn look(&self, player: &str, day: u32) -> Result<(Progress, Standing)> {
        self.with(|db| {
            let db = db.transaction()?;
            let own = progress(&db, player, day)?;
            let ranking = db
                .prepare_cached(
                    "SELECT player, best FROM progress WHERE day = ?1 AND best > 0
                     ORDER BY best DESC, best_steps, player LIMIT ?2",
                )?
                .query_map([day, RANKING_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_>>()?;
            let (players, before): (_, u32) = db
                .prepare_cached(
                    "SELECT count(*),
                         count(*) FILTER (WHERE (-best, best_steps, player) < (-?2, ?3, ?4))
                     FROM progress WHERE day = ?1 AND best > 0",
                )?
                .query_row((day, own.best, own.best_steps, player), |row| row.try_into())?;
            let rank = (own.best > 0).then_some(before + 1);
            Ok((own, Standing { ranking, rank, players }))
        })
    }

    /// Runs work with a connection that nobody else has meanwhile.
    fn with<R>(&self, work: impl FnOnce(&mut Connection) -> Result<R>) -> Result<R> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let mut connection = kept.map_or_else(|| self.connect(), Ok)?;
        let result = work(&mut connection);
        if idle().len() < CONNECTIONS_KEPT {
            idle().push(connection);
        }
        result
    }

    fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY_TIME)?;
        // Readers and the writer do not wait for each other, whichever process they are in; and
        // what is committed is on the disk.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(connection)
    }
}

fn progress(db: &Connection, player: &str, day: u32) -> Result<Progress> {
    let written = db
        .prepare_cached("SELECT * FROM progress WHERE day = ? AND player = ?")?
        .query_row((day, player), |row| {
            let game = Game { cells: row.get(3)?, score: row.get(4)?, steps: row.get(5)? };
            Ok(Progress { number: row.get(2)?, game, best: row.get(6)?, best_steps: row.get(7)? })
        });
    let first = || Progress { number: 0, game: Game::start(day), best: 0, best_steps: 0 };
    Ok(written.optional()?.unwrap_or_else(first))
}

#[cfg(test)]
mod tests;
