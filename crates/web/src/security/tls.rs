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
    let authority = given(
        "client_ca",
        tls.client_ca.as_deref(),
        tls.client_ca_file.as_ref(),
        sources,
    )?;
    let is_asked_for =
        certificate.is_some() || key.is_some() || authority.is_some() || tls.client_auth_type.is_some();
    if !is_asked_for {
        return Ok(None);
    }
    let certificate = certificate.ok_or("tls_server_config has no cert_file and no cert")?;
    let key = key.ok_or("tls_server_config has no key_file and no key")?;
    let chain = certificates("the certificate", certificate)?;
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|_| "the key is not a private key in PEM".to_owned())?;
    let provider = Arc::new(provider(tls)?);
    let verifier = clients::verifier(tls, authority, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(tls)?)
        .map_err(|error| format!("no cipher suite is usable with the configured versions: {error}"))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("certificate and key do not match: {error}"))?;
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
        Err(error) => Err(format!("{what} is not PEM: {error}")),
    }
}

fn versions(tls: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let version = |key: &str, text: &Option<String>, default| match text.as_deref() {
        None | Some("") => Ok(default),
        Some("TLS12") => Ok(ProtocolVersion::TLSv1_2),
        Some("TLS13") => Ok(ProtocolVersion::TLSv1_3),
        Some(old @ ("TLS10" | "TLS11")) => {
            Err(format!("{key} is {old}, which is broken; write TLS12 or TLS13"))
        }
        Some(other) => Err(format!("{key} is {other:?}; write TLS12 or TLS13")),
    };
    let least = version("min_version", &tls.min_version, ProtocolVersion::TLSv1_2)?;
    let most = version("max_version", &tls.max_version, ProtocolVersion::TLSv1_3)?;
    let (least, most) = (u16::from(least), u16::from(most));
    if least > most {
        return Err("min_version is above max_version".to_owned());
    }
    let is_within =
        |version: &&SupportedProtocolVersion| (least..=most).contains(&u16::from(version.version));
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
                format!(
                    "cipher_suites: {name:?} is not supported; the suites are {}",
                    known.join(", ")
                )
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
                    return Err(format!(
                        "curve_preferences: {name:?} is not supported; the curves are {known}"
                    ));
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

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;
    use crate::security::file::WebConfig;

    /// TLS by these lines of `tls_server_config`, with a certificate and its key.
    fn of(lines: &str) -> Result<ServerConfig, String> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("signed");
        let indented = |pem: String| {
            pem.lines()
                .map(|line| format!("    {line}\n"))
                .collect::<String>()
        };
        let (cert, key) = (indented(cert.pem()), indented(signing_key.serialize_pem()));
        let lines = lines.replace("OURS", &format!("|\n{cert}"));
        let text = format!("tls_server_config:\n  cert: |\n{cert}  key: |\n{key}{lines}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        std::fs::write(&path, text).expect("written");
        let sources = Sources::read(&path).map_err(|error| error.to_string())?;
        let WebConfig {
            tls_server_config, ..
        } = sources.parse().map_err(|error| error.to_string())?;
        Ok(config(&tls_server_config.unwrap_or_default(), &sources)?.expect("TLS is set"))
    }

    #[test]
    fn versions_suites_and_curves_are_those_that_are_asked_for() {
        let config = of("").expect("the defaults");
        assert!(config.ignore_client_order && config.alpn_protocols == [b"http/1.1".to_vec()]);
        let lines = "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP384, X25519]\n";
        let config = of(&format!("{lines}  prefer_server_cipher_suites: false\n")).expect("they are known");
        let suites: Vec<String> = config
            .crypto_provider()
            .cipher_suites
            .iter()
            .map(name_of)
            .collect();
        let old: Vec<&String> = suites.iter().filter(|name| !name.starts_with("TLS13")).collect();
        assert_eq!(old, ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]);
        assert_eq!(suites.len(), 4, "{suites:?}");
        let curves: Vec<NamedGroup> = config
            .crypto_provider()
            .kx_groups
            .iter()
            .map(|group| group.name())
            .collect();
        assert_eq!(curves, [NamedGroup::secp384r1, NamedGroup::X25519]);
        assert!(!config.ignore_client_order);
    }

    #[test]
    fn what_is_not_supported_is_refused_with_what_is() {
        fn check(lines: &str, expected: &str) {
            let error = of(lines).expect_err(lines);
            assert!(error.contains(expected), "{lines}: {error}");
        }
        check(
            "  min_version: TLS10\n",
            "min_version is TLS10, which is broken; write TLS12 or TLS13",
        );
        check(
            "  max_version: TLS14\n",
            "max_version is \"TLS14\"; write TLS12 or TLS13",
        );
        check(
            "  min_version: TLS13\n  max_version: TLS12\n",
            "min_version is above max_version",
        );
        check(
            "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n",
            "the suites are TLS_ECDHE_",
        );
        check(
            "  curve_preferences: [CurveP521]\n",
            "the curves are CurveP256, CurveP384, X25519",
        );
        check(
            "  client_auth_type: Always\n",
            "write NoClientCert, RequestClientCert",
        );
        check(
            "  client_auth_type: RequireAndVerifyClientCert\n",
            "client_ca_file is missing",
        );
        check("  client_ca: OURS", "without a client_auth_type");
        check(
            "  client_auth_type: RequireAnyClientCert\n  client_ca: x\n",
            "client_ca has no certificate",
        );
        for policy in ["NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven"] {
            let lines = format!("  client_auth_type: {policy}\n  client_allowed_sans: [a]\n");
            check(
                &lines,
                "client_allowed_sans needs the client_auth_type RequireAndVerifyClientCert",
            );
        }
    }
}
