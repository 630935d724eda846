//! Where a value came from.

use std::collections::BTreeMap;
use std::fmt;

/// Where a value came from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The documented default.
    Default,
    /// The game's own default.
    Game,
    /// The program changed the field of a [`Config`](super::Config).
    Program,
    /// A line of the configuration file.
    File {
        /// As given to `--config`, or `throughline.toml`.
        path: String,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// `THROUGHLINE__SECTION__KEY`.
        variable: String,
    },
    /// A flag of the command line.
    Flag {
        /// With its dashes: `--section.key`.
        flag: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Game => f.write_str("the game's defaults"),
            Self::Program => f.write_str("the program"),
            Self::File { path, line } => write!(f, "{path} line {line}"),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Flag { flag } => write!(f, "flag {flag}"),
        }
    }
}

/// Where each value of a loaded configuration came from.
#[derive(Debug, Clone, Default)]
pub struct Provenance(BTreeMap<String, Source>);

impl Provenance {
    /// The source of `section.key`. What nobody set, and what does not exist, is the default's.
    pub fn of(&self, name: &str) -> &Source {
        self.0.get(name).unwrap_or(&Source::Default)
    }

    /// The settings that are not at their default, in order of name.
    pub fn changed(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.0.iter().map(|(name, source)| (name.as_str(), source))
    }

    pub(super) fn set(&mut self, name: String, source: Source) {
        self.0.insert(name, source);
    }
}
