//! [`Cause`]: why there is no connection, read from what async-nats says about it.
//!
//! async-nats keeps errors of attempts to reconnect as text only, so text is what is read.

use std::fmt;
use std::time::Duration;

use crate::text::{Shown, without_repeats};

/// Why there is no connection. `Display` says it in one sentence, without secrets, and escapes what the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A file with a secret or a certificate cannot be used.
    File(String),
    /// The server asks for a login, and none is given.
    NoLogin {
        /// Whether it takes nkeys and JWTs; `None` where that is not known.
        takes_nkeys: Option<bool>,
    },
    /// The server does not accept the login.
    WrongLogin {
        /// What was sent; see [`Login::kind`](super::Login::kind).
        sent: &'static str,
        /// Whether it is proved by a signature.
        is_signed: bool,
        /// Whether the server takes nkeys and JWTs; `None` where that is not known.
        takes_nkeys: Option<bool>,
    },
    /// The server accepted the login before, and no longer does.
    RefusedAgain {
        /// How long it has been refused at least.
        patience: Duration,
        /// What was sent.
        sent: &'static str,
    },
    /// The user was accepted and its credentials have expired or are revoked: the server's words.
    LoginEnded(String),
    /// The login took the server too long.
    LoginTimedOut,
    /// No trusted CA has signed the server's certificate.
    UnknownCa,
    /// The server shows a CA's certificate as its own.
    CaAsServer,
    /// The server's certificate is for other names: rustls's words.
    NameMismatch(String),
    /// The server's certificate is no longer valid: rustls's words.
    Expired(String),
    /// The server's certificate is not valid yet: rustls's words.
    NotYetValid(String),
    /// Something else is wrong with the server's certificate.
    BadCertificate(String),
    /// The server wants a certificate of the client.
    ClientCertificate {
        /// Whether one was shown, which the server then did not accept.
        was_shown: bool,
    },
    /// The certificate and the key of the client do not belong together.
    KeyMismatch,
    /// The server offers no TLS, and the client wants it.
    NoTls,
    /// The server says nothing until TLS has begun, or is not a NATS server.
    Silent,
    /// The trusted certificates of the system cannot be read.
    TrustStore(String),
    /// TLS failed in another way.
    Tls(String),
    /// The server or the account accepts no more connections: the server's words.
    Limit(String),
    /// What answers is not a NATS server.
    NotNats,
    /// The server cannot be reached.
    Unreachable(String),
}

/// What kind of problem a [`Cause`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CauseKind {
    /// Files that the client was given cannot be used.
    File,
    /// The server refuses this user.
    Refused,
    /// Certificates or TLS.
    Tls,
    /// A limit of the server or the account.
    Limit,
    /// The server cannot be reached.
    Unreachable,
}

impl Cause {
    /// What kind of problem it is.
    pub fn kind(&self) -> CauseKind {
        match self {
            Self::File(_) => CauseKind::File,
            Self::NoLogin { .. }
            | Self::WrongLogin { .. }
            | Self::RefusedAgain { .. }
            | Self::LoginEnded(_) => CauseKind::Refused,
            Self::UnknownCa
            | Self::CaAsServer
            | Self::NameMismatch(_)
            | Self::Expired(_)
            | Self::NotYetValid(_)
            | Self::BadCertificate(_)
            | Self::ClientCertificate { .. }
            | Self::KeyMismatch
            | Self::NoTls
            | Self::TrustStore(_)
            | Self::Tls(_) => CauseKind::Tls,
            Self::Limit(_) => CauseKind::Limit,
            Self::LoginTimedOut | Self::Silent | Self::NotNats | Self::Unreachable(_) => {
                CauseKind::Unreachable
            }
        }
    }

