//! Any bytes as the exported state of either side: refused, or as good as an own one.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use throughline_fuzz::Written;
use throughline_link::{ClientConfig, ClientLink, Instant, LinkConfig, NodeLink};

const NOW: Instant = Instant::from_micros(1);

fuzz_target!(|data: &[u8]| {
    let Some((side, data)) = data.split_first() else { return };
    if side % 2 == 0 { as_node(data) } else { as_client(data) }
});

fn as_node(data: &[u8]) {
    let config = Arc::new(LinkConfig::default());
    let Ok(mut link) = NodeLink::import(config.clone(), data, NOW) else { return };
    let export = link.export();
    let again = NodeLink::import(config, &export, NOW).expect("an export is whole");
    assert_eq!(again.export(), export);
    assert!(!link.is_connected());
    let sent = link.numbering().last();
    if link.send(b"next").is_ok() {
        assert_eq!(link.numbering().last(), sent + 1);
    }
    link.handle_timeout(NOW);
    let mut out = Vec::new();
    link.poll_transmit(NOW, 1, &mut out, usize::MAX);
    assert!(out.is_empty(), "without a connection nothing is written");
}

fn as_client(data: &[u8]) {
    let config = ClientConfig::new(vec!["a:1".to_owned()], "k", b"", 1);
    let Ok(mut link) = ClientLink::import(config.clone(), data) else { return };
    let export = link.export().expect("it has a session");
    let again = ClientLink::import(config, &export).expect("an export is whole");
    assert_eq!(again.numbering().retained(), link.numbering().retained());
    link.connect(NOW);
    assert!(link.poll_dial().is_some());
    link.handle_connected();
    let mut out = Vec::new();
    link.poll_transmit(NOW, &mut out, usize::MAX);
    Written::default().check(&out, |_| ());
    assert_eq!(out[4], 0x02, "a Resume comes first");
}
