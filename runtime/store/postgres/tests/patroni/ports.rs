//! Ports for servers that are away for a while.

use std::net::TcpListener;
use std::sync::Mutex;

/// Below the ports that the system gives to connections, so nobody takes one while it is away.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// Tests that run at once in processes with numbers side by side begin so far from each other.
const APART: usize = 61;

/// The next port to look at; tests of one process go on from each other.
static NEXT: Mutex<Option<usize>> = Mutex::new(None);

/// A port of 127.0.0.1 on which nobody listens now, another one with each call.
pub(crate) fn free() -> u16 {
    let mut next = NEXT.lock().unwrap();
    let from = next.unwrap_or(std::process::id() as usize * APART);
    let found = (from..from + RANGE.len()).find_map(|index| {
        let port = RANGE.start + u16::try_from(index % RANGE.len()).unwrap();
        TcpListener::bind(("127.0.0.1", port)).ok().map(|_| (index, port))
    });
    let (index, port) = found.expect("a port of 22,000 is free");
    *next = Some(index + 1);
    port
}