    /// Reads the text of a failure to connect. What only the server or the files know is left open; see
    /// [`Servers::explain`](super::Servers::explain).
    pub(super) fn read(text: &str) -> Self {
        let text = without_repeats(text);
        // What async-nats puts before the cause.
        let cause = [
            "IO error: ",
            "TLS error: ",
            "DNS error: ",
            "failed signing nonce: ",
        ]
        .iter()
        .find_map(|kind| text.strip_prefix(kind));
        let cause = cause.unwrap_or(&text);
        let own = cause
            .strip_prefix("AuthError(")
            .and_then(|text| text.strip_suffix(')'));
        if let Some(reason) = own {
            return Self::File(reason.to_owned());
        }
        if let Some(found) = Self::of_certificate(cause) {
            return found;
        }
        let lower = cause.to_ascii_lowercase();
        let has = |part: &str| lower.contains(part);
        if has("authentication timeout") {
            Self::LoginTimedOut
        } else if has("authentication expired") || has("authentication revoked") {
            Self::LoginEnded(cause.to_owned())
        } else if has("authorization violation") || has("failed signing nonce") {
            Self::WrongLogin {
                sent: "",
                is_signed: false,
                takes_nkeys: None,
            }
        } else if has("connections exceeded") || has("maximum subscriptions") {
            Self::Limit(cause.trim_start_matches("nats: ").to_owned())
        } else if has("received fatal alert: certificaterequired") {
            Self::ClientCertificate { was_shown: false }
        } else if has("could not add certificate or key") {
            Self::KeyMismatch
        } else if has("could not load platform certs") {
            Self::TrustStore(
                cause
                    .trim_start_matches("could not load platform certs: ")
                    .to_owned(),
            )
        } else if has("received fatal alert")
            || has("received corrupt message")
            || has("peer is incompatible")
            || text.starts_with("TLS error")
            || has("tls")
        {
            Self::Tls(cause.to_owned())
        } else if has("expected info") {
            Self::NotNats
        } else {
            Self::Unreachable(cause.to_owned())
        }
    }

