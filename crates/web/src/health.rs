//! [`ask`]: one request to a program of this house that runs on this machine, for health checks of containers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::address::Address;
use crate::listen::Stream;

/// How much of an answer is read. Those that are asked for have a line or two.
const LONGEST: u64 = 64 * 1024;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// What follows the headers.
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing listens there.
    #[error("nothing listens on {0}: {1}")]
    Connect(String, io::Error),
    /// It does not answer in time.
    #[error("{0} has not answered within {time}", time = in_seconds(.1))]
    Silent(String, Duration),
    /// The connection broke.
    #[error("{0} has not answered: {1}")]
    Broken(String, io::Error),
    /// It speaks something else.
    #[error("what listens on {0} does not speak HTTP")]
    NoHttp(String),
}

/// Asks for a path of the program that serves on an address, as itself knows the address: `0.0.0.0` is asked on the loopback.
/// With `tls` any certificate is accepted: it is this machine that is asked whether it answers, and nothing is sent to it.
///
/// # Errors
/// [`AskError`] where there is no answer within `limit`. An answer with another status than 200 is no error.
pub async fn ask(address: &Address, path: &str, tls: bool, limit: Duration) -> Result<Answer, AskError> {
    let address = reachable(address);
    match timeout(limit, exchange(&address, path, tls)).await {
        Ok(answer) => answer,
        Err(_) => Err(AskError::Silent(address.to_string(), limit)),
    }
}

async fn exchange(address: &Address, path: &str, tls: bool) -> Result<Answer, AskError> {
    let connect = |error| AskError::Connect(address.to_string(), error);
    let broken = |error| AskError::Broken(address.to_string(), error);
    let stream: Box<dyn Stream> = match address {
        Address::Tcp { host, port } => Box::new(
            TcpStream::connect((host.as_str(), *port))
                .await
                .map_err(connect)?,
        ),
        Address::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(connect)?),
    };
    let mut stream: Box<dyn Stream> = match tls {
        false => stream,
        true => {
            let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
            Box::new(connector().connect(name, stream).await.map_err(broken)?)
        }
    };
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nUser-Agent: healthcheck\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut bytes = Vec::new();
    let read = stream.take(LONGEST).read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes);
    match (parse(&text), read) {
        (Some(answer), _) => Ok(answer),
        (None, Err(error)) => Err(broken(error)),
        (None, Ok(_)) => Err(AskError::NoHttp(address.to_string())),
    }
}

fn parse(text: &str) -> Option<Answer> {
    let (head, text) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some(Answer {
        status: status.parse().ok()?,
        text: text.to_owned(),
    })
}

/// Where a program that listens on all addresses can be reached.
fn reachable(address: &Address) -> Address {
    let Address::Tcp { host, port } = address else {
        return address.clone();
    };
    let local = match host.parse() {
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => Ipv6Addr::LOCALHOST.to_string(),
        _ => host.clone(),
    };
    Address::Tcp {
        host: local,
        port: *port,
    }
}

fn in_seconds(time: &Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

fn connector() -> TlsConnector {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Takes any certificate, as long as the server has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_text() {
        let answer = parse("HTTP/1.0 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nwait\n");
        let expected = Answer {
            status: 503,
            text: "wait\n".into(),
        };
        assert_eq!(answer, Some(expected));
        for text in [
            "",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 no\r\n\r\n",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn all_addresses_are_reached_on_the_loopback() {
        for (given, asked) in [
            ("0.0.0.0:9091", "127.0.0.1:9091"),
            ("[::]:9091", "[::1]:9091"),
            ("10.0.0.7:1", "10.0.0.7:1"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            assert_eq!(reachable(&given.parse().unwrap()).to_string(), asked);
        }
    }

    #[tokio::test]
    async fn nothing_that_listens_and_silence_are_distinguished() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: Address = silent.local_addr().unwrap().to_string().parse().unwrap();
        let ask = || ask(&address, "/healthz", false, Duration::from_millis(50));
        let error = ask().await.unwrap_err().to_string();
        assert_eq!(error, format!("{address} has not answered within 0.05 s"));
        drop(silent);
        let error = ask().await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("nothing listens on {address}: ")),
            "{error}"
        );
    }
}
