//! What the bots count and check together.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::clock::{TURN, Turn};
use crate::messages::{Ending, Game, How};
use crate::rules::{Point, Replayed, Stone, replay};

/// Two nodes' clocks may differ by so much.
const NODES_OFF_MS: u64 = 250;
/// A client's idea of its node's clock may be off by so much: half of a round trip, and machines
/// are busy.
const CLIENT_OFF_MS: u64 = 1_000;
/// The end of a turn may come so late: its player's session may be on its way to another node.
const TOLD_LATE_MS: u64 = 6_000;

/// What the bots have done together. What is wrong must be 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    pub games: u64,
    /// Those of them that ended since a clock ran out, as was meant.
    pub slept: u64,
    pub moves: u64,
    pub repairs: u64,
    /// Matches that went to another node.
    pub match_moves: u64,
    /// What was asked again, since no answer came or nobody could be reached.
    pub again: u64,
    /// Games whose winner is not what their moves say, that the two players saw differently, or in
    /// which a stone is missing, there twice, or not where it was placed.
    pub wrong_games: u64,
    /// Ends of turns that changed, came too early or too late.
    pub wrong_clocks: u64,
    /// Refusals that the rules do not explain.
    pub wrong_refusals: u64,
    /// Matches that were closed under their players: bots play on, so none should be.
    pub lost: u64,
}

impl Score {
    /// Whether nothing is wrong.
    pub fn is_right(&self) -> bool {
        self.wrong_games + self.wrong_clocks + self.wrong_refusals == 0
    }

    pub(super) fn line(&self, after: Duration) -> String {
        let Self { games, moves, repairs, match_moves, lost, .. } = self;
        let rate = *moves as f64 / after.as_secs_f64().max(0.001);
        let wrong = format!("{} games, {} clocks wrong", self.wrong_games, self.wrong_clocks);
        let moved = format!("{repairs} repairs, {match_moves} matches moved, {lost} lost");
        format!("{games} games, {moves} moves ({rate:.0}/s), {moved}; {wrong}")
    }
}

/// A game as one of its players saw it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    moves: Vec<Point>,
    ending: Ending,
}

/// The names of black and white.
type Players = (String, String);

/// What all bots share.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    score: Cell<Score>,
    /// Games that one of the two players, black and white, has told so far.
    told: RefCell<BTreeMap<Players, VecDeque<(Stone, Seen)>>>,
    /// Bots that are in a game.
    playing: Cell<u64>,
    changed: Notify,
}

impl Ledger {
    pub(super) fn score(&self) -> Score {
        self.score.get()
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Score)) {
        let mut score = self.score.get();
        change(&mut score);
        self.score.set(score);
    }

    pub(super) fn playing(&self) -> u64 {
        self.playing.get()
    }

    /// Games that only one of their players saw to the end.
    pub(super) fn half_told(&self) -> u64 {
        self.told.borrow().values().map(|games| games.len() as u64).sum()
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn play(&self, more: bool) {
        let playing = self.playing.get();
        self.playing.set(if more { playing + 1 } else { playing.saturating_sub(1) });
        self.changed.notify_one();
    }

    /// A player tells a game that is over. Each is compared with what the other one tells.
    fn tell(&self, game: &Game, ending: &Ending) {
        let seen = Seen { moves: game.moves.clone(), ending: ending.clone() };
        let players = (game.black.clone(), game.white.clone());
        let mut told = self.told.borrow_mut();
        let waiting = told.entry(players).or_default();
        match waiting.front() {
            Some((by, _)) if *by != game.mine => {
                let theirs = waiting.pop_front();
                self.count(|score| {
                    score.games += 1;
                    score.moves += seen.moves.len() as u64;
                    score.slept += u64::from(seen.ending.how == How::Time);
                    score.wrong_games += u64::from(theirs.is_none_or(|(_, theirs)| theirs != seen));
                });
            }
            _ => waiting.push_back((game.mine, seen)),
        }
    }
}

/// One game, as one bot plays and checks it.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// The stones that this bot has asked for, by their numbers.
    asked: BTreeMap<usize, Point>,
    /// The turn after so many moves.
    turn: Option<(usize, Turn)>,
    is_open: bool,
    /// It lets its clock run out.
    pub(super) sleeps: bool,
}

