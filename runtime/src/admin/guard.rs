//! Keeping web pages out: a browser on this machine reaches the listener, too.

use std::net::IpAddr;

use hyper::{HeaderMap, Uri, header};

/// Why a request is refused that a web page may have caused; `None` if it is an operator's.
///
/// A page can make the browser of somebody on this machine send requests here. Every browser puts
/// an `Origin` on those that could change something, so whoever has one is a page. A page under a
/// name that its owner points to 127.0.0.1 has no foreign origin, but then the host is that name.
pub(super) fn page(uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(header::ORIGIN) {
        return Some("requests of web pages are not answered here");
    }
    let named = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
    // Without any it is HTTP/1.0, as a health check may speak it, and no browser.
    let mut hosts = named.chain(uri.authority().map(|authority| authority.as_str()));
    if hosts.all(is_this_machine) {
        return None;
    }
    Some("the host is not this machine: ask for 127.0.0.1, [::1] or localhost")
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn is_refused(headers: &[(header::HeaderName, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_static(value));
        }
        page(&Uri::from_static("/status"), &map).is_some()
    }

    #[test]
    fn operators_ask_for_this_machine() {
        for host in ["127.0.0.1:7779", "127.0.0.1", "[::1]:7779", "[::1]", "localhost:7779"] {
            assert!(!is_refused(&[(header::HOST, host)]), "{host}");
        }
        assert!(!is_refused(&[]), "HTTP/1.0");
    }

    #[test]
    fn pages_are_refused_whatever_they_claim() {
        for origin in ["null", "http://127.0.0.1:7779", "https://example.com"] {
            let host = (header::HOST, "127.0.0.1:7779");
            assert!(is_refused(&[host, (header::ORIGIN, origin)]), "{origin}");
        }
        for host in [
            "example.com",
            "example.com:7779",
            "127.0.0.1.example.com",
            "10.0.0.1:7779",
            "",
            ":7779",
        ] {
            assert!(is_refused(&[(header::HOST, host)]), "{host}");
        }
        let two = [(header::HOST, "127.0.0.1"), (header::HOST, "example.com")];
        assert!(is_refused(&two));
        let absolute = Uri::from_static("http://example.com/status");
        assert!(page(&absolute, &HeaderMap::new()).is_some());
    }
}
