//! Gathers the configuration from its sources.

use std::ffi::OsString;
use std::path::PathBuf;

use super::kind::Unfit;
use super::problem::{ConfigError, Problem, found, found_text, nearest, nearest_setting};
use super::settings::{Config, SETTINGS, Setting};
use super::source::{Provenance, Source};
use super::value::Value;
use super::{CONFIG_FILE, ENVIRONMENT_PREFIX, check, file, flags, page};

/// All a configuration is loaded from. The process's own come from
/// [`ConfigSources::of_process`]; a test makes its own.
#[derive(Debug, Clone, Default)]
pub struct ConfigSources<'a> {
    /// The command line, the program's name first.
    pub args: Vec<OsString>,
    /// Environment variables; those of other programs are ignored.
    pub env: Vec<(String, String)>,
    /// The game's own defaults: `("session.timeout", "90s")`, lists with commas.
    pub game_defaults: &'a [(&'static str, String)],
    /// Where `throughline.toml` is looked for and a relative `--config` starts.
    pub working_dir: PathBuf,
}

/// What the sources ask for.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// Start a node.
    Node {
        /// The effective configuration, checked.
        config: Box<Config>,
        /// Where its values came from.
        provenance: Provenance,
    },
    /// Print this on standard output and exit with success: the answer to `--help`, `--version` or
    /// `--print-config`.
    Answer(String),
}

impl<'a> ConfigSources<'a> {
    /// The command line, environment and working directory of this process.
    pub fn of_process(game_defaults: &'a [(&'static str, String)]) -> Self {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        Self {
            args: std::env::args_os().collect(),
            env: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            game_defaults,
            // A working directory that was removed has no file in it either.
            working_dir: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// Loads the configuration: default < game < file < environment < flag.
    ///
    /// # Errors
    /// Every problem of every source. They are the user's to mend, or the game's where they name
    /// its defaults.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut usage = Vec::new();
        let command_line = flags::parse(&self.args, &mut usage);
        if let Some(help) = command_line.help {
            return Ok(Loaded::Answer(help));
        }
        let mut gathered = Gathered::default();
        self.gather_game_defaults(&mut gathered);
        self.gather_file(command_line.file.as_deref(), &mut gathered);
        self.gather_environment(&mut gathered);
        command_line.gather(&mut gathered);
        gathered.problems.append(&mut usage);
        if gathered.problems.is_empty() {
            gathered.problems = check::contradictions(&gathered.config, &gathered.provenance);
        }
        let Gathered { config, provenance, problems } = gathered;
        ConfigError::of(problems)?;
        Ok(if command_line.print_config {
            Loaded::Answer(page::printed(&config, &provenance))
        } else {
            Loaded::Node { config: Box::new(config), provenance }
        })
    }

    fn gather_game_defaults(&self, gathered: &mut Gathered) {
        for (name, text) in self.game_defaults {
            match SETTINGS.iter().find(|setting| setting.name() == *name) {
                Some(setting) => gathered.set_text(setting, text, Source::Game),
                None => gathered.problems.push(Problem::Unknown {
                    name: (*name).to_owned(),
                    source_of: Source::Game,
                    what: "setting",
                    nearest: nearest_setting(name),
                }),
            }
        }
    }

    fn gather_file(&self, named: Option<&str>, gathered: &mut Gathered) {
        let name = named.unwrap_or(CONFIG_FILE);
        match file::read(&self.working_dir.join(name)) {
            Ok(text) => file::gather(&text, name, gathered),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => gathered
                .problems
                .push(Problem::File { path: name.to_owned(), message: error.to_string() }),
        }
    }

    fn gather_environment(&self, gathered: &mut Gathered) {
        for (variable, text) in &self.env {
            if !variable.starts_with(ENVIRONMENT_PREFIX) {
                continue;
            }
            let source_of = Source::Environment { variable: found(variable) };
            match SETTINGS.iter().find(|setting| setting.variable() == *variable) {
                Some(setting) => gathered.set_text(setting, text, source_of),
                None => gathered.problems.push(Problem::Unknown {
                    name: variable.clone(),
                    source_of,
                    what: "variable",
                    nearest: nearest(variable, SETTINGS.iter().map(|known| known.variable())),
                }),
            }
        }
    }
}

/// The configuration so far, as the sources are read from the weakest to the strongest.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) config: Config,
    pub(super) provenance: Provenance,
    pub(super) problems: Vec<Problem>,
}

impl Gathered {
    pub(super) fn set(&mut self, setting: &Setting, value: Value, source_of: Source) {
        (setting.write)(&mut self.config, value);
        self.provenance.set(setting.name(), source_of);
    }

    /// Sets a value given as text, or adds the problem with it.
    pub(super) fn set_text(&mut self, setting: &Setting, text: &str, source_of: Source) {
        match setting.kind.parse(text) {
            Ok(value) => self.set(setting, value, source_of),
            Err(Unfit) => self.problems.push(Problem::Value {
                name: setting.name(),
                source_of,
                found: found_text(text),
                expected: setting.kind.expected(),
            }),
        }
    }
}
