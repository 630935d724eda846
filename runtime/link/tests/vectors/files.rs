//! Reading the files of `tests/vectors`, and filling in new entries.

use std::{fs, path::PathBuf};

use serde_json::Value;

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(file)
}

/// The entries of a file.
pub(crate) fn load(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(path(file)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A text of an entry.
pub(crate) fn field<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{vector} has no text {name}"))
}

/// The bytes of hex digits.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0, "half a byte in {hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The hex digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Fills in the bytes of entries that have none; one entry per line, as the others are.
pub(crate) fn fill(file: &str, encode: &dyn Fn(&Value) -> String) {
    let text = fs::read_to_string(path(file)).unwrap();
    let lines = text.lines().map(|line| {
        let Some((head, tail)) = line.split_once(r#""hex": """#) else { return line.to_owned() };
        let entry: Value = serde_json::from_str(line.trim().trim_end_matches(',')).unwrap();
        format!("{head}\"hex\": \"{}\"{tail}", encode(&entry["frame"]))
    });
    let filled = lines.collect::<Vec<_>>().join("\n") + "\n";
    if filled != text {
        fs::write(path(file), filled).unwrap();
    }
}
