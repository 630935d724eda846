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
        let first = self.first().filter(|first| *first <= now)?;
        let in_line = self.line.front().is_some_and(|(at, _)| *at == first);
        let taken = if in_line { self.line.pop_front() } else { self.others.pop_first() };
        taken.map(|(_, number)| number)
    }

    pub(crate) fn clear(&mut self) {
        self.line.clear();
        self.others.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn numbers_expire_as_they_would_from_a_sorted_set() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |most: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % most
        };
        let (mut due, mut model) = (Due::default(), BTreeMap::new());
        let mut now = 0;
        for number in 0..20_000 {
            // Mostly as long as each other, some much shorter.
            let lasting = if next(8) == 0 { next(50) } else { 500 };
            let at = Instant::from_micros(now + lasting);
            due.add(at, number);
            model.insert(number, at);
            if next(3) > 0
                && let Some((&number, &at)) = model.iter().nth(next(4) as usize)
            {
                model.remove(&number);
                due.remove(at, number, model.len(), |number| model.contains_key(&number));
            }
            now += next(20);
            let time = Instant::from_micros(now);
            let mut expired = Vec::new();
            while let Some(number) = due.pop(time) {
                expired.extend(model.remove(&number));
            }
            assert!(expired.is_sorted() && expired.iter().all(|at| *at <= time));
            assert!(model.values().all(|at| *at > time), "{number} did not expire");
            let first = due.first();
            assert!(model.values().all(|at| first.is_some_and(|first| first <= *at)));
        }
    }

    #[test]
    fn what_was_removed_takes_no_room_behind_one_that_waits() {
        let mut due = Due::default();
        let at = Instant::from_micros;
        due.add(at(1), 0);
        for number in 1..1_000 {
            due.add(at(number), number);
            due.remove(at(number), number, 1, |other| other == 0);
        }
        assert!(due.line.len() <= 2 + REMOVED_MIN);
        assert_eq!((due.first(), due.pop(at(1))), (Some(at(1)), Some(0)));
    }
}
