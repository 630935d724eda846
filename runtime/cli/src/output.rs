//! Lines, tables and JSON on standard output.

use std::fmt::Display;
use std::io::{self, Write as _};

use serde_json::{Value, json};

use crate::error::Error;

/// Blanks between two columns.
const GAP: usize = 3;

/// Prints a line.
pub(crate) fn line(text: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{text}").map_err(Error::Output)
}

/// Prints a document on one line.
pub(crate) fn document(value: &Value) -> Result<(), Error> {
    line(&value.to_string())
}

/// Prints to standard error why something was not done, or as JSON to standard output, too.
pub(crate) fn failure(error: &dyn Display, is_json: bool) {
    if is_json {
        // If nobody reads it, standard error still says it.
        let _ = document(&json!({ "error": error.to_string() }));
    }
    // Nothing can be done about a standard error that is closed.
    let _ = writeln!(io::stderr(), "throughline: {error}");
}

/// A table: a head, and rows of as many cells.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    head: [&'static str; N],
    /// Whether a column holds numbers, which end where their head ends.
    is_number: [bool; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// An empty table. A `#` before the name of a column makes it one of numbers.
    pub(crate) fn new(head: [&'static str; N]) -> Self {
        let is_number = head.map(|name| name.starts_with('#'));
        Self { head: head.map(|name| name.trim_start_matches('#')), is_number, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self) -> Result<(), Error> {
        self.lines().iter().try_for_each(|text| line(text))
    }

    fn lines(&self) -> Vec<String> {
        let length = |text: &str| text.chars().count();
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| length(&row[column]));
            cells.chain([length(self.head[column])]).max().unwrap_or_default()
        });
        let shown = |cells: [&str; N]| {
            let mut text = String::new();
            for (column, cell) in cells.into_iter().enumerate() {
                let pad = " ".repeat(widths[column] - length(cell));
                let (before, after) =
                    if self.is_number[column] { (pad, "".into()) } else { ("".into(), pad) };
                text += &format!("{before}{cell}{after}{}", " ".repeat(GAP));
            }
            text.trim_end().to_owned()
        };
        let rows = self.rows.iter().map(|row| row.each_ref().map(String::as_str));
        [self.head].into_iter().chain(rows).map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads() {
        let mut table = Table::new(["node", "#sessions", "state"]);
        table.row(["n1".into(), "7".into(), "serving".into()]);
        table.row(["n1000".into(), "1234567890".into(), "left".into()]);
        let lines = table.lines();
        assert_eq!(lines[0], "node      sessions   state");
        assert_eq!(lines[1], "n1               7   serving");
        assert_eq!(lines[2], "n1000   1234567890   left");
    }
}
