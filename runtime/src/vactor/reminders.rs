//! The reminders of one VActor: named times, which travel with its state.

use serde::{Deserialize, Serialize};

use super::CatchUp;

/// Reminders of one VActor, at most: a name is a purpose, and there are few.
pub(super) const REMINDERS_MAX: usize = 64;

/// Ticks of one reminder that are caught up one by one, at most: a short period and a long outage
/// must not keep its VActor busy for minutes. At a commit each they take about a second.
const CAUGHT_UP_MAX: u64 = 1_000;

/// One reminder, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reminder {
    name: String,
    /// When it is due next, in milliseconds since 1970 UTC.
    at: u64,
    every: Option<(u64, Missed)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Missed {
    One,
    All,
    Skip,
}

impl From<CatchUp> for Missed {
    fn from(policy: CatchUp) -> Self {
        match policy {
            CatchUp::One => Self::One,
            CatchUp::All => Self::All,
            CatchUp::Skip => Self::Skip,
        }
    }
}

/// A change that a turn has staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Set, or replaced.
    Set { name: String, at: u64, every: Option<(u64, CatchUp)> },
    /// Forgotten.
    Forget(String),
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Reminders(Vec<Reminder>);

impl Reminders {
    /// Whether one of this name can be set.
    pub(super) fn has_room(&self, name: &str) -> bool {
        self.0.len() < REMINDERS_MAX || self.0.iter().any(|own| own.name == name)
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Set { name, at, every } => {
                self.forget(&name);
                let every = every.map(|(ms, policy)| (ms.max(1), policy.into()));
                self.0.push(Reminder { name, at, every });
            }
            Change::Forget(name) => self.forget(&name),
        }
    }

    fn forget(&mut self, name: &str) {
        self.0.retain(|own| own.name != name);
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.iter().map(|own| own.at).min()
    }

    /// The name of the most overdue one, if one is due.
    pub(super) fn due(&self, now: u64) -> Option<&str> {
        let due = self.0.iter().filter(|own| own.at <= now);
        due.min_by_key(|own| own.at).map(|own| own.name.as_str())
    }

    /// The most overdue one, if one is due; it is then set to its next time, or gone.
    pub(super) fn pop(&mut self, now: u64) -> Option<String> {
        loop {
            let due = self.0.iter().enumerate().filter(|(_, own)| own.at <= now);
            let (index, _) = due.min_by_key(|(_, own)| own.at)?;
            let own = &mut self.0[index];
            let Some((every, missed)) = own.every else {
                return Some(self.0.swap_remove(index).name);
            };
            let late = now - own.at;
            let due = late / every + 1;
            let ticks = match missed {
                // The oldest beyond those that are caught up never come.
                Missed::All => (due + 1).saturating_sub(CAUGHT_UP_MAX).max(1),
                Missed::One | Missed::Skip => due,
            };
            own.at = own.at.saturating_add(ticks.saturating_mul(every));
            // Later than a whole period: the tick was missed.
            if missed == Missed::Skip && late >= every {
                continue;
            }
            return Some(own.name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(at: u64, every: u64, policy: CatchUp) -> Reminders {
        let mut reminders = Reminders::default();
        let name = "tick".to_owned();
        reminders.apply(Change::Set { name, at, every: Some((every, policy)) });
        reminders
    }

    fn all(reminders: &mut Reminders, now: u64) -> usize {
        std::iter::from_fn(|| reminders.pop(now)).count()
    }

    #[test]
    fn a_reminder_comes_once_at_its_time_and_not_before() {
        let mut reminders = Reminders::default();
        reminders.apply(Change::Set { name: "turn".into(), at: 100, every: None });
        assert_eq!((reminders.pop(99), reminders.next()), (None, Some(100)));
        assert_eq!(reminders.pop(100).as_deref(), Some("turn"));
        assert_eq!((reminders.pop(1_000), reminders.next()), (None, None));
    }

    #[test]
    fn a_reminder_that_is_set_again_has_its_new_time_only() {
        let mut reminders = Reminders::default();
        reminders.apply(Change::Set { name: "turn".into(), at: 100, every: None });
        reminders.apply(Change::Set { name: "turn".into(), at: 200, every: None });
        assert_eq!(reminders.pop(150), None);
        reminders.apply(Change::Forget("turn".into()));
        assert_eq!(reminders.pop(300), None);
    }

    #[test]
    fn missed_ticks_come_as_one() {
        let mut reminders = every(100, 10, CatchUp::One);
        assert_eq!(all(&mut reminders, 155), 1);
        assert_eq!(reminders.next(), Some(160));
    }

    #[test]
    fn missed_ticks_come_all() {
        let mut reminders = every(100, 10, CatchUp::All);
        assert_eq!(all(&mut reminders, 155), 6);
        assert_eq!(reminders.next(), Some(160));
    }

    #[test]
    fn p9_of_missed_ticks_the_latest_come_up_to_the_limit() {
        for missed in [CAUGHT_UP_MAX - 1, CAUGHT_UP_MAX, CAUGHT_UP_MAX + 1, 36_000, u64::MAX / 10] {
            let mut reminders = every(10, 10, CatchUp::All);
            let come = u64::try_from(all(&mut reminders, missed * 10)).unwrap();
            assert_eq!(come, missed.min(CAUGHT_UP_MAX), "of {missed}");
            assert_eq!(reminders.next(), Some((missed * 10).saturating_add(10)));
        }
    }

    #[test]
    fn missed_ticks_are_skipped() {
        let mut reminders = every(100, 10, CatchUp::Skip);
        assert_eq!(all(&mut reminders, 155), 0);
        assert_eq!(reminders.next(), Some(160));
        assert_eq!(all(&mut reminders, 163), 1, "a little late is not missed");
    }

    #[test]
    fn p9_there_are_no_more_reminders_than_the_limit() {
        let mut reminders = Reminders::default();
        for number in 0..REMINDERS_MAX {
            assert!(reminders.has_room(&number.to_string()));
            reminders.apply(Change::Set { name: number.to_string(), at: 1, every: None });
        }
        assert!(!reminders.has_room("one more"));
        assert!(reminders.has_room("0"), "replacing needs no room");
    }
}
