//! The configuration file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::FILE_BYTES_MAX;
use super::kind::{Kind, Unfit};
use super::load::Gathered;
use super::problem::{Problem, found, nearest_section, nearest_setting};
use super::settings::{SECTIONS, SETTINGS};
use super::source::Source;
use super::value::Value;

/// Reads the file whole, within its limit.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)? as u64 > FILE_BYTES_MAX {
        let message = format!("longer than {FILE_BYTES_MAX} bytes, so no configuration file");
        return Err(io::Error::other(message));
    }
    Ok(text)
}

/// Adds the file's settings to what is gathered. `path` is the file's name in messages.
pub(super) fn gather(text: &str, path: &str, gathered: &mut Gathered) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let document = Document { text, path };
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        gathered.problems.push(Problem::Syntax {
            path: path.to_owned(),
            line: document.line(offset),
            message: error.message().trim().replace('\n', ", "),
        });
    }
    for (section, content) in table.get_ref() {
        document.gather_section(section, content, gathered);
    }
}

struct Document<'a> {
    text: &'a str,
    path: &'a str,
}

impl Document<'_> {
    fn gather_section(
        &self,
        section: &Spanned<toml::de::DeString<'_>>,
        content: &Spanned<DeValue<'_>>,
        gathered: &mut Gathered,
    ) {
        let name = section.get_ref().as_ref();
        let source_of = self.source(section.span().start);
        let known = SECTIONS.iter().any(|section| section.name == name);
        let Some(table) = content.get_ref().as_table() else {
            gathered.problems.push(if known {
                Problem::Value {
                    name: name.to_owned(),
                    source_of,
                    found: self.raw(content),
                    expected: format!("a section, [{name}]"),
                }
            } else {
                let nearest = SETTINGS.iter().find(|setting| setting.key() == name);
                Problem::Unknown {
                    name: name.to_owned(),
                    source_of,
                    what: "section",
                    nearest: nearest.map(|setting| format!("{} in a section", setting.name())),
                }
            });
            return;
        };
        if !known {
            gathered.problems.push(Problem::Unknown {
                name: format!("[{name}]"),
                source_of,
                what: "section",
                nearest: nearest_section(name).map(|name| format!("[{name}]")),
            });
            return;
        }
        for (key, value) in table {
            self.gather_setting(name, key, value, gathered);
        }
    }

    fn gather_setting(
        &self,
        section: &str,
        key: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        gathered: &mut Gathered,
    ) {
        let name = format!("{section}.{}", key.get_ref());
        let source_of = self.source(key.span().start);
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name() == name) else {
            let nearest = nearest_setting(&name);
            gathered.problems.push(Problem::Unknown { name, source_of, what: "setting", nearest });
            return;
        };
        match from_toml(setting.kind, value.get_ref()) {
            Ok(value) => gathered.set(setting, value, source_of),
            Err(Unfit) => gathered.problems.push(Problem::Value {
                name,
                source_of,
                found: self.raw(value),
                expected: setting.kind.expected(),
            }),
        }
    }

    fn source(&self, offset: usize) -> Source {
        Source::File { path: self.path.to_owned(), line: self.line(offset) }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|&&byte| byte == b'\n').count() + 1
    }

    /// A value as it stands in the file.
    fn raw(&self, value: &Spanned<DeValue<'_>>) -> String {
        found(self.text.get(value.span()).unwrap_or("a value"))
    }
}

fn from_toml(kind: Kind, value: &DeValue<'_>) -> Result<Value, Unfit> {
    match value {
        DeValue::String(text) if kind.takes_string() => kind.parse(text),
        DeValue::Integer(number) if kind.takes_integer() => {
            let number = i64::from_str_radix(number.as_str(), number.radix());
            kind.parse(&number.map_err(|_| Unfit)?.to_string())
        }
        DeValue::Boolean(on) if matches!(kind, Kind::Switch) => kind.parse(&on.to_string()),
        DeValue::Array(entries) if kind.is_list() => {
            let texts = entries.iter().map(|entry| entry.get_ref().as_str());
            kind.parse_list(&texts.collect::<Option<Vec<_>>>().ok_or(Unfit)?)
        }
        _ => Err(Unfit),
    }
}
