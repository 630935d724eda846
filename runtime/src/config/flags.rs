//! The command line of a node: `omok node --x 1`. The word `node` may be missing.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::CONFIG_FILE;
use super::load::Gathered;
use super::problem::{Problem, found, nearest};
use super::settings::{SETTINGS, Setting};
use super::source::Source;

pub(super) const CONFIG: &str = "config";
const PRINT_CONFIG: &str = "print-config";
const NODE: &str = "node";

/// What the command line says beside the settings.
#[derive(Debug, Default)]
pub(super) struct CommandLine {
    /// `--config`.
    pub(super) file: Option<String>,
    pub(super) print_config: bool,
    /// The text of `--help` or `--version`, if asked for.
    pub(super) help: Option<String>,
    matches: Option<ArgMatches>,
}

/// Parses the arguments, the program's name first. Unknown flags and the rest that clap refuses
/// become problems.
pub(super) fn parse(args: &[OsString], problems: &mut Vec<Problem>) -> CommandLine {
    let program = args.first().map(program_name).unwrap_or_default();
    let settings = SETTINGS.iter().map(|setting| setting.name());
    let names = settings.chain([CONFIG, PRINT_CONFIG, "help", "version"].map(str::to_owned));
    let known = without_unknown_flags(args, &names.collect::<Vec<_>>(), problems);
    match command(program).try_get_matches_from(known) {
        Ok(matches) => {
            // Values of global arguments are complete in the deepest matches only.
            let matches = match matches.subcommand() {
                Some((_, deeper)) => deeper.clone(),
                None => matches,
            };
            CommandLine {
                file: matches.get_one::<String>(CONFIG).cloned(),
                print_config: matches.get_flag(PRINT_CONFIG),
                help: None,
                matches: Some(matches),
            }
        }
        Err(error) => {
            let text = error.render();
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                return CommandLine { help: Some(text.to_string()), ..CommandLine::default() };
            }
            problems.push(Problem::Usage { message: first_paragraph(&text) });
            CommandLine::default()
        }
    }
}

impl CommandLine {
    /// Adds the flags' settings to what is gathered.
    pub(super) fn gather(&self, gathered: &mut Gathered) {
        let Some(matches) = &self.matches else { return };
        for setting in SETTINGS {
            let name = setting.name();
            let Some(text) = matches.get_one::<String>(&name) else { continue };
            let source_of = Source::Flag { flag: format!("--{name}") };
            gathered.set_text(setting, text, source_of);
        }
    }
}

pub(super) fn program_name(arg: &OsString) -> String {
    let name = std::path::Path::new(arg).file_stem();
    name.map_or_else(|| "throughline".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn command(program: String) -> Command {
    let node = Command::new(NODE).about("Starts a node");
    Command::new(program)
        .version(concat!("throughline ", env!("CARGO_PKG_VERSION")))
        .about("Starts a node that serves this game")
        .after_help(
            "Each setting can also be given in the file (throughline.toml) and in the environment \
             (THROUGHLINE__SECTION__KEY). A flag wins over the environment, that over the file.",
        )
        .next_line_help(true)
        .args_override_self(true)
        .disable_help_subcommand(true)
        .subcommand(node)
        .arg(config_argument().global(true))
        .arg(
            Arg::new(PRINT_CONFIG)
                .long(PRINT_CONFIG)
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Prints the effective configuration as a file with comments, and exits"),
        )
        .args(SETTINGS.iter().map(argument).map(|arg| arg.global(true)))
}

fn config_argument() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .help(format!("The configuration file [default: {CONFIG_FILE}, if it is there]"))
}

/// The flags that name a configuration, for commands that pass them on to nodes.
pub(super) fn configuring() -> impl Iterator<Item = Arg> {
    std::iter::once(config_argument()).chain(SETTINGS.iter().map(argument))
}

fn argument(setting: &Setting) -> Arg {
    let doc: Vec<&str> = setting.doc.iter().map(|line| line.trim()).collect();
    let default = if setting.default.is_empty() { "none" } else { setting.default };
    let allowed = setting.kind.allowed();
    Arg::new(setting.name())
        .long(setting.name())
        .value_name(setting.kind.placeholder())
        .help_heading(format!("[{}]", setting.section))
        .help(format!("{}\n[default: {default}; allowed: {allowed}]", doc.join("\n")))
}

/// Reports every flag that does not exist, where clap would stop at the first, and returns the
/// other arguments. What follows an unknown flag is taken for its value.
pub(super) fn without_unknown_flags(
    args: &[OsString],
    known: &[String],
    problems: &mut Vec<Problem>,
) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut rest = args.iter().peekable();
    while let Some(arg) = rest.next() {
        let text = arg.to_string_lossy();
        let Some(flag) = text.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
            kept.push(arg.clone());
            continue;
        };
        let name = flag.split('=').next().unwrap_or(flag);
        if known.iter().any(|known| known == name) {
            kept.push(arg.clone());
            continue;
        }
        problems.push(Problem::Unknown {
            name: name.to_owned(),
            source_of: Source::Flag { flag: found(&format!("--{name}")) },
            what: "flag",
            nearest: nearest(name, known.iter().cloned()).map(|near| format!("--{near}")),
        });
        let is_value = |next: &&OsString| {
            let next = next.to_string_lossy();
            !next.starts_with('-') && next != NODE
        };
        if !flag.contains('=') {
            rest.next_if(is_value);
        }
    }
    kept
}

/// Of clap's message: what is wrong, without the usage that would hide it.
pub(super) fn first_paragraph(text: &StyledStr) -> String {
    let text = text.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}
