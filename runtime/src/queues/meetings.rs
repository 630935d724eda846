//! Whom the actors of a node ask after: what its regular look reads.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use throughline_cluster::RecordId;
use throughline_link::Instant;
use throughline_queue::QueueName;

use super::{Life, Meeting};

/// Meetings that are left to the look, at most: beyond that they are dropped, and the next message
/// is a meeting again.
const LEFT_MAX: usize = 1024;

/// Whom the actors of this node watch, and whom they wrote to without meeting anybody.
#[derive(Debug, Default)]
pub(crate) struct Meetings(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    /// Who watches whom: each actor as many as it may, while it is here.
    watched: BTreeMap<QueueName, Vec<Meeting>>,
    /// Whom each one watches.
    of: HashMap<RecordId, Vec<QueueName>>,
    /// Who was looked at last.
    last: Option<QueueName>,
    left: VecDeque<Left>,
}

/// A meeting that is looked for until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) queue: QueueName,
    pub(crate) meeting: Meeting,
    pub(crate) until: Instant,
}

impl Meetings {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are whom this actor watches from now on, and the lives of them that it knows.
    pub(crate) fn watch(&self, who: &RecordId, peers: Vec<(QueueName, Option<Life>)>) {
        let mut asked = self.lock();
        for queue in asked.of.remove(who).into_iter().flatten() {
            if let Some(watchers) = asked.watched.get_mut(&queue) {
                watchers.retain(|meeting| meeting.who != *who);
                if watchers.is_empty() {
                    asked.watched.remove(&queue);
                }
            }
        }
        if peers.is_empty() {
            return;
        }
        let queues = peers.iter().map(|(queue, _)| queue.clone()).collect();
        asked.of.insert(who.clone(), queues);
        for (queue, was) in peers {
            let meeting = Meeting { who: who.clone(), was };
            asked.watched.entry(queue).or_default().push(meeting);
        }
    }

    /// Nobody was met: the look is to see.
    pub(crate) fn leave(&self, left: Left) {
        let mut asked = self.lock();
        if asked.left.len() < LEFT_MAX {
            asked.left.push_back(left);
        }
    }

    /// All that were left.
    pub(crate) fn take_left(&self) -> VecDeque<Left> {
        std::mem::take(&mut self.lock().left)
    }

    /// The next `most` that are watched, with who watches them; each comes once in a round.
    pub(crate) fn next_watched(&self, most: usize) -> Vec<(QueueName, Vec<Meeting>)> {
        let mut asked = self.lock();
        if asked.watched.is_empty() {
            return Vec::new();
        }
        let last = asked.last.take();
        let after = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let behind = asked.watched.range((after, Bound::Unbounded));
        let before = last.as_ref().map(|last| asked.watched.range(..=last));
        let round = behind.chain(before.into_iter().flatten()).take(most);
        let next: Vec<_> = round.map(|(queue, by)| (queue.clone(), by.clone())).collect();
        asked.last = next.last().map(|(queue, _)| queue.clone());
        next
    }
}

#[cfg(test)]
mod tests {
    use throughline_link::SessionId;

    use super::*;

    fn who(n: u8) -> RecordId {
        RecordId::session(SessionId([n; 16]))
    }

    fn queue(name: &str) -> QueueName {
        QueueName::key(name).unwrap()
    }

    fn next(meetings: &Meetings, most: usize) -> Vec<(String, usize)> {
        let next = meetings.next_watched(most).into_iter();
        let key = |queue: QueueName| queue.session_key().unwrap().to_owned();
        next.map(|(queue, by)| (key(queue), by.len())).collect()
    }

    #[test]
    fn all_who_are_watched_are_looked_at_in_turn() {
        let meetings = Meetings::default();
        assert!(next(&meetings, 2).is_empty());
        let all = ["a", "b", "c"].map(|name| (queue(name), None));
        meetings.watch(&who(1), all.to_vec());
        meetings.watch(&who(2), all[1..].to_vec());
        let is = |list: &[(&str, usize)]| -> Vec<_> {
            list.iter().map(|(name, by)| ((*name).to_owned(), *by)).collect()
        };
        assert_eq!(next(&meetings, 2), is(&[("a", 1), ("b", 2)]));
        assert_eq!(next(&meetings, 2), is(&[("c", 2), ("a", 1)]));
        assert_eq!(next(&meetings, 9), is(&[("b", 2), ("c", 2), ("a", 1)]), "each of them once");
    }

    #[test]
    fn whom_nobody_watches_any_more_is_not_looked_at() {
        let meetings = Meetings::default();
        meetings.watch(&who(1), vec![(queue("a"), None), (queue("b"), None)]);
        meetings.watch(&who(2), vec![(queue("b"), None)]);
        meetings.watch(&who(1), vec![(queue("c"), None)]);
        assert_eq!(next(&meetings, 9), [("b".to_owned(), 1), ("c".to_owned(), 1)]);
        meetings.watch(&who(1), Vec::new());
        meetings.watch(&who(2), Vec::new());
        assert!(next(&meetings, 9).is_empty());
        let asked = meetings.lock();
        assert!(asked.of.is_empty() && asked.watched.is_empty());
    }

    #[test]
    fn p9_no_more_meetings_than_the_limit_are_left_to_the_look() {
        let meetings = Meetings::default();
        let (meeting, until) = (Meeting { who: who(1), was: None }, Instant::ZERO);
        for _ in 0..=LEFT_MAX {
            meetings.leave(Left { queue: queue("a"), meeting: meeting.clone(), until });
        }
        assert_eq!(meetings.take_left().len(), LEFT_MAX);
        assert!(meetings.take_left().is_empty());
    }
}
