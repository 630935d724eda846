use super::*;

/// Version 2: command, family, and what the length counts.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend_from_slice(&[command, family]);
    bytes.extend_from_slice(&u16::try_from(rest.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

/// Every good header here, with the client it tells.
fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let inet = [192, 0, 2, 1, 198, 51, 100, 2, 0x2a, 0x1f, 0x1e, 0x61];
    let mut inet6 = Vec::new();
    for address in ["2001:db8::7", "2001:db8::1"] {
        inet6.extend_from_slice(&address.parse::<Ipv6Addr>().unwrap().octets());
    }
    inet6.extend_from_slice(&[0xff, 0xff, 0, 80]);
    let mut mapped = inet6.clone();
    mapped[..16].copy_from_slice(&Ipv4Addr::new(10, 0, 0, 9).to_ipv6_mapped().octets());
    // A name, then a type that nobody knows.
    let with_more = [&inet[..], &[2, 0, 4], b"play", &[0xee, 0, 1, 0]].concat();
    vec![
        (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec(), Some("192.168.0.1:56324")),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n".to_vec(), {
            Some("255.255.255.255:65535")
        }),
        (b"PROXY TCP6 2001:db8::7 ::1 0 80\r\n".to_vec(), Some("[2001:db8::7]:0")),
        (b"PROXY TCP6 ::ffff:10.0.0.9 ::1 9 80\r\n".to_vec(), Some("10.0.0.9:9")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        // The longest line that the specification allows.
        (
            [&b"PROXY UNKNOWN"[..], &b" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".repeat(2), {
                b" 65535 65535\r\n"
            }]
            .concat(),
            None,
        ),
        (binary(0x21, 0x11, &inet), Some("192.0.2.1:10783")),
        (binary(0x21, 0x11, &with_more), Some("192.0.2.1:10783")),
        (binary(0x21, 0x21, &inet6), Some("[2001:db8::7]:65535")),
        (binary(0x21, 0x21, &mapped), Some("10.0.0.9:65535")),
        // Not TCP: the socket's own address is all that is known.
        (binary(0x21, 0x12, &inet), None),
        (binary(0x21, 0x31, &[b'/'; UNIX_BYTES]), None),
        (binary(0x21, 0x00, b""), None),
        (binary(0x21, 0x00, b"ignored"), None),
        // LOCAL: a health check, whatever else it says.
        (binary(0x20, 0x00, b""), None),
        (binary(0x20, 0x11, &inet), None),
        (binary(0x20, 0xff, b"ignored"), None),
        (binary(0x21, 0x00, &[0; HEADER_BYTES_MAX - FIXED_BYTES]), None),
    ]
}

#[test]
fn every_good_header_tells_its_client() {
    for (bytes, client) in good() {
        let header = parse(&bytes).unwrap().expect("it is whole");
        assert_eq!(header.client.map(|client| client.to_string()).as_deref(), client);
        assert_eq!(header.bytes, bytes.len());
    }
}

#[test]
fn a_header_is_incomplete_until_its_last_byte_and_ends_there() {
    for (bytes, _) in good() {
        let whole = parse(&bytes);
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Ok(None), "{end} of {}", bytes.escape_ascii());
        }
        for more in [&b"PROXY UNKNOWN\r\n"[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 5_000]] {
            assert_eq!(parse(&[&bytes[..], more].concat()), whole);
        }
    }
}

#[test]
fn a_line_that_is_not_as_specified_is_refused() {
    let lines: [&[u8]; 20] = [
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 1\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
        b"PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY  TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY tcp4 192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY TCP4 192.168.0.256 192.168.0.11 56324 443\r\n",
        b"PROXY TCP4 192.168.00.1 192.168.0.11 56324 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0 56324 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 +80 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11 080 443\r\n",
        b"PROXY TCP4 192.168.0.1 192.168.0.11  443\r\n",
        b"PROXY TCP4 ::1 ::1 1 1\r\n",
        b"PROXY TCP6 127.0.0.1 127.0.0.1 1 1\r\n",
        b"PROXY TCP6 ::1%eth0 ::1 1 1\r\n",
        b"PROXY UDP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY \xff\xfe\r\n",
        b"PROXY \r\n",
    ];
    for line in lines {
        assert_eq!(parse(line), Err(HeaderError::Line), "{}", line.escape_ascii());
    }
}

