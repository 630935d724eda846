//! What is printed for people loads again, and the documentation says what the table says.

use super::super::{Config, page};
use super::{Desk, SETTINGS, others};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

#[test]
fn a_printed_configuration_loads_again_to_the_same_values() {
    let printed = Desk::new().args(&["--print-config"]).answer();
    assert_eq!(Desk::new().file(&printed).node().0, Config::default());

    let mut desk = Desk::new();
    for (setting, text, _) in others() {
        desk = desk.env(&setting.variable(), text);
    }
    let (config, _) = desk.node();
    let printed = desk.args(&["--print-config"]).answer();
    let (again, provenance) = Desk::new().file(&printed).node();
    assert_eq!(again, config);
    assert_eq!(provenance.changed().count(), SETTINGS.len());
}

#[test]
fn a_printed_value_tells_its_range_and_its_source() {
    let desk = Desk::new().env("THROUGHLINE__NODE__WORKERS", "3").args(&["--print-config"]);
    let printed = desk.answer();
    assert!(printed.contains(
        "# Default 0; allowed: 0 to 256; \
         from: environment variable THROUGHLINE__NODE__WORKERS.\nworkers = 3\n"
    ));
    assert!(printed.contains("from: default.\nheartbeat = \"2.5s\"\n"));
}

#[test]
fn a_configuration_with_problems_is_not_printed() {
    let desk = Desk::new().args(&["--print-config", "--node.workers=x"]);
    assert_eq!(desk.refused().len(), 1);
}

#[test]
fn the_help_lists_every_flag_with_its_default() {
    for args in [&["--help"][..], &["node", "--help"]] {
        let help = Desk::new().args(args).answer();
        assert!(help.starts_with("Starts a node"), "{help}");
        assert!(help.contains("--config <FILE>") && help.contains("--print-config"), "{help}");
        for setting in SETTINGS {
            let flag = format!("--{} <{}>", setting.name(), setting.kind.placeholder());
            let default = format!("[default: {};", setting.default);
            assert!(help.contains(&flag), "{flag}");
            assert!(setting.default.is_empty() || help.contains(&default), "{default}");
        }
    }
    let version = Desk::new().args(&["--version"]).answer();
    assert_eq!(version, format!("omok throughline {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_configuration_page_says_what_the_table_says() {
    let page = page::documentation();
    if std::env::var_os("THROUGHLINE_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md is out of date; write it again with\n    \
         THROUGHLINE_WRITE_DOCS=1 cargo test -p throughline the_configuration_page"
    );
}

#[test]
fn every_doc_line_is_a_sentence_of_printable_text() {
    for setting in SETTINGS {
        let doc = setting.doc.concat();
        assert!(doc.ends_with('.') && doc.is_ascii(), "{}: {doc}", setting.name());
    }
}