    fn of_certificate(text: &str) -> Option<Self> {
        let reason = text.split_once("invalid peer certificate: ")?.1;
        let words = || reason.strip_prefix("certificate ").unwrap_or(reason).to_owned();
        Some(if reason.contains("UnknownIssuer") {
            Self::UnknownCa
        } else if reason.contains("CaUsedAsEndEntity") {
            Self::CaAsServer
        } else if reason.contains("not valid for name") || reason.contains("NotValidForName") {
            Self::NameMismatch(words())
        } else if reason.contains("not valid yet") || reason.contains("NotValidYet") {
            Self::NotYetValid(words())
        } else if reason.contains("certificate expired") || reason == "Expired" {
            Self::Expired(words())
        } else {
            Self::BadCertificate(reason.to_owned())
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text| Shown(text).up_to(400);
        match self {
            Self::File(reason) => write!(f, "{}", shown(reason)),
            Self::NoLogin { takes_nkeys } => {
                f.write_str("the server asks for a login, and none is given")?;
                match takes_nkeys {
                    Some(true) => f.write_str("; it takes nkeys or creds, and may take others"),
                    Some(false) => f.write_str("; it takes no nkeys or creds, but a user and password or a token"),
                    None => Ok(()),
                }
            }
            Self::WrongLogin { is_signed: true, takes_nkeys: Some(false), sent } => write!(
                f,
                "{sent} was given, and the server takes no nkeys or creds, but a user and password or a token"
            ),
            Self::WrongLogin { sent, is_signed, takes_nkeys } => {
                write!(f, "authorization violation: the server does not accept ")?;
                match *sent {
                    "" => f.write_str("this user")?,
                    sent => write!(f, "this user, for which {sent} was given")?,
                }
                match (is_signed, takes_nkeys) {
                    (false, Some(true)) => f.write_str("; it also takes nkeys or creds"),
                    _ => Ok(()),
                }
            }
            Self::RefusedAgain { patience, sent } => write!(
                f,
                "authorization violation: the server accepted this user before, for which {sent} was given, and has \
                 refused it for longer than {patience:?}"
            ),
            Self::LoginEnded(text) => write!(f, "{}: the server no longer accepts this login", shown(text)),
            Self::LoginTimedOut => f.write_str("the login took longer than the server allows"),
            Self::UnknownCa => f.write_str("unknown CA: no trusted CA has signed the server's certificate"),
            Self::CaAsServer => f.write_str(
                "the server shows the certificate of a CA as its own: it needs a certificate that the CA has signed",
            ),
            Self::NameMismatch(text) => {
                write!(f, "name mismatch: the server's certificate is {}", shown(text))
            }
            Self::Expired(text) => write!(f, "the server's certificate has expired ({})", shown(text)),
            Self::NotYetValid(text) => write!(f, "the server's certificate is not valid yet ({})", shown(text)),
            Self::BadCertificate(text) => write!(f, "the server's certificate is invalid: {}", shown(text)),
            Self::ClientCertificate { was_shown: false } => {
                f.write_str("the server asks for a client certificate, and none is given")
            }
            Self::ClientCertificate { was_shown: true } => {
                f.write_str("the server does not accept the client certificate")
            }
            Self::KeyMismatch => f.write_str("the client certificate and its key do not belong together"),
            Self::NoTls => f.write_str("the server offers no TLS, and TLS is asked for"),
            Self::Silent => f.write_str(
                "the server accepts the connection and sends nothing: it may expect TLS first, or is not a NATS server",
            ),
            Self::TrustStore(text) => {
                write!(f, "the system's trusted certificates cannot be read: {}", shown(text))
            }
            Self::Tls(text) => write!(f, "{}", shown(text)),
            Self::Limit(text) => write!(f, "{}", shown(text)),
            Self::NotNats => f.write_str("what answers there is not a NATS server"),
            Self::Unreachable(text) => write!(f, "{}", shown(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_nats::rustls::pki_types::{ServerName, UnixTime};
    use async_nats::rustls::{AlertDescription, CertificateError, Error, OtherError};

    use super::*;

    fn check(text: &str, expected: &Cause) {
        assert_eq!(Cause::read(text), *expected, "{text}");
        assert_eq!(Cause::read(&format!("IO error: {text}")), *expected, "{text}");
    }

    /// The errors are rustls's own, so another choice of its words fails here.
    #[test]
    fn certificate_problems_are_distinguished() {
        let of = |error: CertificateError| Error::InvalidCertificate(error).to_string();
        check(&of(CertificateError::UnknownIssuer), &Cause::UnknownCa);
        let text = |error: CertificateError| Cause::read(&of(error)).to_string();
        let name = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("db.example").expect("a name"),
            presented: vec!["DnsName(\"nats.example\")".to_owned()],
        };
        assert_eq!(
            text(name),
            r#"name mismatch: the server's certificate is not valid for name "db.example"; certificate is only valid for DnsName("nats.example")"#
        );
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = CertificateError::ExpiredContext {
            time: at(9),
            not_after: at(4),
        };
        assert!(matches!(Cause::read(&of(expired)), Cause::Expired(_)));
        let early = CertificateError::NotValidYetContext {
            time: at(4),
            not_before: at(9),
        };
        assert!(matches!(Cause::read(&of(early)), Cause::NotYetValid(_)));
        let ca = CertificateError::Other(OtherError(Arc::new(std::io::Error::other("CaUsedAsEndEntity"))));
        check(&of(ca), &Cause::CaAsServer);
        check(
            &of(CertificateError::Revoked),
            &Cause::BadCertificate("Revoked".to_owned()),
        );
        check(
            &Error::AlertReceived(AlertDescription::CertificateRequired).to_string(),
            &Cause::ClientCertificate { was_shown: false },
        );
        let alert = Error::AlertReceived(AlertDescription::HandshakeFailure).to_string();
        assert_eq!(Cause::read(&alert).kind(), CauseKind::Tls);
    }

    #[test]
    fn what_the_client_says_is_read_without_its_wrapping() {
        check(
            "Connection refused (os error 111)",
            &Cause::Unreachable("Connection refused (os error 111)".into()),
        );
        assert_eq!(
            Cause::read("DNS error: failed to lookup address information: Name or service not known"),
            Cause::Unreachable("failed to lookup address information: Name or service not known".into())
        );
        assert_eq!(Cause::read("timed out"), Cause::Unreachable("timed out".into()));
        assert_eq!(
            Cause::read("authorization violation: nats: authorization violation").kind(),
            CauseKind::Refused
        );
        assert_eq!(
            Cause::read("failed signing nonce: AuthError(the file a of the token cannot be read: (gone))"),
            Cause::File("the file a of the token cannot be read: (gone)".into())
        );
        assert_eq!(
            Cause::read("IO error: nats: maximum account active connections exceeded"),
            Cause::Limit("maximum account active connections exceeded".into())
        );
        assert_eq!(
            Cause::read("IO error: nats: user authentication expired").kind(),
            CauseKind::Refused
        );
        check("nats: authentication timeout", &Cause::LoginTimedOut);
        check("expected INFO, got nothing", &Cause::NotNats);
    }

    #[test]
    fn a_refusal_claims_no_more_than_what_is_known() {
        let wrong = |sent, is_signed, takes_nkeys| {
            Cause::WrongLogin {
                sent,
                is_signed,
                takes_nkeys,
            }
            .to_string()
        };
        assert_eq!(
            wrong("user and password", false, Some(false)),
            "authorization violation: the server does not accept this user, for which user and password was given"
        );
        assert!(wrong("a token", false, Some(true)).ends_with("it also takes nkeys or creds"));
        assert!(wrong("a creds file", true, Some(false)).contains("takes no nkeys or creds"));
        assert!(!wrong("a creds file", true, None).contains("takes"));
        assert!(
            Cause::NoLogin { takes_nkeys: None }
                .to_string()
                .ends_with("none is given")
        );
    }
}
