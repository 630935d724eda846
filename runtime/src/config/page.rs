//! Writes what the table says: the printed configuration and the page of the documentation.

use super::settings::{Config, SECTIONS, SETTINGS, Section, Setting};
use super::source::Provenance;

/// The effective configuration as a file that loads again to the same values.
pub(super) fn printed(config: &Config, provenance: &Provenance) -> String {
    let mut text = format!(
        "# The effective configuration of throughline {}.\n\
         # Each value comes from the strongest of: flag, environment, file, game, default.\n",
        env!("CARGO_PKG_VERSION")
    );
    for section in SECTIONS {
        text += &format!("\n{}[{}]\n", commented(section.doc), section.name);
        for setting in settings_of(section) {
            text += &format!(
                "\n{}# Default {}; allowed: {}; from: {}.\n{} = {}\n",
                commented(setting.doc),
                setting.default_value(),
                setting.kind.allowed(),
                provenance.of(&setting.name()),
                setting.key(),
                (setting.read)(config)
            );
        }
    }
    text
}

/// docs/configuration.md.
#[cfg(test)]
pub(super) fn documentation() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let doc: String = section.doc.iter().map(|line| format!("{}\n", line.trim())).collect();
        text += &format!("\n## [{}]\n\n{doc}", section.name);
        for setting in settings_of(section) {
            let doc: String =
                setting.doc.iter().map(|line| format!("  {}\n", line.trim())).collect();
            text += &format!(
                "\n- **`{}`**: default `{}`, allowed: {}\n\n{doc}",
                setting.key(),
                setting.default_value(),
                setting.kind.allowed()
            );
        }
    }
    text
}

#[cfg(test)]
const INTRODUCTION: &str = "\
# Configuration

This page is written from the table of settings in `runtime/src/config/settings.rs`.

Each value comes from the strongest of these:

1. a flag: `--session.turn-deadline 5s`
2. the environment: `THROUGHLINE__SESSION__TURN_DEADLINE=5s`
3. the file: `throughline.toml` in the working directory, or another one named with `--config FILE`

   ```toml
   [session]
   turn-deadline = \"5s\"
   ```
4. the game's own default: `Node::from_args().default(\"session.turn-deadline\", \"5s\")`
5. the default given below

A list is an array in the file, and comma separated elsewhere. Durations have a unit (`20ms`,
`2.5s`, `1m`), sizes may have one (`64KiB`, `1MiB`, `4096`). What does not exist or does not fit is
refused, with its name, its place, what was found and what is expected; all problems are told at
once.

`--print-config` prints the effective configuration as a file, with comments and with the source of
each value. `--help` lists all flags.
";

fn settings_of(section: &Section) -> impl Iterator<Item = &'static Setting> {
    let name = section.name;
    SETTINGS.iter().filter(move |setting| setting.section == name)
}

fn commented(doc: &[&str]) -> String {
    doc.iter().map(|line| format!("# {}\n", line.trim())).collect()
}
