//! What the nodes log: shown with `--trace`. That a reminder was set aside is said nowhere else,
//! and is minded in any case.

use env_logger::{Builder, Env, Logger};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::truth;

/// What a VActor says between its name and the number of tries.
const SET_ASIDE: &str = ": a reminder was set aside after ";

/// Listens from now on.
pub(crate) fn listen(is_shown: bool) {
    let shown = is_shown.then(|| {
        let filter = Env::default().default_filter_or("warn");
        Builder::from_env(filter).format_timestamp(None).build()
    });
    let level = shown.as_ref().map_or(LevelFilter::Error, Logger::filter);
    if log::set_boxed_logger(Box::new(Said { shown })).is_ok() {
        log::set_max_level(level.max(LevelFilter::Error));
    }
}

struct Said {
    shown: Option<Logger>,
}

impl Log for Said {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Error || self.shown.as_ref().is_some_and(|s| s.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(shown) = &self.shown {
            shown.log(record);
        }
        if record.level() == Level::Error {
            let text = record.args().to_string();
            if let Some(who) = set_aside(&text) {
                truth::wishes(|wishes| wishes.set_aside(who));
            }
        }
    }

    fn flush(&self) {}
}

/// The kind and key of a VActor whose reminder was set aside.
fn set_aside(text: &str) -> Option<&str> {
    let (who, _) = text.split_once(SET_ASIDE)?;
    who.strip_prefix("VActor ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_reminder_was_set_aside_is_heard() {
        let said = "VActor safe-tally/south: a reminder was set aside after 3 tries; 1 so far";
        assert_eq!(set_aside(said), Some("safe-tally/south"));
        assert_eq!(set_aside("VActor safe-tally/south: a message was set aside"), None);
    }
}
