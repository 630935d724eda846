//! The rules that compare the documentation with the tree.

use std::collections::BTreeSet;

use crate::tree::{File, Tree};

/// Every relative link of every page leads to a file, and its anchor to a heading.
pub(crate) fn links(tree: &Tree) -> Vec<String> {
    let pages = tree.files.iter().filter(|file| file.has_extension(&["md"]));
    pages.flat_map(|page| links_of(tree, page)).collect()
}

fn links_of(tree: &Tree, page: &File) -> Vec<String> {
    let targets = targets(&page.text);
    let local = targets.iter().filter(|target| !is_external(target));
    let broken = local.filter(|target| !leads_somewhere(tree, page, target));
    broken.map(|target| format!("{}: the link to {target} leads nowhere", page.path)).collect()
}

fn is_external(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

fn leads_somewhere(tree: &Tree, page: &File, target: &str) -> bool {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    if path.starts_with('/') {
        return false;
    }
    let path = if path.is_empty() { page.path.clone() } else { resolve(&page.path, path) };
    if anchor.is_empty() {
        return tree.has(&path);
    }
    tree.find(&path).is_some_and(|page| anchors(&page.text).contains(anchor))
}

/// The targets of `[text](target)`, outside of code.
fn targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(text) {
        // Every second part lies between backquotes; a link's text may be code, so the mark of a
        // link is looked for in the rest, where the text is gone but its brackets are not.
        let plain: String = line.split('`').step_by(2).collect();
        for link in plain.split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            targets.push(target.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    targets
}

/// The lines outside of fenced code.
fn prose(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push(line);
        }
    }
    lines
}

/// The path of a link, from the root.
fn resolve(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            // Above the root there is nothing, and such a path is found nowhere.
            ".." if parts.pop().is_none() => parts.push(".."),
            ".." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors that a page's headings get: lower case, without punctuation, blanks as hyphens.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
    };
    headings.map(anchor).collect()
}

/// Each promise of docs/guarantees.md (a heading, list item or table row that begins with `P` and
/// a number) names, in backquotes, at least one test that exists; and all that look like a test's
/// name are tests.
pub(crate) fn promises(tree: &Tree) -> Vec<String> {
    let Some(page) = tree.find("docs/guarantees.md") else {
        return vec!["docs/guarantees.md is missing".to_owned()];
    };
    let tests = tests(tree);
    let mut promises: Vec<(String, Vec<String>)> = Vec::new();
    for line in page.text.lines() {
        if let Some(promise) = promise_of(line) {
            promises.push((promise, Vec::new()));
        }
        if let Some((_, names)) = promises.last_mut() {
            names.extend(test_names(line));
        }
    }
    let mut findings = Vec::new();
    if promises.is_empty() {
        findings.push("docs/guarantees.md has no promise".to_owned());
    }
    for (promise, names) in promises {
        let unknown: Vec<_> = names.iter().filter(|name| !tests.contains(*name)).collect();
        if names.is_empty() {
            findings.push(format!("docs/guarantees.md: {promise} names no test"));
        }
        findings.extend(
            unknown.iter().map(|name| {
                format!("docs/guarantees.md: {promise} names {name}, which is no test")
            }),
        );
    }
    findings
}

/// `P1` of a line such as `- **P1 exactly once.**`, `## P1` or `| P1 |`.
fn promise_of(line: &str) -> Option<String> {
    let is_item = line.starts_with(['#', '-', '*', '|']);
    let text = line.trim_start_matches(['#', '-', '*', '|', ' ', '[']);
    let digits: String = text.strip_prefix('P')?.chars().take_while(char::is_ascii_digit).collect();
    (is_item && !digits.is_empty()).then(|| format!("P{digits}"))
}

/// What stands in backquotes and looks like a test: words with underscores, perhaps with its path.
fn test_names(line: &str) -> Vec<String> {
    let coded = line.split('`').skip(1).step_by(2);
    let names = coded.filter_map(|code| code.rsplit("::").next()).filter(|name| {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        plain && name.matches('_').count() >= 2
    });
    names.map(str::to_owned).collect()
}

/// The names of all test functions.
fn tests(tree: &Tree) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for file in tree.files.iter().filter(|file| file.has_extension(&["rs"])) {
        let mut attributed = false;
        for line in file.text.lines().map(str::trim) {
            let function = line.trim_start_matches("async ").strip_prefix("fn ");
            if let (true, Some(function)) = (attributed, function) {
                tests.extend(function.split(['(', '<']).next().map(str::to_owned));
            }
            let goes_on = line.starts_with("#[") || line.starts_with("//");
            attributed = is_test_attribute(line) || (attributed && goes_on);
        }
    }
    tests
}

fn is_test_attribute(line: &str) -> bool {
    let name = line.strip_prefix("#[").and_then(|rest| rest.split([']', '(']).next());
    name.is_some_and(|name| name == "test" || name.ends_with("::test"))
}
