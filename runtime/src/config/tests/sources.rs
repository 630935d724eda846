//! Where values come from, and which one wins.

use std::time::Duration;

use throughline_link::LinkConfig;

use super::super::{Config, Source};
use super::{Desk, others};

#[test]
fn nothing_given_is_the_documented_default() {
    let (config, provenance) = Desk::new().node();
    assert_eq!(config, Config::default());
    assert_eq!(provenance.changed().count(), 0);
    assert_eq!(config.link.heartbeat, Duration::from_millis(2500));
    assert_eq!(config.link.max_frame, 65_536);
    assert_eq!(config.listen.http[0].to_string(), "127.0.0.1:7777");
    config.validate().unwrap();
}

#[test]
fn the_link_starts_from_the_same_defaults() {
    let Config { link, session, .. } = Config::default();
    let same = LinkConfig {
        heartbeat: link.heartbeat,
        ack_delay: link.ack_delay,
        ack_every: link.ack_every,
        window_messages: link.window_messages,
        window_bytes: link.window_bytes,
        retained_messages: link.retained_messages,
        retained_bytes: link.retained_bytes,
        max_frame: link.max_frame,
        ack_timeout: link.ack_timeout,
        session_timeout: session.timeout,
        idle_limit: (!session.idle_limit.is_zero()).then_some(session.idle_limit),
        advertise: None,
    };
    assert_eq!(same, LinkConfig::default());
}

#[test]
fn every_setting_is_taken_from_environment_and_flag() {
    for (setting, text, value) in others() {
        let by_env = Desk::new().env(&setting.variable(), text);
        let by_flag = Desk::new().args(&[&format!("--{}", setting.name()), text]);
        for desk in [by_env, by_flag] {
            let (config, _) = desk.node();
            assert_eq!((setting.read)(&config), value, "{}", setting.name());
        }
    }
}

#[test]
fn every_setting_is_taken_from_the_file() {
    for (setting, _, value) in others() {
        let text = format!("[{}]\n{} = {value}\n", setting.section, setting.key());
        let (config, provenance) = Desk::new().file(&text).node();
        assert_eq!((setting.read)(&config), value, "{text}");
        let source = Source::File { path: "throughline.toml".to_owned(), line: 2 };
        assert_eq!(*provenance.of(&setting.name()), source);
    }
}

#[test]
fn the_strongest_source_wins() {
    let timeout = |desk: Desk| desk.node().0.session.timeout.as_secs();
    let variable = "THROUGHLINE__SESSION__TIMEOUT";

    let desk = || Desk::new().game("session.timeout", "61s");
    assert_eq!(timeout(desk()), 61);
    let desk = || desk().file("[session]\ntimeout = \"62s\"");
    assert_eq!(timeout(desk()), 62);
    let desk = || desk().env(variable, "63s");
    assert_eq!(timeout(desk()), 63);
    let desk = desk().args(&["--session.timeout", "64s"]);
    assert_eq!(desk.node().0.session.timeout.as_secs(), 64);

    let (_, provenance) = desk.node();
    let flag = Source::Flag { flag: "--session.timeout".to_owned() };
    assert_eq!(*provenance.of("session.timeout"), flag);
    assert_eq!(provenance.changed().count(), 1);
}

#[test]
fn the_subcommand_node_is_the_default() {
    for args in [
        &["--node.workers", "3", "--session.timers=5"][..],
        &["node", "--node.workers", "3", "--session.timers=5"],
        &["--node.workers", "3", "node", "--session.timers=5"],
    ] {
        let (config, _) = Desk::new().args(args).node();
        assert_eq!((config.node.workers, config.session.timers), (3, 5), "{args:?}");
    }
}

#[test]
fn a_flag_given_twice_counts_the_second_time() {
    let (config, _) = Desk::new().args(&["--node.workers=3", "--node.workers=4"]).node();
    assert_eq!(config.node.workers, 4);
}

#[test]
fn another_file_is_named_with_a_flag() {
    let desk = Desk::new().file("[node]\nworkers = 3").named_file("b.toml", "[node]\nworkers = 4");
    assert_eq!(desk.node().0.node.workers, 3);
    assert_eq!(desk.args(&["--config", "b.toml"]).node().0.node.workers, 4);
}

#[test]
fn sizes_and_numbers_of_the_file_may_be_written_in_several_ways() {
    let text = "[link]\nmax-frame = 8192\nwindow-bytes = \"64 KiB\"\nwindow-messages = 0x20\n";
    let (config, _) = Desk::new().file(text).node();
    assert_eq!(config.link.max_frame, 8192);
    assert_eq!(config.link.window_bytes, 65_536);
    assert_eq!(config.link.window_messages, 32);
}

#[test]
fn an_empty_list_switches_a_listener_off() {
    let by_file = Desk::new().file("[listen]\nlink = []");
    let by_env = Desk::new().env("THROUGHLINE__LISTEN__LINK", "");
    let by_flag = Desk::new().args(&["--listen.link="]);
    for desk in [by_file, by_env, by_flag] {
        assert!(desk.node().0.listen.link.is_empty());
    }
}

#[test]
fn variables_of_other_programs_are_ignored() {
    let desk = Desk::new().env("THROUGHLINE_COLOUR", "green").env("PATH", "/bin");
    assert_eq!(desk.node().0, Config::default());
}
