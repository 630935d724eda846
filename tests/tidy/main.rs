//! Style as a test: what a reviewer would otherwise have to repeat. Each rule is shown to find what
//! it is for before it is trusted with the tree.

mod canaries;
mod docs;
mod rules;
mod tree;

use throughline_canary::Canary;
use tree::{File, Tree};

/// Fails with every finding, one per line.
#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), findings.join("\n"));
}

#[track_caller]
fn assert_obeyed(rule: fn(&File) -> Vec<String>) {
    let tree = Tree::of_project();
    assert_none(&tree.files.iter().flat_map(rule).collect::<Vec<_>>());
}

/// The rule has a finding in this text, and none in that.
#[track_caller]
fn assert_tells_apart(rule: fn(&File) -> Vec<String>, path: &str, bad: &str, good: &str) {
    assert!(!rule(&File::new(path, bad)).is_empty(), "passed: {bad}");
    assert_none(&rule(&File::new(path, good)));
}

#[test]
fn the_tree_is_seen() {
    let tree = Tree::of_project();
    assert!(tree.find("Cargo.toml").is_some() && tree.find("docs/protocol.md").is_some());
    assert!(tree.files.iter().all(|file| !file.path.starts_with("target/")));
}

#[test]
fn sources_are_ascii() {
    assert_tells_apart(rules::ascii, "a.rs", "// caf\u{e9}\n", "// cafe\n");
    assert_obeyed(rules::ascii);
}

#[test]
fn lines_have_at_most_100_columns() {
    let (long, short) = ("x".repeat(101), "x".repeat(100));
    assert_tells_apart(rules::line_length, "a.rs", &long, &short);
    assert_obeyed(rules::line_length);
}

#[test]
fn lines_end_cleanly() {
    assert_tells_apart(rules::line_ends, "a.md", "text \n", "text\n");
    assert_tells_apart(rules::line_ends, "a.md", "text", "text\n");
    assert_obeyed(rules::line_ends);
}

#[test]
fn files_have_at_most_800_lines() {
    let (long, short) = ("x\n".repeat(801), "x\n".repeat(800));
    assert_tells_apart(rules::file_length, "a.rs", &long, &short);
    assert_obeyed(rules::file_length);
}

#[test]
fn nothing_is_left_unfinished() {
    for bad in [concat!("tod", "o!()"), concat!("// FIX", "ME later"), concat!("db", "g!(x)")] {
        assert_tells_apart(rules::unfinished, "a.rs", bad, "// done\n");
    }
    assert_obeyed(rules::unfinished);
}

#[test]
fn modules_are_named_for_what_they_hold() {
    let named = |path: &str| rules::module_files(&File::new(path, ""));
    assert!(!named("runtime/src/node/mod.rs").is_empty());
    assert_none(&named("runtime/src/node.rs"));
    assert_obeyed(rules::module_files);
}

#[test]
fn nothing_names_the_machine_it_was_made_on() {
    let path = concat!("see /ho", "me/ann/game");
    assert_tells_apart(rules::machine_paths, "a.md", path, "see docs\n");
    assert_obeyed(rules::machine_paths);
}

#[test]
fn lock_files_name_the_public_registries_only() {
    let npm = |host: &str| format!("\"resolved\": \"https://{host}/a/-/a-1.0.0.tgz\",\n");
    let (bad, good) = (npm("registry.example"), npm(concat!("registry.", "npmjs.org")));
    assert_tells_apart(rules::registries, "clients/web/package-lock.json", &bad, &good);
    let cargo = |host: &str| format!("source = \"registry+https://{host}\"\n");
    let (bad, good) = (cargo("example"), cargo("github.com/rust-lang/crates.io-index"));
    assert_tells_apart(rules::registries, "Cargo.lock", &bad, &good);
    assert_obeyed(rules::registries);
}

#[test]
fn the_clock_is_read_by_drivers_only() {
    let bad = concat!("let now = Instant::", "now();\n");
    assert_tells_apart(rules::clock, "runtime/src/session.rs", bad, "let now = clock.now();\n");
    assert_none(&rules::clock(&File::new("runtime/src/clock.rs", bad)));
    assert_obeyed(rules::clock);
}