impl Sheet {
    /// The stone that was asked for with this number, or is from now on.
    pub(super) fn ask(
        &mut self,
        number: usize,
        at: impl FnOnce() -> Option<Point>,
    ) -> Option<Point> {
        if let Some(at) = self.asked.get(&number) {
            return Some(*at);
        }
        let at = at()?;
        self.asked.insert(number, at);
        Some(at)
    }

    /// Looks at the game after something was told.
    pub(super) fn look(&mut self, game: Option<&Game>, now_ms: u64, ledger: &Ledger) {
        let Some(game) = game else { return self.close(ledger) };
        // A game begins: nobody has a rematch before the end of the one before.
        let begins = !self.is_open && game.over.is_none();
        if begins {
            *self = Self { is_open: true, ..Self::default() };
            ledger.play(true);
        }
        if !self.is_open {
            return;
        }
        if let Some(turn) = game.turn {
            self.look_at_clock(game.moves.len(), turn, now_ms, ledger);
        }
        let Some(ending) = &game.over else { return };
        if !self.is_right(game, ending) {
            ledger.count(|score| score.wrong_games += 1);
        }
        if ending.how == How::Time && !self.is_in_time(now_ms) {
            ledger.count(|score| score.wrong_clocks += 1);
        }
        ledger.tell(game, ending);
        self.close(ledger);
    }

    /// The game is over, or was lost.
    fn close(&mut self, ledger: &Ledger) {
        if std::mem::take(&mut self.is_open) {
            ledger.play(false);
        }
    }

    fn look_at_clock(&mut self, moves: usize, turn: Turn, now_ms: u64, ledger: &Ledger) {
        let turn_ms = TURN.as_millis() as u64;
        let is_right = match self.turn {
            // Nothing changes the end of a turn, wherever the match goes.
            Some((number, before)) if number == moves => turn == before,
            // The move came within the turn before.
            Some((number, before)) if number + 1 == moves => {
                let moved_ms = turn.deadline_ms.saturating_sub(turn_ms);
                let began_ms = before.deadline_ms.saturating_sub(turn_ms);
                let from = began_ms.saturating_sub(NODES_OFF_MS);
                (from..=before.deadline_ms + NODES_OFF_MS).contains(&moved_ms)
            }
            _ => true,
        };
        let is_near = turn.deadline_ms <= now_ms + turn_ms + CLIENT_OFF_MS;
        if !(is_right && is_near) {
            ledger.count(|score| score.wrong_clocks += 1);
        }
        self.turn = Some((moves, turn));
    }

    /// Whether the last turn's end has just come.
    fn is_in_time(&self, now_ms: u64) -> bool {
        self.turn.is_some_and(|(_, turn)| {
            let from = turn.deadline_ms.saturating_sub(CLIENT_OFF_MS);
            (from..=turn.deadline_ms + TOLD_LATE_MS).contains(&now_ms)
        })
    }

    /// Whether the moves say who won, and this bot's stones are where it placed them.
    fn is_right(&self, game: &Game, ending: &Ending) -> bool {
        let by_rules = match (replay(&game.moves), ending.how) {
            (Ok(Replayed::Won(stone)), How::Five) => ending.winner == Some(stone),
            (Ok(Replayed::Full), How::BoardFull) => ending.winner.is_none(),
            // Bots do not resign, and who lets its clock run out means to.
            (Ok(Replayed::Open), How::Time) => {
                let loser =
                    if game.moves.len().is_multiple_of(2) { Stone::Black } else { Stone::White };
                let meant = loser != game.mine || self.sleeps;
                meant && ending.winner == Some(loser.other())
            }
            (Ok(Replayed::Open), How::Left | How::Away) => ending.winner == Some(game.mine),
            _ => false,
        };
        let first = usize::from(game.mine == Stone::White);
        let own = (1..).zip(&game.moves).skip(first).step_by(2);
        by_rules && own.eq(self.asked.iter().map(|(number, at)| (*number, at)))
    }
}

#[cfg(test)]
mod tests;
