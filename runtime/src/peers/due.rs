//! When what is asked of a node expires.

use std::collections::{BTreeSet, VecDeque};

use throughline_link::Instant;

/// Times that were removed and still stand in the line, beside as many that do not, at most: then
/// they are cleared away.
const REMOVED_MIN: usize = 64;

/// The times at which numbers expire. Most are added in order, since most deadlines are as long as
/// each other: those stand in a line, where one that is removed before its time stays until those
/// before it are gone.
#[derive(Debug, Default)]
pub(crate) struct Due {
    line: VecDeque<(Instant, u64)>,
    /// Those that came too late for their place in the line.
    others: BTreeSet<(Instant, u64)>,
}

impl Due {
    pub(crate) fn add(&mut self, at: Instant, number: u64) {
        match self.line.back() {
            Some(last) if *last > (at, number) => {
                self.others.insert((at, number));
            }
            _ => self.line.push_back((at, number)),
        }
    }

    /// Removes one, whose number is not among those that wait any more. `waits` is asked of others
    /// in the line, and `waiting` is how many there are of them.
    pub(crate) fn remove(
        &mut self,
        at: Instant,
        number: u64,
        waiting: usize,
        waits: impl Fn(u64) -> bool,
    ) {
        if !self.others.is_empty() && self.others.remove(&(at, number)) {
            return;
        }
        while let Some(&(_, number)) = self.line.front()
            && !waits(number)
        {
            self.line.pop_front();
        }
        if self.line.len() > 2 * waiting + REMOVED_MIN {
            self.line.retain(|(_, number)| waits(*number));
        }
    }

    /// The first time; of one that was removed, maybe.
    pub(crate) fn first(&self) -> Option<Instant> {
        let line = self.line.front().map(|(at, _)| *at);
        let others = self.others.first().map(|(at, _)| *at);
        [line, others].into_iter().flatten().min()
    }

    /// Takes one whose time has come; one that was removed, maybe.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<u64> {
        let is_due = |due: &&(Instant, u64)| due.0 <= now;
        let (line, others) = (self.line.front(), self.others.first());
        let in_line = match (line.filter(is_due), others.filter(is_due)) {
            (Some(line), Some(others)) => line < others,
            (line, None) => line.is_some(),
            (None, Some(_)) => false,
        };
        let taken = if in_line { self.line.pop_front() } else { None };
        let is_others = !in_line && others.is_some_and(|due| due.0 <= now);
        let taken = taken.or_else(|| self.others.pop_first().filter(|_| is_others));
        taken.map(|(_, number)| number)
    }

    pub(crate) fn clear(&mut self) {
        self.line.clear();
        self.others.clear();
    }
}
