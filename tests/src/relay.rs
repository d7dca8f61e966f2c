//! [`Relay`]: what is between the collector and a receiver, sees each request, and can answer in its place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::rustls::ServerConfig;
use async_nats::rustls::crypto::ring;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::Identity;

/// Passes requests to a receiver, or answers them itself. It lasts as long as the test.
#[derive(Debug)]
pub struct Relay {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Vec<u8>>,
    seen: Vec<Seen>,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When it had come as a whole.
    pub at: Instant,
    /// Its first line and its headers.
    pub head: String,
    /// Whether it was passed to the receiver.
    pub is_passed: bool,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

impl Relay {
    /// Begins to pass requests to the receiver at `http://HOST:PORT`.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn to(receiver: &str) -> Self {
        Self::start(receiver, None).await
    }

    /// The same behind TLS, with this certificate.
    ///
    /// # Panics
    /// When there is no free port, or the certificate cannot be used.
    pub async fn encrypted(receiver: &str, identity: &Identity) -> Self {
        let certificates = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
        let certificates = certificates.collect::<Result<_, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring has every version of TLS")
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .expect("a certificate and its key");
        Self::start(receiver, Some(Arc::new(config).into())).await
    }

    async fn start(receiver: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let receiver = receiver.trim_start_matches("http://").to_owned();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, receiver, state) = (tls.clone(), receiver.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => pass(tls.accept(stream).await.ok()?, &receiver, &state).await,
                        None => pass(stream, &receiver, &state).await,
                    }
                });
            }
        });
        Self {
            url: format!("{scheme}://{address}"),
            state,
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers from now on with this status line and these headers, without a body, or passes requests again.
    pub fn answer(&self, answer: Option<&str>) {
        match answer {
            Some(head) => self.answer_with(head, &[]),
            None => self.lock().answer = None,
        }
    }

    /// Answers from now on with this status line, these headers and this body.
    pub fn answer_with(&self, head: &str, body: &[u8]) {
        let head = format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len());
        self.lock().answer = Some([head.as_bytes(), body].concat());
    }

    /// The requests that have come.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes the requests of one connection, until either end closes it.
async fn pass(
    client: impl AsyncRead + AsyncWrite + Unpin,
    receiver: &str,
    state: &Mutex<State>,
) -> Option<()> {
    let mut client = BufReader::new(client);
    loop {
        let (head, body) = message(&mut client).await?;
        let answer = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = state.answer.clone();
            state.seen.push(Seen {
                at: Instant::now(),
                head: head.clone(),
                is_passed: answer.is_none(),
            });
            answer
        };
        let answer = match answer {
            Some(answer) => answer,
            None => {
                let mut receiver = BufReader::new(TcpStream::connect(receiver).await.ok()?);
                receiver.write_all(head.as_bytes()).await.ok()?;
                receiver.write_all(&body).await.ok()?;
                let (head, body) = message(&mut receiver).await?;
                [head.into_bytes(), body].concat()
            }
        };
        client.write_all(&answer).await.ok()?;
        client.flush().await.ok()?;
    }
}

/// The head and the body of a message whose length is given, if it has a body.
async fn message(stream: &mut BufReader<impl AsyncRead + Unpin>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let length = header(&head, "content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = headers.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value)
}
