//! Any bytes as a game's message: a value or an error, never a panic or a bomb.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use throughline::{Codec, Incoming, Outgoing};

/// Every kind of thing that a message may hold, nested in itself.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Any {
    Nothing,
    Number(i64),
    Float(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Maybe(Option<Box<Any>>),
    Named { left: u8, right: Vec<u8> },
}

fuzz_target!(|data: &[u8]| {
    for codec in [Codec::Cbor, Codec::Json] {
        let Ok(value) = Any::decode(codec, data) else { continue };
        let mut written = Vec::new();
        // JSON has no infinite numbers: writing may fail, but what was written is read again.
        if value.encode(codec, &mut written).is_ok() {
            let again = Any::decode(codec, &written);
            assert!(again.is_ok() || codec == Codec::Json, "{value:?}: {again:?}");
        }
    }
});
