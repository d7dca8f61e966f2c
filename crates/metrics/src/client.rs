//! How the collector calls other servers over HTTP: whom its clients trust, and what they all have alike.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The CAs whose certificates are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// None: there is no TLS.
    #[default]
    Nothing,
    /// Those of the system.
    System,
    /// These alone.
    Only(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// The CAs of a file in PEM, in place of those of the system.
    ///
    /// # Errors
    /// What is wrong with the file. The message shows nothing that it holds.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|reason| format!("cannot be read: {reason}"))?;
        match CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() {
            Ok(certificates) if !certificates.is_empty() => Ok(Self::Only(certificates)),
            _ => Err("holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)".to_owned()),
        }
    }

    fn roots(self) -> RootCertStore {
        let certificates = match self {
            Self::Nothing => Vec::new(),
            Self::System => rustls_native_certs::load_native_certs().certs,
            Self::Only(certificates) => certificates,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        roots
    }
}

/// A client that goes straight to the address it is given: by no proxy, and to no other address.
pub(crate) fn builder(trust: Trust) -> ClientBuilder {
    let provider = Arc::new(ring::default_provider());
    let builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT);
    match ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(tls) => {
            let tls = tls.with_root_certificates(trust.roots()).with_no_client_auth();
            builder.tls_backend_preconfigured(tls)
        }
        // Ring has cipher suites for all of them.
        Err(_) => builder,
    }
}

/// Whether the certificate of the server is signed by no CA that is trusted.
pub(crate) fn is_untrusted(error: &reqwest::Error) -> bool {
    let first: &dyn std::error::Error = error;
    let mut causes = std::iter::successors(Some(first), |error| {
        match error.downcast_ref::<std::io::Error>() {
            // An `io::Error` passes over what it wraps.
            Some(wrapping) => wrapping.get_ref().map(|inner| inner as &dyn std::error::Error),
            None => error.source(),
        }
    });
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    causes.any(|error| error.downcast_ref::<rustls::Error>() == Some(&unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let check = |content: Option<&str>, expected: &str| {
            if let Some(content) = content {
                std::fs::write(&path, content).expect("a file");
            }
            let error = Trust::read(&path).expect_err(expected);
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        };
        check(None, "cannot be read: No such file");
        check(Some("hunter2"), "holds no certificate in PEM form");
        let spoiled = "-----BEGIN CERTIFICATE-----\nhunter2*\n-----END CERTIFICATE-----\n";
        check(Some(spoiled), "holds no certificate in PEM form");
    }
}
