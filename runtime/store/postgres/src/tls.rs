//! TLS by rustls: the server's certificate and name are verified.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{OpenError, OptionsError};

/// What judges a server by the certificates of this file, or by those of the system.
pub(crate) fn connector(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, OptionsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config =
        config.map_err(|error| OptionsError::Certificates { reason: error.to_string() })?;
    let config = config.with_root_certificates(roots(ca_file)?).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, OptionsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            log::warn!("a certificate of the system cannot be read: {error}");
        }
        // None at all is no error: a connection without TLS needs none.
        roots.add_parsable_certificates(native.certs);
        return Ok(roots);
    };
    let refused = |reason: String| OptionsError::Certificates {
        reason: format!("{}: {reason}", path.display()),
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| refused(e.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// Whether a connection was refused here for the server's certificate, or since it has none.
pub(crate) fn refusal(host: &str, error: &tokio_postgres::Error) -> Option<OpenError> {
    let (host, source) = (host.to_owned(), error.source()?);
    if let Some(error) = source.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        let rustls::Error::InvalidCertificate(reason) = error.downcast_ref()? else { return None };
        return Some(OpenError::Untrusted { host, reason: reason.to_string() });
    }
    // The client has no type for it.
    (source.to_string() == "server does not support TLS").then_some(OpenError::NoTls { host })
}
