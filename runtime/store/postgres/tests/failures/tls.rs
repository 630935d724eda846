//! TLS: the server's certificate and name, and servers that have none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use throughline_store::{Batch, Store};
use throughline_store_postgres::testing::{Server, USER};
use throughline_store_postgres::{OpenError, Options, OptionsError};

use crate::options;

/// The name in the certificate. Nobody resolves it: the address is given, too.
const NAME: &str = "db.test";

/// What `openssl` is told of the certificates.
const CERTIFICATES: &str = "
[req]
distinguished_name = name
prompt = no
[name]
CN = throughline test
[authority]
basicConstraints = critical, CA:TRUE
[host]
basicConstraints = CA:FALSE
subjectAltName = DNS:db.test
";

/// An authority, in a folder of its own.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        fs::write(authority.file("openssl.cnf"), CERTIFICATES).unwrap();
        authority.create("authority", "authority", &[]);
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What a server is judged by.
    fn certificate(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// The certificate of a server, signed by this authority, and its key.
    fn host(&self) -> (String, String) {
        self.create("host", "host", &["-CA", "authority.pem", "-CAkey", "authority.key"]);
        let read = |name: &str| fs::read_to_string(self.file(name)).unwrap();
        (read("host.pem"), read("host.key"))
    }

    fn create(&self, name: &str, extensions: &str, signed: &[&str]) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let mut openssl = Command::new("openssl");
        openssl.current_dir(self.0.path()).args(["req", "-x509", "-config", "openssl.cnf"]);
        openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-days", "2", "-extensions", extensions]);
        openssl.args(["-keyout", &key, "-out", &certificate]).args(signed);
        let made = openssl.output().expect("openssl is installed (Debian: openssl)");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// A server that offers TLS with a certificate of this authority.
fn server(authority: &Authority) -> Server {
    let server = Server::start().unwrap();
    let (certificate, key) = authority.host();
    let certificate = server.add_file("host.pem", &certificate).unwrap();
    let key = server.add_file("host.key", &key).unwrap();
    let (certificate, key) = (certificate.display(), key.display());
    let lines = format!("ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\n");
    server.configure(&lines).unwrap();
    // Started anew rather than told to read it: then it is on for sure.
    server.stop().unwrap();
    server.run().unwrap();
    server
}

/// The options for this server under this name.
fn named(server: &Server, name: &str, mode: &str) -> Options {
    let port = server.port();
    let address = format!("host={name} hostaddr=127.0.0.1 port={port} user={USER}");
    options(&format!("{address} dbname=postgres {mode}"))
}

/// Which protocols the connections of a store use that works; empty without TLS.
async fn protocols(server: &Server, options: Options) -> String {
    let store = options.open().await.unwrap();
    store.commit(Batch::new().put("k", "1")).await.unwrap();
    assert_eq!(store.get("k".into()).await.unwrap().as_deref(), Some(&b"1"[..]));
    let used = "select distinct s.version from pg_stat_ssl s join pg_stat_activity a using (pid)
        where a.application_name = 'throughline'";
    let used = server.sql("postgres", used).unwrap();
    store.close().await.unwrap();
    used
}

async fn refused(server: &Server, name: &str, mode: &str, ca_file: Option<&Path>) -> OpenError {
    let mut options = named(server, name, mode);
    if let Some(path) = ca_file {
        options.ca_file(path);
    }
    options.open().await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn require_and_prefer_use_tls_with_a_server_whose_authority_is_trusted() {
    let authority = Authority::new();
    let server = server(&authority);
    // The default is prefer.
    for mode in ["sslmode=require", "sslmode=prefer", ""] {
        let mut options = named(&server, NAME, mode);
        options.ca_file(authority.certificate());
        assert_eq!(protocols(&server, options).await, "TLSv1.3", "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_certificate_is_not_trusted_is_refused_by_require_and_by_prefer() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = server(&authority);
    let other = other.certificate();
    for mode in ["sslmode=require", "sslmode=prefer"] {
        // Not by the system's authorities either.
        for ca_file in [Some(other.as_path()), None] {
            let error = refused(&server, NAME, mode, ca_file).await;
            let is_named =
                matches!(&error, OpenError::Untrusted { host, .. } if host.starts_with(NAME));
            assert!(is_named, "{mode}: {error}");
        }
    }
    // Who disables TLS is not protected, and says so.
    let options = named(&server, NAME, "sslmode=disable");
    assert_eq!(protocols(&server, options).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_a_name_that_is_not_in_its_certificate_is_refused() {
    let authority = Authority::new();
    let server = server(&authority);
    let ca_file = authority.certificate();
    let error = refused(&server, "other.test", "sslmode=require", Some(&ca_file)).await;
    assert!(matches!(error, OpenError::Untrusted { .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("other.test") && words.contains(NAME), "both names: {words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_refused_by_require_and_used_by_prefer() {
    let server = Server::start().unwrap();
    let ca_file = Authority::new().certificate();
    let error = refused(&server, NAME, "sslmode=require", None).await;
    let is_named = matches!(&error, OpenError::NoTls { host } if host.starts_with(NAME));
    assert!(is_named, "{error}");
    assert_eq!(protocols(&server, named(&server, NAME, "sslmode=prefer")).await, "");
    // A file of authorities that is not there is the caller's fault, whatever the server does.
    let error = refused(&server, NAME, "sslmode=prefer", Some(&ca_file)).await;
    let is_the_files = matches!(&error, OpenError::Options(OptionsError::Certificates { reason })
            if reason.contains("authority.pem"));
    assert!(is_the_files, "{error}");
}
