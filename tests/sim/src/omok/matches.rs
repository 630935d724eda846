//! What both players tell of their games.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use omok::messages::{Ending, Game};
use omok::rules::Point;

use super::NAMES;
use crate::truth;

/// A game that one of the two never hears the end of, since it was away until the match was closed,
/// or since its session was lost, is told by the other alone: so many are remembered.
const TOLD_MAX: usize = 16;

/// How many stones lay when a turn had this deadline: no two games have such a pair in common.
pub(super) type Turns = BTreeSet<(usize, u64)>;

/// A game as one player saw it.
struct Told {
    by: &'static str,
    turns: Turns,
    moves: Vec<Point>,
    ending: Ending,
}

/// What both players know of their games.
#[derive(Default)]
pub(crate) struct Matches {
    /// Games that one of the two has told so far.
    told: RefCell<VecDeque<Told>>,
    /// When each last saw a stone placed.
    placed: RefCell<BTreeMap<&'static str, Duration>>,
}

impl Matches {
    /// A game that is over: the other player must tell the same.
    pub(super) fn tell(&self, by: &'static str, turns: &Turns, game: &Game, ending: &Ending) {
        let mut told = self.told.borrow_mut();
        let is_it = |other: &Told| other.by != by && !other.turns.is_disjoint(turns);
        let Some(other) = told.iter().position(is_it).and_then(|at| told.remove(at)) else {
            if told.len() == TOLD_MAX {
                told.pop_front();
            }
            let (turns, moves, ending) = (turns.clone(), game.moves.clone(), ending.clone());
            told.push_back(Told { by, turns, moves, ending });
            truth::count(|counts| counts.half_told += 1);
            return;
        };
        truth::count(|counts| {
            counts.games += 1;
            counts.half_told -= 1;
        });
        if (&other.moves, &other.ending) != (&game.moves, ending) {
            truth::fail(format_args!(
                "omok: {:?} and {:?} to one, {:?} and {ending:?} to the other",
                other.moves, other.ending, game.moves
            ));
        }
    }

    /// A player has seen a stone.
    pub(super) fn sees_a_stone(&self, by: &'static str) {
        self.placed.borrow_mut().insert(by, truth::now());
    }

    /// Who has seen no stone placed since.
    pub(crate) fn still_since(&self, since: Duration) -> Option<&'static str> {
        let placed = self.placed.borrow();
        let is_still = |name: &&&str| placed.get(**name).is_none_or(|at| *at < since);
        NAMES.iter().find(is_still).copied()
    }
}