#[test]
fn p9_no_line_is_waited_for_beyond_its_limit() {
    let endless = [LINE_BEGIN, &[b'x'; 200]].concat();
    assert_eq!(parse(&endless[..LINE_BYTES_MAX - 1]), Ok(None));
    assert_eq!(parse(&endless[..LINE_BYTES_MAX]), Err(HeaderError::Line));
    let mut late = b"PROXY UNKNOWN ".to_vec();
    late.resize(LINE_BYTES_MAX - 1, b' ');
    late.extend_from_slice(b"\r\n");
    assert_eq!(parse(&late), Err(HeaderError::Line));
}

#[test]
fn p9_no_header_is_waited_for_beyond_its_limit() {
    let mut header = binary(0x21, 0x11, &[0; HEADER_BYTES_MAX - FIXED_BYTES + 1]);
    assert_eq!(parse(&header), Err(HeaderError::Long(HEADER_BYTES_MAX + 1)));
    header.truncate(FIXED_BYTES);
    assert_eq!(parse(&header), Err(HeaderError::Long(HEADER_BYTES_MAX + 1)));
    header[14..].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(parse(&header), Err(HeaderError::Long(65_551)));
}

#[test]
fn a_binary_header_that_is_not_as_specified_is_refused_as_soon_as_that_shows() {
    let cases = [
        (binary(0x11, 0x11, &[0; 12]), 13, HeaderError::Version(1)),
        (binary(0x31, 0x11, &[0; 12]), 13, HeaderError::Version(3)),
        (binary(0x22, 0x11, &[0; 12]), 13, HeaderError::Command(2)),
        (binary(0x21, 0x10, &[0; 12]), 16, HeaderError::Family(0x10)),
        (binary(0x21, 0x01, &[0; 12]), 16, HeaderError::Family(0x01)),
        (binary(0x21, 0x41, &[0; 40]), 16, HeaderError::Family(0x41)),
        (binary(0x21, 0x13, &[0; 40]), 16, HeaderError::Family(0x13)),
        (binary(0x21, 0x11, &[0; 11]), 16, HeaderError::Short(27)),
        (binary(0x21, 0x21, &[0; 35]), 16, HeaderError::Short(51)),
        (binary(0x21, 0x31, &[0; 215]), 16, HeaderError::Short(231)),
    ];
    for (bytes, shows, error) in cases {
        assert_eq!(parse(&bytes[..shows - 1]), Ok(None), "{error}");
        assert_eq!(parse(&bytes[..shows]), Err(error));
        assert_eq!(parse(&bytes), Err(error));
    }
}

#[test]
fn what_is_no_header_is_refused_at_its_first_odd_byte() {
    let others: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n",
        b"POST",
        b"PROXY\t",
        b"proxy TCP4",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\x16\x03\x01",
        b"\0\0\0\x20\x01TLNK",
    ];
    for bytes in others {
        assert_eq!(parse(bytes), Err(HeaderError::Missing), "{}", bytes.escape_ascii());
    }
    assert_eq!(parse(b""), Ok(None));
}

#[test]
fn what_is_written_is_read() {
    let pairs = [
        ("192.0.2.1:5000", "198.51.100.2:7777", "192.0.2.1:5000"),
        ("[2001:db8::7]:1", "[::1]:7778", "[2001:db8::7]:1"),
        ("[::ffff:10.0.0.9]:1", "127.0.0.1:7778", "10.0.0.9:1"),
        ("10.0.0.9:1", "[::1]:7778", "10.0.0.9:1"),
    ];
    for (client, server, read) in pairs {
        let bytes = header_of_client(client.parse().unwrap(), server.parse().unwrap());
        let header = parse(&bytes).unwrap().unwrap();
        assert_eq!(header.client, Some(read.parse().unwrap()));
        assert_eq!(header.bytes, bytes.len());
    }
}
