//! The messages of the tests: each knows its own number.

/// Message `index` of a direction, from 0: its number, then some bytes.
pub(crate) fn message(index: u64) -> Vec<u8> {
    let mut payload = index.to_be_bytes().to_vec();
    payload.resize(8 + (index % 23) as usize, index as u8);
    payload
}

/// Checks that a payload is message `expected`, whole.
pub(crate) fn check(payload: &[u8], expected: u64, who: &str) {
    let (number, _) = payload.split_first_chunk().expect("a message begins with its number");
    assert_eq!(
        u64::from_be_bytes(*number),
        expected,
        "{who} handled another message than the next"
    );
    assert_eq!(payload, message(expected), "{who} handled a damaged message");
}
