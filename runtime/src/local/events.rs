//! What has happened, one line each.

use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use crate::clock::wall_ms;

/// Lines kept: more than a terminal shows.
const EVENTS_MAX: usize = 200;

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Event {
    /// UTC, as in the logs: `12:04:31`.
    pub(super) time: String,
    /// A process, or empty.
    pub(super) who: String,
    pub(super) text: String,
}

/// The last events.
#[derive(Debug, Default)]
pub(super) struct Events {
    kept: VecDeque<Event>,
    /// How many there were in all.
    count: usize,
}

impl Events {
    pub(super) fn add(&mut self, who: impl ToString, text: impl Into<String>) {
        if self.kept.len() == EVENTS_MAX {
            self.kept.pop_front();
        }
        let event = Event { time: time_of_day(), who: who.to_string(), text: text.into() };
        self.kept.push_back(event);
        self.count += 1;
    }

    /// The newest, the oldest of them first.
    pub(super) fn last(&self, most: usize) -> impl Iterator<Item = &Event> {
        self.kept.iter().skip(self.kept.len().saturating_sub(most))
    }

    /// Those that `seen` does not count yet; from then on it does.
    pub(super) fn news(&self, seen: &mut usize) -> impl Iterator<Item = &Event> {
        let new = self.count - std::mem::replace(seen, self.count);
        self.last(new)
    }
}

impl Event {
    pub(super) fn line(&self) -> String {
        let Self { time, who, text } = self;
        if who.is_empty() { format!("{time}  {text}") } else { format!("{time}  {who}  {text}") }
    }
}

/// Now, in UTC, to the second, with the day: `2026-03-01T12:04:31Z`.
pub(super) fn now() -> String {
    let now = UNIX_EPOCH + Duration::from_millis(wall_ms());
    humantime::format_rfc3339_seconds(now).to_string()
}

fn time_of_day() -> String {
    let now = now();
    let time = now.split_once('T').map_or(now.as_str(), |(_, time)| time);
    time.trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_bounded_and_news_are_told_once() {
        let mut events = Events::default();
        let mut seen = 0;
        events.add("", "begun");
        assert_eq!(events.news(&mut seen).count(), 1);
        for number in 0..EVENTS_MAX + 5 {
            events.add("n1", number.to_string());
        }
        let news: Vec<_> = events.news(&mut seen).map(|event| event.text.clone()).collect();
        assert_eq!(news.len(), EVENTS_MAX);
        assert_eq!(news[0], "5");
        assert_eq!(events.news(&mut seen).count(), 0);
        assert!(events.last(1).all(|event| event.line().ends_with("  n1  204")));
    }
}
