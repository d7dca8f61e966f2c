//! [`Hello`]: what a server says of itself before a login, for messages about failures to connect.

use std::time::Duration;

use async_nats::ServerAddr;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the look takes at most. A server says at once what it is.
const LIMIT: Duration = Duration::from_secs(1);

/// What a server sends at first is never longer.
const MAX_BYTES: u64 = 1 << 16;

/// What is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hello {
    /// A NATS server.
    Nats(Info),
    /// It accepts connections and says nothing.
    Silent,
    /// It says something else, or closes the connection.
    Other,
    /// Nothing, or nothing that can be looked at.
    Nothing,
}

/// The parts of a server's INFO that explain a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub(super) tls_required: bool,
    pub(super) tls_available: bool,
    pub(super) tls_verify: bool,
    /// Servers that take nkeys or JWTs send one to be signed.
    pub(super) nonce: String,
}

impl Hello {
    /// Looks at an address. A WebSocket says nothing before its own handshake, so it is not looked at.
    pub(super) async fn of(address: &ServerAddr) -> Self {
        if address.is_websocket() {
            return Self::Nothing;
        }
        let connecting = TcpStream::connect((address.host(), address.port()));
        let Ok(Ok(stream)) = timeout(LIMIT, connecting).await else {
            return Self::Nothing;
        };
        let mut line = Vec::new();
        let mut stream = BufReader::new(stream).take(MAX_BYTES);
        match timeout(LIMIT, stream.read_until(b'\n', &mut line)).await {
            Err(_) if line.is_empty() => Self::Silent,
            Ok(Ok(_)) => Self::read(&line),
            _ => Self::Other,
        }
    }

    fn read(line: &[u8]) -> Self {
        let info = line
            .strip_prefix(b"INFO ")
            .and_then(|json| serde_json::from_slice(json).ok());
        info.map_or(Self::Other, Self::Nats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_server_is_read() {
        let line = br#"INFO {"server_id":"N","version":"2.9.10","auth_required":true,"tls_verify":true,"nonce":"abc"} "#;
        let Hello::Nats(info) = Hello::read(line) else {
            panic!("a NATS server")
        };
        assert!(info.tls_verify && !info.tls_required && info.nonce == "abc");
        for other in ["HTTP/1.1 400 Bad Request", "INFO", "INFO {", ""] {
            assert_eq!(Hello::read(other.as_bytes()), Hello::Other);
        }
    }
}
