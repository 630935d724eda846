//! Any bytes as a PROXY header: refused, or the same header however it is cut, and no more.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The node keeps it to itself, and it stands on nothing else.
#[path = "../../../runtime/src/listen/proxied/header.rs"]
mod header;

use header::{HEADER_BYTES_MAX, header_of_client, parse};

fuzz_target!(|data: &[u8]| {
    let whole = parse(data);
    let end = match whole {
        Ok(Some(header)) => header.bytes,
        Ok(None) => data.len(),
        // As much as must be there for the fault to show.
        Err(_) => (0..data.len()).rfind(|end| parse(&data[..*end]).is_ok()).unwrap_or(0),
    };
    assert!(end <= data.len() && end <= HEADER_BYTES_MAX, "{end} bytes of a header");
    // Whoever takes a beginning off has taken nothing that is not the header's.
    for cut in 0..end {
        assert_eq!(parse(&data[..cut]), Ok(None), "cut after {cut} bytes");
    }
    let Ok(Some(header)) = whole else { return };
    assert_eq!(parse(&data[..end]), whole);
    if let Some(client) = header.client {
        let written = header_of_client(client, client);
        let again = parse(&written).expect("good").expect("whole");
        assert_eq!((again.client, again.bytes), (Some(client), written.len()));
    }
});
