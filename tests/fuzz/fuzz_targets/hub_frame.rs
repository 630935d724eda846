//! Any bytes as a frame between a hub and a client: what is read is written and read again.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use throughline_store_hub::{Frame, Head, limits::FRAME_BYTES_MAX};

fuzz_target!(|data: &[u8]| {
    let _ = Head::read(data, FRAME_BYTES_MAX);
    let Ok(frame) = Frame::read(data) else { return };
    let mut written = BytesMut::new();
    frame.write(&mut written);
    let again = Frame::read(&written[Head::LENGTH_BYTES..]).expect("what was written is read");
    let mut twice = BytesMut::new();
    again.write(&mut twice);
    assert_eq!(written, twice);
});
