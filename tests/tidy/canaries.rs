//! The rules of planted bugs: none in a default build, and none that is only a name.

use throughline_canary::Canary;

use crate::tree::{File, Tree};

const TABLE: &str = "docs/testing.md";

/// A feature that plants bugs is passed on by the features `canary` alone.
pub(crate) fn turned_on(file: &File) -> Vec<String> {
    if !file.path.ends_with("Cargo.toml") {
        return Vec::new();
    }
    file.find(|line| {
        // Where the crate lies.
        let line = line.replace("\"tests/canary\"", "");
        let plants = ["\"canary\"", "/canary\"", "\"planted\"", "/planted\""];
        let plants = plants.iter().any(|feature| line.contains(feature));
        let passes_on = line.starts_with("canary = [") || line.starts_with("required-features = ");
        (plants && !passes_on).then(|| "plants bugs in a build that has not asked".to_owned())
    })
}

/// Names that nothing in the product asks for.
pub(crate) fn without_a_place(tree: &Tree) -> Vec<String> {
    let product = |file: &&File| file.has_extension(&["rs"]) && !file.path.starts_with("tests/");
    let product: Vec<_> = tree.files.iter().filter(product).collect();
    let is_nowhere = |canary: &&Canary| {
        let asked = format!("canary!({canary:?})");
        !product.iter().any(|file| file.text.contains(&asked))
    };
    Canary::ALL.iter().filter(is_nowhere).map(|canary| format!("{canary} has no place")).collect()
}

/// What the table has too few or too many, or says otherwise. The last column, the seed, is free.
pub(crate) fn not_in_the_table(tree: &Tree) -> Vec<String> {
    let text = tree.find(TABLE).map(|page| page.text.as_str()).unwrap_or_default();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let row =
        |canary: &Canary| format!("| `{canary}` | {} | {} | ", canary.promise(), canary.breaks());
    let known: Vec<_> = Canary::ALL.iter().map(row).collect();
    let missing = known.iter().filter(|row| !rows.iter().any(|line| line.starts_with(*row)));
    let unknown = rows.iter().filter(|line| {
        let name = line.split('`').nth(1).unwrap_or_default();
        !Canary::NAMES.contains(&name)
    });
    let missing = missing.map(|row| format!("{TABLE} has no row {row}"));
    missing.chain(unknown.map(|line| format!("{TABLE} has the row {line}"))).collect()
}
