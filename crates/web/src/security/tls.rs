//! TLS as the file asks for it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    NamedGroup, ProtocolVersion, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
};

use super::clients;
use super::file::{Secret, Sources, TlsConfig};

/// What TLS needs; none where the file sets none of it.
pub(super) fn config(tls: &TlsConfig, sources: &Sources) -> Result<Option<ServerConfig>, String> {
    let certificate = given("cert", tls.cert.as_deref(), tls.cert_file.as_ref(), sources)?;
    let key_text = tls.key.as_ref().map(|Secret(key)| key.as_str());
    let key = given("key", key_text, tls.key_file.as_ref(), sources)?;
    let authority = given("client_ca", tls.client_ca.as_deref(), tls.client_ca_file.as_ref(), sources)?;
    let is_asked_for =
        certificate.is_some() || key.is_some() || authority.is_some() || tls.client_auth_type.is_some();
    if !is_asked_for {
        return Ok(None);
    }
    let certificate = certificate.ok_or("tls_server_config has no cert_file and no cert")?;
    let key = key.ok_or("tls_server_config has no key_file and no key")?;
    let chain = certificates("the certificate", certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "the key is no private key in PEM".to_owned())?;
    let provider = Arc::new(provider(tls)?);
    let verifier = clients::verifier(tls, authority, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(tls)?)
        .map_err(|error| format!("cipher_suites and the versions leave nothing: {error}"))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("certificate and key do not fit together: {error}"))?;
    config.ignore_client_order = tls.prefer_server_cipher_suites.unwrap_or(true);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(config))
}

/// What is given as a text or as a file, which are not both to be set.
fn given<'a>(
    name: &str,
    text: Option<&'a str>,
    file: Option<&PathBuf>,
    sources: &'a Sources,
) -> Result<Option<&'a [u8]>, String> {
    let text = text.filter(|text| !text.is_empty()).map(str::as_bytes);
    let file = file.and_then(|file| sources.named(file));
    match (text, file) {
        (Some(_), Some(_)) => Err(format!("{name} and {name}_file are both set; remove one")),
        (text, file) => Ok(text.or(file)),
    }
}

/// The certificates of a text in PEM.
pub(super) fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(read) if !read.is_empty() => Ok(read),
        Ok(_) => Err(format!("{what} has no certificate in PEM")),
        Err(error) => Err(format!("{what} is no PEM: {error}")),
    }
}

fn versions(tls: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let version = |key: &str, text: &Option<String>, default| match text.as_deref() {
        None | Some("") => Ok(default),
        Some("TLS12") => Ok(ProtocolVersion::TLSv1_2),
        Some("TLS13") => Ok(ProtocolVersion::TLSv1_3),
        Some(old @ ("TLS10" | "TLS11")) => Err(format!("{key} is {old}, which is broken; write TLS12 or TLS13")),
        Some(other) => Err(format!("{key} is {other:?}; write TLS12 or TLS13")),
    };
    let least = version("min_version", &tls.min_version, ProtocolVersion::TLSv1_2)?;
    let most = version("max_version", &tls.max_version, ProtocolVersion::TLSv1_3)?;
    let (least, most) = (u16::from(least), u16::from(most));
    if least > most {
        return Err("min_version is above max_version".to_owned());
    }
    let is_within = |version: &&SupportedProtocolVersion| (least..=most).contains(&u16::from(version.version));
    Ok([&TLS12, &TLS13].into_iter().filter(is_within).collect())
}

/// Ring, with the cipher suites and curves that the file asks for. Those of TLS 1.3 are not chosen, as in Go.
fn provider(tls: &TlsConfig) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    if let Some(names) = tls.cipher_suites.as_ref().filter(|names| !names.is_empty()) {
        let (old, mut suites): (Vec<_>, Vec<_>) = provider
            .cipher_suites
            .into_iter()
            .partition(|suite| suite.version().version == ProtocolVersion::TLSv1_2);
        for name in names {
            let found = old.iter().find(|suite| name_of(suite) == *name);
            suites.push(*found.ok_or_else(|| {
                let known: Vec<String> = old.iter().map(name_of).collect();
                format!("cipher_suites: {name:?} is not supported; the suites are {}", known.join(", "))
            })?);
        }
        provider.cipher_suites = suites;
    }
    if let Some(names) = tls.curve_preferences.as_ref().filter(|names| !names.is_empty()) {
        let mut groups = Vec::new();
        for name in names {
            let wanted = match name.as_str() {
                "CurveP256" => NamedGroup::secp256r1,
                "CurveP384" => NamedGroup::secp384r1,
                "X25519" => NamedGroup::X25519,
                _ => {
                    let known = "CurveP256, CurveP384, X25519";
                    return Err(format!("curve_preferences: {name:?} is not supported; the curves are {known}"));
                }
            };
            groups.extend(provider.kx_groups.iter().filter(|group| group.name() == wanted));
        }
        provider.kx_groups = groups;
    }
    Ok(provider)
}

fn name_of(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}
