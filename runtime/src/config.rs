//! The configuration of a node: what may be set, and where it comes from.
//!
//! Each value comes from the strongest of: a flag (`--session.timeout 90s`), the environment
//! (`THROUGHLINE__SESSION__TIMEOUT=90s`), the file (`throughline.toml`), the game's own default,
//! the default. All problems of all sources are reported together; see [`ConfigError`].
//!
//! # Layout
//! `settings` is the table that everything comes from; `kind` parses and judges a `value`; `load`
//! gathers the sources, with `file` and `flags` for two of them; `command` reads the command lines
//! of what is no node; `check` compares settings with
//! each other; `problem` and `source` are what is said about them; `page` writes the printed
//! configuration and the documentation.

mod check;
mod command;
mod file;
mod flags;
mod kind;
mod load;
mod page;
mod problem;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use command::{
    Asked, ask, configuring, passed_on, program_name, refuse_own, unknown_word,
};
pub(crate) use kind::is_postgres;
pub use load::{ConfigSources, Loaded};
pub use problem::{ConfigError, Problem};
pub use settings::{
    AdminSettings, ClusterSettings, Config, DevelopmentSettings, DrainSettings, LimitSettings,
    LinkSettings, ListenSettings, LogSettings, NodeSettings, QueueSettings, SessionSettings,
    StoreSettings, VActorSettings,
};
pub use source::{Provenance, Source};

/// Read from the working directory if it is there and `--config` names no other.
pub const CONFIG_FILE: &str = "throughline.toml";

/// A configuration file is a few KiB; more is a mistaken path. Checked before it is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

const ENVIRONMENT_PREFIX: &str = "THROUGHLINE__";
