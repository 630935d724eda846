//! Numbered messages, and what became of them.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Missing numbers remembered for each sender, to tell a late one from one that came twice. With
/// more of them missing a late one counts as duplicated: wrong either way.
const MISSING_MAX: usize = 10_000;

/// The number of a message and what follows it: [`Numbered::fill`] makes the rest from the number,
/// so that a message that was cut or mixed with another one is found.
const NUMBER_BYTES: usize = 8;

/// Messages sent and what arrived of them, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Given to the sender.
    pub(crate) sent: u64,
    /// Different ones that were handled.
    pub(crate) delivered: u64,
    /// Handled again.
    pub(crate) duplicated: u64,
    /// Handled after one with a higher number.
    pub(crate) reordered: u64,
    /// Handled with other bytes than those sent.
    pub(crate) corrupted: u64,
}

impl Counts {
    /// Sent, but not handled.
    pub(crate) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.delivered)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
    }
}

/// Checks the numbers of one sender, which count from 1.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Checker {
    highest: u64,
    missing: BTreeSet<u64>,
}

impl Checker {
    /// What the handling of that number adds to the counts.
    pub(crate) fn handle(&mut self, number: u64) -> Counts {
        let mut counts = Counts::default();
        if number > self.highest {
            let room = MISSING_MAX - self.missing.len();
            self.missing.extend((self.highest + 1..number).take(room));
            self.highest = number;
            counts.delivered = 1;
        } else if self.missing.remove(&number) {
            counts.delivered = 1;
            counts.reordered = 1;
        } else {
            counts.duplicated = 1;
        }
        counts
    }

    /// How many numbers below the highest one never came.
    pub(crate) fn gaps(&self) -> u64 {
        u64::try_from(self.missing.len()).unwrap_or(u64::MAX)
    }
}

/// Messages of different lengths that carry a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbered;

impl Numbered {
    /// Lengths differ, so that breaks inside a frame fall on headers and on payloads.
    const LENGTHS: u64 = 200;

    /// The message of that number.
    pub(crate) fn message(number: u64) -> Vec<u8> {
        let mut message = number.to_be_bytes().to_vec();
        message.resize(Self::length(number), Self::fill(number));
        message
    }

    /// The number of that message; `None` if its bytes are not those of any.
    pub(crate) fn number(message: &[u8]) -> Option<u64> {
        let number = u64::from_be_bytes(*message.first_chunk()?);
        let rest = &message[NUMBER_BYTES..];
        let whole = message.len() == Self::length(number);
        (whole && rest.iter().all(|&byte| byte == Self::fill(number))).then_some(number)
    }

    fn length(number: u64) -> usize {
        NUMBER_BYTES + usize::try_from(number % Self::LENGTHS).unwrap_or(0)
    }

    fn fill(number: u64) -> u8 {
        number.to_be_bytes()[NUMBER_BYTES - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(numbers: &[u64]) -> Counts {
        let mut checker = Checker::default();
        let mut counts = Counts::default();
        for &number in numbers {
            counts += checker.handle(number);
        }
        counts
    }

    #[test]
    fn each_wrong_is_told_from_the_others() {
        let fine = all(&[1, 2, 3]);
        assert_eq!(fine, Counts { delivered: 3, ..Counts::default() });
        let twice = all(&[1, 2, 2, 1, 3]);
        assert_eq!(twice, Counts { delivered: 3, duplicated: 2, ..Counts::default() });
        let late = all(&[1, 3, 2]);
        assert_eq!(late, Counts { delivered: 3, reordered: 1, ..Counts::default() });
        let hole = Counts { sent: 3, ..all(&[1, 3]) };
        assert_eq!((hole.lost(), hole.reordered, hole.duplicated), (1, 0, 0));
    }

    #[test]
    fn a_huge_gap_takes_bounded_memory() {
        let mut checker = Checker::default();
        checker.handle(u64::MAX);
        checker.handle(1);
        assert!(checker.missing.len() <= MISSING_MAX);
    }

    #[test]
    fn a_message_that_is_not_whole_has_no_number() {
        for number in [1, 199, 200, 201, u64::MAX] {
            let message = Numbered::message(number);
            assert_eq!(Numbered::number(&message), Some(number));
            let cut = &message[..message.len() - 1];
            assert_eq!(Numbered::number(cut), None);
            let longer = [&message[..], b"x"].concat();
            assert_eq!(Numbered::number(&longer), None);
        }
        let mut mixed = Numbered::message(150);
        mixed[100] ^= 1;
        assert_eq!(Numbered::number(&mixed), None);
    }
}
