//! The examples of docs/protocol.md are the golden vectors of the same names, and its table of
//! close codes is the one of the code: a client is written from the page alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the vectors' own test uses the rest of it")]
#[path = "vectors/files.rs"]
mod files;

use std::collections::BTreeSet;

use throughline_link::{Advice, CloseCode};

use self::files::{field, load};

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// The examples: name and hex digits, without what the page says about them.
fn examples() -> Vec<(&'static str, String)> {
    let blocks = PAGE.split("\n```hex ").skip(1);
    let example = |block: &'static str| {
        let block = &block[..block.find("\n```").unwrap()];
        let (name, rows) = block.split_once('\n').unwrap();
        (name, rows.lines().map(|row| row.split_once("  ").map_or(row, |(hex, _)| hex)).collect())
    };
    blocks.map(example).collect()
}

#[test]
fn every_example_is_the_vector_of_its_name() {
    let vectors = load("frames.json");
    for (name, hex) in examples() {
        let vector = vectors.iter().find(|vector| field(vector, "name") == name);
        let vector = vector.unwrap_or_else(|| panic!("there is no vector {name}"));
        assert_eq!(hex, field(vector, "hex"), "{name}");
    }
}

#[test]
fn every_frame_type_has_an_example() {
    let vectors = load("frames.json");
    let examples = examples();
    let shown: BTreeSet<_> = vectors
        .iter()
        .filter(|vector| examples.iter().any(|(name, _)| field(vector, "name") == *name))
        .map(|vector| field(&vector["frame"], "type"))
        .collect();
    let all: BTreeSet<_> = vectors.iter().map(|vector| field(&vector["frame"], "type")).collect();
    assert_eq!(shown, all);
}

#[test]
fn the_table_of_close_codes_is_that_of_the_code() {
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter(|row| row.starts_with("| ") && row[2..].starts_with(|c: char| c.is_ascii_digit()))
        .map(|row| row.split('|').map(str::trim).collect())
        .filter(|row: &Vec<&str>| row.len() == 7 && row[1].parse::<u16>().is_ok())
        .collect();
    assert_eq!(rows.len(), CloseCode::ALL.len());
    for (row, code) in rows.iter().zip(CloseCode::ALL) {
        assert_eq!(row[1..3], [&code.number().to_string(), code.name()]);
        let does = row[5].split([',', ';']).next().unwrap();
        let advice = match does {
            "ended" | "fails" => Advice::Ended,
            "repairs" => Advice::Resume,
            "tries again" => Advice::Wait,
            "tries those" => Advice::Elsewhere,
            other => panic!("{code}: no client does `{other}`"),
        };
        assert_eq!(code.advice(), advice, "{code}");
    }
}
