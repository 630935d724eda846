//! The configuration's promises, without the process's own arguments, environment or files.

mod page;
mod problems;
mod sources;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::kind::Kind;
use super::settings::{SETTINGS, Setting};
use super::value::Value;
use super::{Config, ConfigError, ConfigSources, Loaded, Provenance};

/// Sources of a test: a working directory of its own, removed at the end.
struct Desk {
    args: Vec<String>,
    env: Vec<(String, String)>,
    game_defaults: Vec<(&'static str, String)>,
    dir: PathBuf,
}

impl Desk {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("throughline-config-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let args = vec!["/games/omok".to_owned()];
        Self { args, env: Vec::new(), game_defaults: Vec::new(), dir }
    }

    fn file(self, text: &str) -> Self {
        self.named_file("throughline.toml", text)
    }

    fn named_file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.join(name), text).unwrap();
        self
    }

    fn env(mut self, variable: &str, value: &str) -> Self {
        self.env.push((variable.to_owned(), value.to_owned()));
        self
    }

    fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    fn game(mut self, name: &'static str, value: &str) -> Self {
        self.game_defaults.push((name, value.to_owned()));
        self
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let sources = ConfigSources {
            args: self.args.iter().map(OsString::from).collect(),
            env: self.env.clone(),
            game_defaults: &self.game_defaults,
            working_dir: self.dir.clone(),
        };
        sources.load()
    }

    fn node(&self) -> (Config, Provenance) {
        match self.load().unwrap() {
            Loaded::Node { config, provenance } => (*config, provenance),
            Loaded::Answer(text) => panic!("an answer instead of a node: {text}"),
        }
    }

    fn answer(&self) -> String {
        match self.load().unwrap() {
            Loaded::Answer(text) => text,
            Loaded::Node { .. } => panic!("a node instead of an answer"),
        }
    }

    /// The message of each problem.
    fn refused(&self) -> Vec<String> {
        let error = self.load().unwrap_err();
        assert_eq!(error.to_string().lines().count(), error.problems().len());
        error.problems().iter().map(ToString::to_string).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

/// A value other than the default that contradicts no other default, as a user would write it.
fn other_value(setting: &Setting) -> &'static str {
    match (setting.name().as_str(), setting.kind) {
        ("link.retained-messages", _) => "2048",
        ("link.retained-bytes", _) => "8MiB",
        ("link.window-bytes", _) => "65536",
        ("listen.http", _) => "127.0.0.1:0,[::1]:8080",
        ("admin.listen", _) => "[::1]:9999",
        ("cluster.beat", _) => "600ms",
        ("cluster.term", _) => "20s",
        (_, Kind::Count { .. }) => "17",
        (_, Kind::Bytes { .. }) => "100KiB",
        (_, Kind::Time { .. }) => "1s 1us",
        (_, Kind::Switch) => "true",
        (_, Kind::Addresses) => "0.0.0.0:9999",
        (_, Kind::PublicAddresses) => "play.example:7778,wss://play.example/link",
        (_, Kind::PublicAddress) => "wss://play.example/link",
        (_, Kind::Names) => "omok,puzzle \"two\"",
        (_, Kind::Networks) => "10.0.0.0/8,::1",
        (_, Kind::Name) => "europe",
        (_, Kind::Path) => "secrets/one",
        (_, Kind::Store) => "sled:data/node",
        (_, Kind::LogFilter) => "warn,throughline::link=debug",
    }
}

/// Every setting at another value than its default, except where ranges are shorter than a second.
fn others() -> impl Iterator<Item = (&'static Setting, &'static str, Value)> {
    SETTINGS.iter().map(|setting| {
        let text = match other_value(setting) {
            "1s 1us" if setting.kind.parse("1s 1us").is_err() => "999ms",
            text => text,
        };
        let value = setting.kind.parse(text).unwrap();
        assert_ne!(value, setting.default_value(), "{}", setting.name());
        (setting, text, value)
    })
}
