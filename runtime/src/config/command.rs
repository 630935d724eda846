//! Command lines of the other subcommands of a game's binary, refused in the same words.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use super::problem::{ConfigError, Problem, found, nearest};
use super::{flags, settings::SETTINGS};

/// What a command line asks for.
pub(crate) enum Asked {
    /// To print this, on standard output, and to exit with success.
    Answer(String),
    /// To do what the command does, with these flags.
    Do(ArgMatches),
}

/// Reads the flags of a subcommand, `args` being what comes behind its name.
///
/// # Errors
/// Every unknown flag, or the first other thing that is not understood: the user's to mend.
pub(crate) fn ask(command: Command, args: &[OsString]) -> Result<Asked, ConfigError> {
    let flags = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned));
    let known: Vec<_> = flags.chain(["help", "version"].map(str::to_owned)).collect();
    let mut problems = Vec::new();
    let args = flags::without_unknown_flags(args, &known, &mut problems);
    let matches = command.no_binary_name(true).try_get_matches_from(args);
    // All unknown flags together, before what else may be wrong.
    ConfigError::of(problems)?;
    match matches {
        Ok(matches) => Ok(Asked::Do(matches)),
        Err(error) => {
            let text = error.render();
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                return Ok(Asked::Answer(text.to_string()));
            }
            Err(ConfigError::of_usage(&error))
        }
    }
}

impl ConfigError {
    /// What clap says, in our words.
    pub(crate) fn of_usage(error: &clap::Error) -> Self {
        Problem::Usage { message: flags::first_paragraph(&error.render()) }.into()
    }
}

/// The name of the program, from the first argument of its process.
pub(crate) fn program_name(args: &[OsString]) -> String {
    args.first().map_or_else(|| "throughline".to_owned(), flags::program_name)
}

/// The flags that configure a node, but for these settings: for a command that passes them on.
pub(crate) fn configuring(without: &[&str]) -> Vec<clap::Arg> {
    let is_left_out = |arg: &clap::Arg| without.contains(&arg.get_id().as_str());
    flags::configuring().filter(|arg| !is_left_out(arg)).collect()
}

/// The refusal of a word that is no subcommand.
pub(crate) fn unknown_word(word: &str, known: &[&str]) -> ConfigError {
    let near = nearest(word, known.iter().map(|&known| known.to_owned()));
    let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let word = found(word);
    let message = format!("unknown subcommand `{word}`{near}");
    Problem::Usage { message }.into()
}

/// The refusal of a setting's flag that a command sets itself, if one of these is among `args`.
pub(crate) fn refuse_own(
    own: &[&str],
    instead: &str,
    args: &[OsString],
) -> Result<(), ConfigError> {
    let text = |arg: &OsString| arg.to_string_lossy().into_owned();
    let flags = args.iter().map(text).filter_map(|arg| arg.strip_prefix("--").map(str::to_owned));
    let names = flags.map(|flag| flag.split('=').next().unwrap_or_default().to_owned());
    let usage = |name: String| Problem::Usage {
        message: format!("--{name} is each node's own here: {instead}"),
    };
    ConfigError::of(names.filter(|name| own.contains(&name.as_str())).map(usage).collect())
}

/// The flags among these that configure a node, in the form in which they are passed on.
pub(crate) fn passed_on(flags: &ArgMatches) -> Vec<String> {
    let names = SETTINGS.iter().map(super::settings::Setting::name);
    let names = std::iter::once(flags::CONFIG.to_owned()).chain(names);
    let given = names.filter_map(|name| {
        // A setting that the command leaves out is none of its flags.
        let text = flags.try_get_one::<String>(&name).ok().flatten()?;
        Some(format!("--{name}={text}"))
    });
    given.collect()
}
