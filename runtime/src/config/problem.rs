//! What is wrong with a configuration, in words that name the key, its place and the way out.

use std::fmt;

use super::settings::{SECTIONS, SETTINGS};
use super::source::Source;

/// Characters of a found value that a message repeats: enough to recognise it.
const FOUND_CHARS_MAX: usize = 60;

/// Everything that is wrong with a configuration. Whoever wrote it has to mend it; retrying does
/// not help. It prints one problem per line.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// All problems, at least one, from the weakest source to the strongest.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// `Ok` if there are none.
    pub(super) fn of(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A value that its setting does not take.
    #[error("{name} in {source_of}: found {found}, expected {expected}")]
    Value {
        /// `section.key`.
        name: String,
        /// Where it was set.
        source_of: Source,
        /// As written, cut at a readable length.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A section, key, variable or flag that does not exist.
    #[error("{}: unknown {what}{}", place(name, source_of), suggestion(nearest.as_deref()))]
    Unknown {
        /// As written.
        name: String,
        /// Where it was found.
        source_of: Source,
        /// "section", "setting", "variable" or "flag".
        what: &'static str,
        /// The known name that looks most like it.
        nearest: Option<String>,
    },
    /// Two settings that contradict each other.
    #[error("{name} in {source_of}: found {found}, expected {expected}: {reason}")]
    Contradiction {
        /// The setting to change first.
        name: String,
        /// Where it was set.
        source_of: Source,
        /// Its value.
        found: String,
        /// What the other setting asks of it.
        expected: String,
        /// Why.
        reason: &'static str,
    },
    /// The file is not TOML.
    #[error("{path} line {line}: {message}")]
    Syntax {
        /// As given.
        path: String,
        /// From 1.
        line: usize,
        /// From the parser.
        message: String,
    },
    /// The file cannot be read.
    #[error("{path}: {message}; give another with --config, or remove the flag to use defaults")]
    File {
        /// As given.
        path: String,
        /// From the system.
        message: String,
    },
    /// The command line is not understood.
    #[error("command line: {message}; --help lists all flags")]
    Usage {
        /// From the parser.
        message: String,
    },
}

/// The source of a variable or a flag names it already.
fn place(name: &str, source_of: &Source) -> String {
    match source_of {
        Source::Environment { .. } | Source::Flag { .. } => source_of.to_string(),
        _ => format!("{name} in {source_of}"),
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => "; --help lists all settings".to_owned(),
    }
}

/// The value as written, on one line and not too long. Text of a file has its quotes already.
pub(super) fn found(raw: &str) -> String {
    let mut shown: String = raw.chars().take(FOUND_CHARS_MAX).flat_map(printable).collect();
    if raw.chars().nth(FOUND_CHARS_MAX).is_some() {
        shown.push_str("..");
    }
    shown
}

/// The same for text without quotes of its own.
pub(super) fn found_text(raw: &str) -> String {
    format!("\"{}\"", found(raw))
}

/// Control characters must not reach a terminal.
fn printable(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = (!c.is_control()).then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

/// The known `section.key` that looks most like this one, if one looks like it at all. The right
/// key in the wrong section counts as near.
pub(super) fn nearest_setting(name: &str) -> Option<String> {
    let same_key = |known: &String| {
        let key = |name: &str| name.rsplit_once('.').map(|(_, key)| key.to_owned());
        key(known) == key(name)
    };
    let known = || SETTINGS.iter().map(|setting| setting.name());
    nearest(name, known()).or_else(|| known().find(same_key))
}

pub(super) fn nearest_section(name: &str) -> Option<String> {
    nearest(name, SECTIONS.iter().map(|section| section.name.to_owned()))
}

/// At most a third of the letters may differ.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let distance = |known: &String| strsim::damerau_levenshtein(name, known);
    known.min_by_key(distance).filter(|near| distance(near) <= near.len().div_ceil(3))
}
