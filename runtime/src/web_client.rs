//! The web client's modules, part of every node: pages import `/throughline/client.js`.

use crate::listen::Page;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(Page {
            path: concat!("/throughline/", $name),
            mime: "text/javascript; charset=utf-8",
            bytes: include_bytes!(concat!("../../clients/web/src/", $name)),
        }),+]
    };
}

/// Every module of the web client.
pub(crate) const FILES: &[Page] = files![
    "backoff.js",
    "bytes.js",
    "client.js",
    "codec.js",
    "codes.js",
    "connection.js",
    "defaults.js",
    "emitter.js",
    "errors.js",
    "extensions.js",
    "frames.js",
    "handshake.js",
    "happenings.js",
    "heartbeat.js",
    "identity.js",
    "inbox.js",
    "link.js",
    "options.js",
    "outbox.js",
    "proof.js",
    "record.js",
    "route.js",
    "storage.js",
    "transport.js",
    "tries.js",
    "welcome.js",
    "wire.js",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_of_the_web_client_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../clients/web/src");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".js"))
            .map(|name| format!("/throughline/{name}"))
            .collect();
        names.sort();
        assert_eq!(FILES.iter().map(|page| page.path).collect::<Vec<_>>(), names);
    }
}
