//! The flags that test runners use, for test executables with a `main` of their own.

use std::process::ExitCode;

/// Lists the tests, or runs those that are asked for. A test that fails panics.
pub(crate) fn run(tests: &[(&str, fn())], args: &[String]) -> ExitCode {
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    // nextest lists with `--list --format terse`, whose last word is no filter.
    let is_filter = |arg: &&String| !arg.starts_with('-') && *arg != "terse";
    let filters: Vec<_> = args.iter().filter(is_filter).collect();
    let is_chosen = |name: &str| {
        let matches = |filter: &&String| {
            if has("--exact") { name == **filter } else { name.contains(filter.as_str()) }
        };
        // No test is left out by default, so there is nothing to run under that flag.
        !has("--ignored") && (filters.is_empty() || filters.iter().any(matches))
    };
    for (name, test) in tests.iter().filter(|(name, _)| is_chosen(name)) {
        if has("--list") {
            println!("{name}: test");
            continue;
        }
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}
