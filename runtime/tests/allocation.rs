//! P9, P10: what reading a game's message takes of memory follows the bytes that came.

use std::alloc::System;

use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use throughline::{Codec, Incoming};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What a careless game might declare: each level takes memory for what the next one claims.
#[derive(Debug, Deserialize)]
struct Tree(#[allow(dead_code, reason = "only its reading matters")] Vec<Self>);

fn peak<T: Incoming>(codec: Codec, input: &[u8]) -> usize {
    let region = Region::new(ALLOCATOR);
    let _ = T::decode(codec, input);
    region.change().bytes_allocated
}

#[test]
fn p10_a_message_that_lies_about_its_lengths_takes_no_memory_for_them() {
    let lies: [&[u8]; 6] = [
        // Arrays, maps, byte strings and texts that claim up to 2^64 - 1 elements.
        &[0x9a, 0xff, 0xff, 0xff, 0xff],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xba, 0x7f, 0xff, 0xff, 0xff],
        &[0x5b, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00],
        &[0x7a, 0x7f, 0xff, 0xff, 0xff],
        &[0x81],
    ];
    for lie in lies {
        for count in [1, 30, 459, 5_000] {
            let input = lie.repeat(count);
            let limit = 8 * input.len() + 64 * 1024;
            for codec in [Codec::Cbor, Codec::Json] {
                assert!(peak::<Tree>(codec, &input) <= limit, "{count} times {lie:02x?}");
                assert!(peak::<Vec<u8>>(codec, &input) <= limit, "{count} times {lie:02x?}");
                assert!(peak::<String>(codec, &input) <= limit, "{count} times {lie:02x?}");
            }
        }
    }
}
