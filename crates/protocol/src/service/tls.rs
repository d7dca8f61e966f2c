//! [`Tls`]: which certificates a connection trusts and shows.

use std::fmt;
use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::secret::read_file;

/// Which certificates a connection trusts and shows. The files are read again at each attempt to connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The CAs that are trusted, in place of those of the system.
    pub(super) ca: Option<PathBuf>,
    /// The client's certificate and its key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    /// Whether TLS begins before the server says anything.
    pub(super) first: bool,
}

/// Why a file with certificates or a key cannot be used. The message shows nothing that the file holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file {} of the {what} {problem}", path.display())]
pub struct TlsFileError {
    what: &'static str,
    path: PathBuf,
    problem: String,
}

impl Tls {
    /// Whether anything asks for TLS, whatever the addresses say.
    pub(super) fn is_wanted(&self) -> bool {
        self.ca.is_some() || self.identity.is_some() || self.first
    }

    /// Whether all files can be read now and hold what they have to.
    pub(super) fn check(&self) -> Result<(), TlsFileError> {
        if let Some(ca) = &self.ca {
            check_certificates("CA", ca)?;
        }
        if let Some((certificate, key)) = &self.identity {
            check_certificates("client's certificate", certificate)?;
            check_key(key)?;
        }
        Ok(())
    }

    /// Puts it into `options`. Where every address is encrypted, so are those that the servers announce.
    pub(super) fn apply(&self, mut options: ConnectOptions, all_encrypted: bool) -> ConnectOptions {
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &self.identity {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if self.first {
            options = options.tls_first();
        }
        // A connection that was to be encrypted must not go on in the clear where a server offers no TLS.
        options.require_tls(self.is_wanted() || all_encrypted)
    }
}

fn check_certificates(what: &'static str, path: &Path) -> Result<(), TlsFileError> {
    let error = |problem| TlsFileError {
        what,
        path: path.to_owned(),
        problem,
    };
    let text = read_file(path).map_err(|reason| error(unreadable(&reason)))?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(()),
        _ => Err(error(
            "holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)".to_owned(),
        )),
    }
}

fn check_key(path: &Path) -> Result<(), TlsFileError> {
    let error = |problem| TlsFileError {
        what: "client's key",
        path: path.to_owned(),
        problem,
    };
    let text = read_file(path).map_err(|reason| error(unreadable(&reason)))?;
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) if text.contains("ENCRYPTED PRIVATE KEY") => Err(error(
            "is encrypted, which is not supported: decrypt it with `openssl pkey`".to_owned(),
        )),
        Err(_) => Err(error(
            "holds no private key in PEM form (`-----BEGIN PRIVATE KEY-----`)".to_owned(),
        )),
    }
}

fn unreadable(reason: &impl fmt::Display) -> String {
    format!("cannot be read: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_something_else_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("some.pem");
        let check = |content: Option<&str>, expected: &str| {
            match content {
                Some(content) => std::fs::write(&file, content).expect("a file"),
                None => drop(std::fs::remove_file(&file)),
            }
            for tls in [
                Tls {
                    ca: Some(file.clone()),
                    ..Tls::default()
                },
                Tls {
                    identity: Some((file.clone(), file.clone())),
                    ..Tls::default()
                },
            ] {
                let error = tls.check().expect_err(expected).to_string();
                assert!(error.contains(expected) && error.contains("some.pem"), "{error}");
                assert!(!error.contains("hunter2"), "{error}");
            }
        };
        check(None, "cannot be read: No such file");
        check(Some(""), "holds no certificate in PEM form");
        check(Some("hunter2"), "holds no certificate in PEM form");
        check(
            Some("-----BEGIN CERTIFICATE-----\nhunter2*\n-----END CERTIFICATE-----\n"),
            "holds no certificate in PEM form",
        );
        std::fs::write(
            &file,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
        )
        .expect("a file");
        let error = check_key(&file).expect_err("an encrypted key").to_string();
        assert!(error.contains("is encrypted"), "{error}");
    }
}
