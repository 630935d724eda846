//! What is refused, and in which words.

use std::time::Duration;

use super::super::settings::SETTINGS;
use super::super::{Config, FILE_BYTES_MAX, Problem};
use super::Desk;

#[test]
fn a_value_that_does_not_fit_is_named_with_its_place_and_what_would_fit() {
    let desk = Desk::new().file("# first\n[session]\n\ntimeout = \"soon\"\n");
    assert_eq!(
        desk.refused(),
        ["session.timeout in throughline.toml line 4: found \"soon\", \
          expected a duration such as \"60s\", between 1s and 24h"]
    );
    let desk = Desk::new().env("THROUGHLINE__LINK__MAX_FRAME", "1GiB");
    assert_eq!(
        desk.refused(),
        ["link.max-frame in environment variable THROUGHLINE__LINK__MAX_FRAME: found \"1GiB\", \
          expected a size such as \"64KiB\" or a number of bytes, from 1KiB to 16MiB"]
    );
    let desk = Desk::new().args(&["--node.workers", "many"]);
    assert_eq!(
        desk.refused(),
        ["node.workers in flag --node.workers: found \"many\", \
          expected a whole number from 0 to 256"]
    );
    let desk = Desk::new().game("development.simulate-link", "yes");
    assert_eq!(
        desk.refused(),
        ["development.simulate-link in the game's defaults: found \"yes\", \
          expected true or false"]
    );
}

#[test]
fn every_problem_of_every_source_is_told_at_once() {
    let desk = Desk::new()
        .game("session.timout", "61s")
        .file("[sesion]\ntimeout = \"60s\"\n[link]\nheartbeat = 2\nmax_frame = 1024\n")
        .env("THROUGHLINE__LIMITS__SESSION", "5")
        .args(&["--node.worker", "3", "--log.level", "loud", "--log.levels=info", "node"]);
    let refused = desk.refused();
    let expected = [
        "session.timout in the game's defaults: unknown setting; did you mean session.timeout?",
        "link.heartbeat in throughline.toml line 4: found 2, \
         expected a duration such as \"2.5s\", between 100ms and 60s",
        "link.max_frame in throughline.toml line 5: unknown setting; \
         did you mean link.max-frame?",
        "[sesion] in throughline.toml line 1: unknown section; did you mean [session]?",
        "environment variable THROUGHLINE__LIMITS__SESSION: unknown variable; \
         did you mean THROUGHLINE__LIMITS__SESSIONS?",
        "log.level in flag --log.level: found \"loud\", expected off, error, warn, info, debug, \
         trace, or a list with modules such as info,game=debug",
        "flag --node.worker: unknown flag; did you mean --node.workers?",
        "flag --log.levels: unknown flag; did you mean --log.level?",
    ];
    assert_eq!(refused, expected);
}

#[test]
fn a_key_in_the_wrong_section_is_found_in_the_right_one() {
    let desk = Desk::new().file("[session]\nheartbeat = \"1s\"\n");
    let [message] = &desk.refused()[..] else { panic!("one problem") };
    assert!(message.ends_with("did you mean link.heartbeat?"), "{message}");
    let desk = Desk::new().file("heartbeat = \"1s\"\n");
    let [message] = &desk.refused()[..] else { panic!("one problem") };
    assert!(message.contains("link.heartbeat"), "{message}");
}

#[test]
fn a_name_like_no_other_gets_no_suggestion() {
    let desk = Desk::new().file("[weather]\nrain = true\n[link]\nzzz = 1\n");
    for message in desk.refused() {
        assert!(message.ends_with("--help lists all settings"), "{message}");
    }
}

#[test]
fn broken_toml_is_named_with_its_line() {
    let desk = Desk::new().file("[link]\nheartbeat = 1s\n");
    let refused = desk.refused();
    assert!(refused[0].starts_with("throughline.toml line 2: "), "{refused:?}");
}

#[test]
fn a_file_that_is_asked_for_must_be_there() {
    let refused = Desk::new().args(&["--config", "absent.toml"]).refused();
    assert!(refused[0].starts_with("absent.toml: "), "{refused:?}");
}

#[test]
fn a_file_too_large_is_not_read_whole() {
    let text = "#".repeat(FILE_BYTES_MAX as usize + 1);
    let refused = Desk::new().file(&text).refused();
    assert!(refused[0].contains("longer than 1048576 bytes"), "{refused:?}");
}

#[test]
fn a_found_value_is_shown_short_and_without_control_characters() {
    let value = format!("\u{1b}[31m\n{}", "x".repeat(500));
    let refused = Desk::new().env("THROUGHLINE__LOG__LEVEL", &value).refused();
    assert!(refused[0].len() < 300 && !refused[0].contains(char::is_control), "{refused:?}");
}

#[test]
fn words_that_are_no_flags_are_refused() {
    for args in [&["serve"][..], &["node", "now"], &["-x"], &["--node.workers"]] {
        let refused = Desk::new().args(args).refused();
        assert!(refused[0].starts_with("command line: "), "{refused:?}");
        assert!(refused[0].ends_with("--help lists all flags"), "{refused:?}");
    }
}

#[test]
fn a_range_has_both_ends() {
    for setting in SETTINGS {
        let kind = setting.kind;
        if !setting.default.is_empty() {
            assert_eq!(kind.parse(setting.default).unwrap(), setting.default_value());
        }
        let Some((least, most)) =
            kind.allowed().split_once(" to ").map(|(a, b)| (a.to_owned(), b.to_owned()))
        else {
            continue;
        };
        assert!(kind.parse(&least).is_ok() && kind.parse(&most).is_ok(), "{}", setting.name());
        assert!(kind.parse("-1").is_err() && kind.parse(&format!("9{most}")).is_err());
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused_by_name() {
    type Change = fn(&mut Config);
    let cases: [(&str, Change); 7] = [
        ("link.retained-messages", |config| config.link.retained_messages = 255),
        ("link.retained-bytes", |config| config.link.retained_bytes = 1 << 16),
        ("link.ack-every", |config| config.link.window_messages = 15),
        ("link.ack-timeout", |config| {
            config.link.ack_timeout = Duration::from_secs(1);
            config.link.ack_delay = Duration::from_secs(1);
        }),
        ("listen.link", |config| config.listen.link = config.listen.http.clone()),
        ("session.bytes-per-second", |config| config.session.bytes_per_second = 10_000),
        ("session.messages-per-second", |config| {
            config.session.messages_per_second = 1;
            config.session.burst = Duration::from_millis(999);
        }),
    ];
    for (name, change) in cases {
        let mut config = Config::default();
        change(&mut config);
        let error = config.validate().unwrap_err();
        let [Problem::Contradiction { name: refused, .. }] = error.problems() else {
            panic!("one contradiction for {name}: {error}")
        };
        assert_eq!(refused, name);
    }
    let desk = Desk::new().args(&["--link.retained-bytes", "64KiB"]);
    assert_eq!(
        desk.refused(),
        ["link.retained-bytes in flag --link.retained-bytes: found \"64KiB\", expected at least \
          link.window-bytes (\"1MiB\"): a window's bytes are all retained until they are \
          acknowledged"]
    );
}

#[test]
fn a_field_set_by_a_program_is_checked_like_a_value_of_the_file() {
    let mut config = Config::default();
    config.session.mailbox = 0;
    config.cluster.advertise = "nowhere".to_owned();
    let error = config.validate().unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines[0].starts_with("cluster.advertise in the program: found \"nowhere\""), "{error}");
    assert!(lines[1].starts_with("session.mailbox in the program: found 0"), "{error}");
}
