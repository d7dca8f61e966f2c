//! [`http_client`]: how the tests ask servers over HTTP.

use async_nats::rustls::crypto::ring;
use async_nats::rustls::{ClientConfig, RootCertStore};

/// A client of `http://` addresses. reqwest's own default takes a cryptographic library for granted, and the workspace
/// has none but the one it names.
///
/// # Panics
/// When no client can be made.
pub fn http_client() -> reqwest::ClientBuilder {
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring has every version of TLS")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls)
}

/// Gets a page without TLS.
///
/// # Errors
/// Where there is no answer.
pub async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
    http_client().build()?.get(url).send().await
}
