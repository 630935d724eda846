//! The rules that look at one file.

use crate::tree::File;

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 800;

const SOURCES: &[&str] = &["rs", "js", "mjs", "ts", "css", "html", "toml", "sh", "proto"];

/// Where the clock may be read: the drivers, and what measures or drives from outside. A folder
/// ends with `/`.
pub(crate) const CLOCK_FILES: &[&str] = &[
    "runtime/src/clock.rs",
    "runtime/src/local/",
    "runtime/src/node/running.rs",
    "runtime/src/node/stopping.rs",
    "clients/rust/src/timer.rs",
    "clients/rust/src/test_client.rs",
    "clients/rust/src/handle/task.rs",
    "clients/rust/tests/",
    "queue/src/clock.rs",
    "runtime/store/sled/examples/",
    "runtime/store/hub/examples/",
    "runtime/store/hub/src/hub/connection.rs",
    "runtime/store/hub/src/hub/counters.rs",
    "runtime/store/hub/src/store.rs",
    "runtime/store/hub/tests/",
    "runtime/store/postgres/examples/",
    "runtime/store/postgres/src/driver.rs",
    "runtime/store/postgres/src/member.rs",
    "runtime/store/postgres/src/monitor.rs",
    "runtime/store/postgres/src/queue/tests.rs",
    "runtime/store/postgres/src/store.rs",
    "runtime/store/postgres/src/writer.rs",
    "runtime/store/postgres/tests/patroni/",
    "samples/omok/src/",
    "samples/puzzle/src/",
    "tests/cluster/",
    "tests/load/",
    "tests/sim/",
    "tests/src/",
    "tests/promises/",
];

/// What link and cluster may not know: time, randomness and I/O are their callers'.
const NOT_IN_CORES: &[&str] = &["tokio", "actix", "getrandom", "std::time::Instant", "std::net"];

pub(crate) fn ascii(file: &File) -> Vec<String> {
    let is_script = file.text.starts_with("#!");
    if !file.has_extension(SOURCES) && !is_script {
        return Vec::new();
    }
    file.find(|line| {
        let odd = line.chars().find(|c| !c.is_ascii())?;
        Some(format!("'{odd}' ({}) is not ASCII", odd.escape_unicode()))
    })
}

pub(crate) fn line_length(file: &File) -> Vec<String> {
    if !file.has_extension(&["rs"]) {
        return Vec::new();
    }
    file.find(|line| {
        let columns = line.chars().count();
        (columns > COLUMNS_MAX).then(|| format!("{columns} columns, at most {COLUMNS_MAX}"))
    })
}

pub(crate) fn line_ends(file: &File) -> Vec<String> {
    if !file.has_extension(SOURCES) && !file.has_extension(&["md"]) {
        return Vec::new();
    }
    let mut findings = file.find(|line| {
        let ends_blank = line.ends_with([' ', '\t', '\r']);
        ends_blank.then(|| "blanks at the end of the line".to_owned())
    });
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(format!("{}: no newline at the end", file.path));
    }
    findings
}

pub(crate) fn file_length(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if !file.has_extension(&["rs", "js", "mjs", "ts", "css"]) || lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines, at most {FILE_LINES_MAX}", file.path)]
}

pub(crate) fn unfinished(file: &File) -> Vec<String> {
    // Each in two parts, so that this file does not have them.
    const MARKERS: &[&str] = &[
        concat!("tod", "o!("),
        concat!("unimpl", "emented!("),
        concat!("db", "g!("),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("HA", "CK"),
        concat!("TO", "DO"),
        concat!("#[ig", "nore"),
        concat!("test.", "skip("),
        concat!("test.", "only("),
    ];
    if !file.has_extension(SOURCES) && !file.has_extension(&["md"]) {
        return Vec::new();
    }
    file.find(|line| {
        let marker = MARKERS.iter().find(|marker| line.contains(**marker))?;
        Some(format!("{marker} is left"))
    })
}

pub(crate) fn module_files(file: &File) -> Vec<String> {
    let named_mod = file.path.ends_with("/mod.rs");
    named_mod
        .then(|| format!("{}: use a file named after the module", file.path))
        .into_iter()
        .collect()
}

pub(crate) fn machine_paths(file: &File) -> Vec<String> {
    const PATHS: &[&str] = &[
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    file.find(|line| {
        let path = PATHS.iter().find(|path| line.contains(**path))?;
        Some(format!("{path} is a path of somebody's machine"))
    })
}

pub(crate) fn registries(file: &File) -> Vec<String> {
    let (marker, registry) = match file.path.rsplit('/').next() {
        Some("package-lock.json") => ("\"resolved\": \"", "https://registry.npmjs.org/"),
        Some("Cargo.lock") => {
            ("source = \"", "registry+https://github.com/rust-lang/crates.io-index\"")
        }
        _ => return Vec::new(),
    };
    file.find(|line| {
        let source = line.trim_start().strip_prefix(marker)?;
        (!source.starts_with(registry)).then(|| "not from the public registry".to_owned())
    })
}

pub(crate) fn clock(file: &File) -> Vec<String> {
    const READS: &[&str] = &[concat!("Instant::", "now"), concat!("SystemTime::", "now")];
    let allowed = CLOCK_FILES.iter().any(|path| file.path.starts_with(path));
    if !file.has_extension(&["rs"]) || allowed {
        return Vec::new();
    }
    file.find(|line| {
        let read = READS.iter().find(|read| line.contains(**read))?;
        Some(format!(
            "{read} outside the files listed in tests/tidy/rules.rs: take the time as an argument"
        ))
    })
}

pub(crate) fn sans_io(file: &File) -> Vec<String> {
    let cores = ["runtime/link/", "runtime/cluster/"];
    let Some(path) = cores.iter().find_map(|core| file.path.strip_prefix(core)) else {
        return Vec::new();
    };
    if path != "Cargo.toml" && !(path.starts_with("src/") && path.ends_with(".rs")) {
        return Vec::new();
    }
    // Tests of the crate may use what they like; the crate itself may not.
    let crate_itself = File {
        path: file.path.clone(),
        text: file.text.split("[dev-dependencies]").next().unwrap_or_default().to_owned(),
    };
    crate_itself.find(|line| {
        let code = line.trim_start();
        if code.starts_with("//") {
            return None;
        }
        let word = NOT_IN_CORES.iter().find(|word| code.contains(**word))?;
        Some(format!("{word} in a core, which has no clock, randomness or I/O"))
    })
}

pub(crate) fn forbids_unsafe(file: &File) -> Vec<String> {
    let is_root = file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
    if !is_root || file.text.contains("#![forbid(unsafe_code)]") {
        return Vec::new();
    }
    vec![format!("{}: #![forbid(unsafe_code)] is missing", file.path)]
}
