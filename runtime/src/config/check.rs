//! What settings ask of each other, and the check of a configuration made by a program.

use std::time::Duration;

use super::kind::is_postgres;
use super::problem::{ConfigError, Problem};
use super::settings::{Config, SETTINGS, Setting};
use super::source::{Provenance, Source};

impl Config {
    /// Checks ranges and contradictions, as loading does: for a configuration whose fields a
    /// program has set.
    ///
    /// # Errors
    /// All problems found; the program has to mend them.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        let mut provenance = Provenance::default();
        for setting in SETTINGS {
            let value = (setting.read)(self);
            if setting.kind.check(&value).is_err() {
                problems.push(Problem::Value {
                    name: setting.name(),
                    source_of: Source::Program,
                    found: value.to_string(),
                    expected: setting.kind.expected(),
                });
            }
            if value != setting.default_value() {
                provenance.set(setting.name(), Source::Program);
            }
        }
        if problems.is_empty() {
            problems = contradictions(self, &provenance);
        }
        ConfigError::of(problems)
    }
}

/// One rule between two settings, the one to change first in front.
struct Rule {
    name: &'static str,
    holds: fn(&Config) -> bool,
    expected: fn(&Config) -> String,
    reason: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        name: "link.retained-messages",
        holds: |config| config.link.retained_messages >= config.link.window_messages,
        expected: |config| {
            format!("at least link.window-messages, {}", config.link.window_messages)
        },
        reason: "a window's messages are all retained until they are acknowledged",
    },
    Rule {
        name: "link.retained-bytes",
        holds: |config| config.link.retained_bytes >= config.link.window_bytes,
        expected: |config| at_least(config, "link.window-bytes"),
        reason: "a window's bytes are all retained until they are acknowledged",
    },
    Rule {
        name: "link.ack-every",
        holds: |config| config.link.ack_every <= config.link.window_messages,
        expected: |config| format!("at most link.window-messages, {}", config.link.window_messages),
        reason: "with a smaller window every acknowledgement would wait for its delay",
    },
    Rule {
        name: "link.ack-timeout",
        holds: |config| config.link.ack_timeout > config.link.ack_delay,
        expected: |config| format!("more than {}", named(config, "link.ack-delay")),
        reason: "acknowledgements are allowed to take the delay",
    },
    Rule {
        name: "listen.link",
        holds: |config| {
            let mut links = config.listen.link.iter().filter(|address| address.port() != 0);
            links.all(|address| !config.listen.http.contains(address))
        },
        expected: |config| format!("none of {}", named(config, "listen.http")),
        reason: "an address has one listener",
    },
    Rule {
        name: "session.bytes-per-second",
        holds: |config| {
            let rate = config.session.bytes_per_second;
            rate == 0 || bucket(rate, config.session.burst) >= u128::from(config.link.max_frame)
        },
        expected: |config| {
            let (burst, frame) = (named(config, "session.burst"), named(config, "link.max-frame"));
            format!("0, or in {burst} at least {frame}")
        },
        reason: "a frame larger than the burst could never be taken",
    },
    Rule {
        name: "session.messages-per-second",
        holds: |config| {
            let rate = config.session.messages_per_second;
            rate == 0 || bucket(rate, config.session.burst) >= 1
        },
        expected: |config| format!("0, or in {} at least 1", named(config, "session.burst")),
        reason: "without one message in the burst none could ever be taken",
    },
    Rule {
        name: "cluster.term",
        holds: |config| config.cluster.term >= config.cluster.beat * 4,
        expected: |config| format!("at least four times {}", named(config, "cluster.beat")),
        reason: "a beat or two that are late must kill nobody",
    },
    Rule {
        name: "cluster.margin",
        holds: |config| config.cluster.margin * 2 < config.cluster.term,
        expected: |config| format!("less than half of {}", named(config, "cluster.term")),
        reason: "a lease must last a while",
    },
    Rule {
        name: "admin.listen",
        holds: |config| config.admin.listen.iter().all(|address| address.ip().is_loopback()),
        expected: |_| "addresses of this machine only, such as 127.0.0.1:7779".to_owned(),
        reason: "the admin listener asks nobody who they are",
    },
    Rule {
        name: "cluster.secret-file",
        holds: |config| {
            let is_shared = config.store.at.starts_with("hub:") || is_postgres(&config.store.at);
            !is_shared || !config.cluster.secret_file.is_empty()
        },
        expected: |config| {
            format!("a file with a secret, because of {}", named(config, "store.at"))
        },
        reason: "the hub and the other nodes let nobody in without it",
    },
];

/// Every rule that does not hold. The ranges hold already.
pub(super) fn contradictions(config: &Config, provenance: &Provenance) -> Vec<Problem> {
    let broken = RULES.iter().filter(|rule| !(rule.holds)(config));
    let problem = |rule: &Rule| Problem::Contradiction {
        name: rule.name.to_owned(),
        source_of: provenance.of(rule.name).clone(),
        found: shown(config, rule.name),
        expected: (rule.expected)(config),
        reason: rule.reason,
    };
    broken.map(problem).collect()
}

/// What a rate allows at once.
fn bucket(per_second: u64, burst: Duration) -> u128 {
    u128::from(per_second) * burst.as_millis() / 1000
}

fn at_least(config: &Config, name: &str) -> String {
    format!("at least {}", named(config, name))
}

/// `link.max-frame, "64KiB"`.
fn named(config: &Config, name: &str) -> String {
    format!("{name} ({})", shown(config, name))
}

fn shown(config: &Config, name: &str) -> String {
    let setting: Option<&Setting> = SETTINGS.iter().find(|setting| setting.name() == name);
    setting.map_or_else(String::new, |setting| (setting.read)(config).to_string())
}
