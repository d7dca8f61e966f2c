//! [`Address`]: where a program listens.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// A port of an address or a host name, or a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A port.
    Tcp {
        /// An address, IPv6 without brackets, or the name of a host.
        host: String,
        /// 0 takes a free one.
        port: u16,
    },
    /// The path of a socket.
    Unix(PathBuf),
}

/// Why a text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no port.
    #[error("it has no port; write e.g. {0}:9091")]
    NoPort(String),
    /// What follows the last colon is no port.
    #[error("{0:?} is not a port from 0 to 65535; write e.g. 127.0.0.1:9091")]
    BadPort(String),
    /// There is no host.
    #[error("it has no host; write 0.0.0.0{0} for all addresses, or 127.0.0.1{0} for this machine only")]
    NoHost(String),
    /// An IPv6 address without brackets, or brackets around something else.
    #[error("an IPv6 address is written in brackets, e.g. [::1]:9091")]
    Brackets,
    /// No path follows `unix:`.
    #[error("it has no path; write e.g. unix:/run/metrics.sock")]
    NoPath,
    /// A host name with characters that none has.
    #[error("{0:?} is not a host name; write e.g. 127.0.0.1:9091, without http:// and without a path")]
    BadHost(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.is_empty() {
                true => Err(AddressError::NoPath),
                false => Ok(Self::Unix(path.into())),
            };
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(AddressError::Brackets)?;
                host.parse::<Ipv6Addr>().map_err(|_| AddressError::Brackets)?;
                let port = port
                    .strip_prefix(':')
                    .ok_or_else(|| AddressError::NoPort(format!("[{host}]")))?;
                (host, port)
            }
            None => {
                let (host, port) = text
                    .rsplit_once(':')
                    .ok_or_else(|| AddressError::NoPort(text.to_owned()))?;
                if text.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
                    return Err(AddressError::Brackets);
                }
                if host.is_empty() {
                    return Err(AddressError::NoHost(text.to_owned()));
                }
                let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
                if !host.chars().all(is_name) {
                    return Err(AddressError::BadHost(host.to_owned()));
                }
                (host, port)
            }
        };
        let port = port.parse().map_err(|_| AddressError::BadPort(port.to_owned()))?;
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_with_a_port_or_a_socket() {
        for text in [
            "127.0.0.1:9091",
            "[::1]:9091",
            "[::]:0",
            "localhost:80",
            "my-host.example:1",
            "unix:/run/x.sock",
            "unix:x.sock",
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_write() {
        fn check(text: &str, expected: &str) {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        check("127.0.0.1", "write e.g. 127.0.0.1:9091");
        check("[::1]", "write e.g. [::1]:9091");
        check("::1:9091", "in brackets");
        check("fe80::1", "in brackets");
        check("[localhost]:1", "in brackets");
        check(":9091", "write 0.0.0.0:9091 for all addresses");
        check("localhost:http", "\"http\" is not a port");
        check("localhost:70000", "\"70000\" is not a port");
        check("http://localhost:9091", "without http://");
        check("a/b:1", "not a host name");
        check("unix:", "it has no path");
    }
}
