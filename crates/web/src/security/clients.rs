//! Which certificates of clients are accepted.

use std::net::IpAddr;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::file::TlsConfig;
use super::tls::certificates;

/// What `client_auth_type` may be.
const TYPES: &str = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert";

/// Verifies certificates of clients as the file asks for; `None` where none is asked for.
pub(super) fn verifier(
    tls: &TlsConfig,
    authority: Option<&[u8]>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let (is_required, is_verified) = match tls.client_auth_type.as_deref() {
        None | Some("" | "NoClientCert") => {
            if authority.is_some() {
                return Err(
                    "there is a client_ca without a client_auth_type; write RequireAndVerifyClientCert"
                        .to_owned(),
                );
            }
            if tls.client_allowed_sans.is_some() {
                return Err(
                    "client_allowed_sans needs the client_auth_type RequireAndVerifyClientCert".to_owned(),
                );
            }
            return Ok(None);
        }
        Some("RequestClientCert") => (false, false),
        // The toolkit knows both names.
        Some("RequireAnyClientCert" | "RequireClientCert") => (true, false),
        Some("VerifyClientCertIfGiven") => (false, true),
        Some("RequireAndVerifyClientCert") => (true, true),
        Some(other) => return Err(format!("client_auth_type is {other:?}; write {TYPES}")),
    };
    if tls.client_allowed_sans.is_some() && !is_required {
        return Err(
            "client_allowed_sans needs the client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert: \
             without a certificate there is no name to compare"
                .to_owned(),
        );
    }
    let verify = match (is_verified, authority) {
        (false, None) => None,
        (false, Some(authority)) => {
            certificates("client_ca", authority)?;
            None
        }
        (true, None) => {
            return Err(
                "client_ca_file is missing: without it no certificate of a client can be verified".to_owned(),
            );
        }
        (true, Some(authority)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client_ca", authority)? {
                let added = roots.add(certificate);
                added.map_err(|error| format!("client_ca has a certificate that cannot be used: {error}"))?;
            }
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            let built = builder.build();
            Some(built.map_err(|error| format!("client_ca cannot be used: {error}"))?)
        }
    };
    Ok(Some(Arc::new(Verifier {
        is_required,
        verify,
        names: tls.client_allowed_sans.clone(),
        algorithms: provider.signature_verification_algorithms,
    })))
}

#[derive(Debug)]
struct Verifier {
    is_required: bool,
    /// Verifies by whom a certificate was issued; without it, any is accepted.
    verify: Option<Arc<dyn ClientCertVerifier>>,
    /// Names of which a certificate must have one.
    names: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verify
            .as_ref()
            .map_or(&[], |verify| verify.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(verify) = &self.verify {
            verify.verify_client_cert(end_entity, intermediates, now)?;
        }
        if let Some(allowed) = &self.names {
            let names = names_of(end_entity)
                .ok_or_else(|| Error::General("the client's certificate cannot be read".to_owned()))?;
            if !names.iter().any(|name| allowed.contains(name)) {
                return Err(Error::General(format!(
                    "none of the names {names:?} of the client's certificate is in client_allowed_sans"
                )));
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The subject alternative names of a certificate, as the file writes them: host names, e-mail addresses, addresses, URIs.
fn names_of(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let extension = certificate.subject_alternative_name().ok()?;
    let names = extension.map(|extension| extension.value.general_names.as_slice());
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => {
            let address = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    };
    Some(names.unwrap_or_default().iter().filter_map(name).collect())
}