#[test]
fn every_file_that_may_read_the_clock_exists() {
    let tree = Tree::of_project();
    let gone = |path: &&&str| !tree.files.iter().any(|file| file.path.starts_with(**path));
    assert_none(
        &rules::CLOCK_FILES.iter().filter(gone).map(ToString::to_string).collect::<Vec<_>>(),
    );
}

#[test]
fn link_and_cluster_have_no_clock_randomness_or_io() {
    for bad in ["use std::net::TcpStream;\n", "use tokio::spawn;\n", "std::time::Instant\n"] {
        assert_tells_apart(rules::sans_io, "runtime/link/src/lib.rs", bad, "use bytes::Bytes;\n");
    }
    let bad = "[dependencies]\ngetrandom.workspace = true\n";
    let good = "[dependencies]\nbytes.workspace = true\n[dev-dependencies]\ntokio = \"1\"\n";
    assert_tells_apart(rules::sans_io, "runtime/link/Cargo.toml", bad, good);
    assert_obeyed(rules::sans_io);
}

#[test]
fn no_manifest_turns_planted_bugs_on() {
    for bad in [
        "default = [\"canary\"]\n",
        "throughline = { workspace = true, features = [\"canary\"] }\n",
        "throughline-canary = { workspace = true, features = [\"planted\"] }\n",
    ] {
        let good = "canary = [\"throughline/canary\"]\nrequired-features = [\"canary\"]\n";
        assert_tells_apart(canaries::turned_on, "queue/Cargo.toml", bad, good);
    }
    assert_obeyed(canaries::turned_on);
}

#[test]
fn no_bug_can_be_planted_in_a_build_of_the_workspace() {
    const { assert!(!throughline_canary::IS_PLANTED, "built with the feature `canary`") }
}

#[test]
fn every_planted_bug_has_a_place_and_a_row_in_the_table() {
    assert_none(&canaries::without_a_place(&Tree::of_project()));
    assert_none(&canaries::not_in_the_table(&Tree::of_project()));
    let none = Tree::new(vec![File::new("docs/testing.md", "| `no-such` | P1 | x | |\n")]);
    assert_eq!(canaries::without_a_place(&none).len(), Canary::ALL.len());
    assert_eq!(canaries::not_in_the_table(&none).len(), Canary::ALL.len() + 1);
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let forbids = "#![forbid(unsafe_code)]\n";
    assert_tells_apart(rules::forbids_unsafe, "queue/src/lib.rs", "//! A queue.\n", forbids);
    assert_obeyed(rules::forbids_unsafe);
}

#[test]
fn every_relative_link_of_the_docs_leads_somewhere() {
    let page = File::new("docs/a.md", "# One two\n\n[up](../b.md) [here](#one-two) `[no](x)`\n");
    let upper = File::new("b.md", "[down](docs/a.md#one-two) [out](https://example.com)\n");
    assert_none(&docs::links(&Tree::new(vec![page.clone(), upper])));
    for bad in ["[gone](gone.md)", "[part](#gone)", "[part](docs/a.md#gone)", "[root](/b.md)"] {
        let tree = Tree::new(vec![page.clone(), File::new("b.md", bad)]);
        assert_eq!(docs::links(&tree).len(), 1, "{bad}");
    }
    assert_none(&docs::links(&Tree::of_project()));
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let tree = |promise: &str| {
        let code = "#[test]\nfn nothing_is_lost() {}\nfn helper_of_it() {}\n";
        let test = File::new("tests/promises.rs", code);
        Tree::new(vec![File::new("docs/guarantees.md", promise), test])
    };
    assert_none(&docs::promises(&tree("- **P1 exactly once.** Text.\n  `nothing_is_lost`\n")));
    assert_eq!(docs::promises(&tree("- **P1 exactly once.** Text.\n\n- **P2** x\n")).len(), 2);
    assert_eq!(docs::promises(&tree("| P1 | `helper_of_it` |\n")).len(), 1);
    assert_eq!(docs::promises(&tree("No promises.\n")).len(), 1);
    assert_none(&docs::promises(&Tree::of_project()));
}
