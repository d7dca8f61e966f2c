//! [`Authority`]: certificates for the tests, made anew in each.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, both as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new authority, which nothing trusts yet.
    pub fn new(name: &str) -> Self {
        let mut parameters = named(name, &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(parameters, key()).expect("an authority signs itself");
        Self { issuer }
    }

    /// Its own certificate as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The certificate of a server with these names and addresses.
    pub fn server(&self, names: &[&str]) -> Identity {
        self.sign(purpose(
            named("server", names),
            ExtendedKeyUsagePurpose::ServerAuth,
        ))
    }

    /// The same, and it expired years ago.
    pub fn expired(&self, names: &[&str]) -> Identity {
        let mut parameters = purpose(named("server", names), ExtendedKeyUsagePurpose::ServerAuth);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
        self.sign(parameters)
    }

    /// The certificate of a client.
    pub fn client(&self, name: &str) -> Identity {
        self.sign(purpose(named(name, &[]), ExtendedKeyUsagePurpose::ClientAuth))
    }

    /// The certificate of a client with these names: host names, addresses, e-mail addresses or URIs.
    pub fn client_called(&self, names: &[&str]) -> Identity {
        let mut parameters = named("client", &[]);
        parameters.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        self.sign(purpose(parameters, ExtendedKeyUsagePurpose::ClientAuth))
    }

    fn sign(&self, parameters: CertificateParams) -> Identity {
        let key = key();
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .expect("an authority signs a certificate");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

fn alternative(name: &str) -> SanType {
    let text = || name.try_into().expect("a name in ASCII");
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(text()),
        Err(_) if name.contains('@') => SanType::Rfc822Name(text()),
        Err(_) => SanType::DnsName(text()),
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key pair")
}

fn named(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).expect("names of a certificate");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

fn purpose(mut parameters: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    parameters.extended_key_usages = vec![purpose];
    parameters
}
