//! What reading a frame allocates follows the bytes that are there, not the numbers in them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;

use bytes::BytesMut;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use throughline_store::Batch;
use throughline_store_hub::{Frame, FrameError, wire};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A check of three bytes on the wire becomes a value of some 70 bytes, in a list that doubles.
const BYTES_PER_BYTE: usize = 64;
const BYTES_AT_ONCE: usize = 1024;

/// The only test of this executable, so that nobody else allocates meanwhile.
#[test]
fn a_frame_allocates_no_more_than_its_bytes_warrant() {
    let mut most = Batch::new();
    for _ in 0..2000 {
        most = most.check_absent("").delete("");
    }
    let mut smallest_checks = BytesMut::new();
    Frame::Commit { call: 1, batch: most }.write(&mut smallest_checks);
    // Counts of 65,535 and lengths of 4 GiB, with nothing behind them.
    let number = [0_u8; 8];
    let many_checks = [&[wire::COMMIT][..], &number, &[0xff; 4]].concat();
    let many_entries = [&[wire::PAGE][..], &number, &[0, 0xff, 0xff]].concat();
    let long_value = [&[wire::VALUE][..], &number, &[1, 0xff, 0xff, 0xff, 0xff, 1]].concat();
    let long_key = [&[wire::GET][..], &number, &[0xff, 0xff, 1]].concat();
    let broken = Err(FrameError::Short);
    let cases = [
        (&smallest_checks[4..], Ok(())),
        (&many_checks, broken),
        (&many_entries, broken),
        (&long_value, broken),
        (&long_key, broken),
    ];
    for (bytes, expected) in cases {
        let region = Region::new(ALLOCATOR);
        let frame = Frame::read(bytes);
        let allocated = region.change().bytes_allocated;
        let kind = bytes[0];
        assert_eq!(frame.map(drop), expected, "type {kind:#04x}");
        let limit = BYTES_PER_BYTE * bytes.len() + BYTES_AT_ONCE;
        assert!(allocated <= limit, "type {kind:#04x}: {allocated} for {}", bytes.len());
    }
}
