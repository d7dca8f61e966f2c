//! [`EtcdServers`]: where etcd is, with the secrets kept apart from what may be shown.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Where etcd listens unless its address says otherwise.
const PORT: u16 = 2379;

/// One or more addresses of an etcd cluster, separated by commas. `Debug` and `Display` show no secret.
///
/// User and password may be in any of them; the first that has some counts for all.
#[derive(Clone)]
pub struct EtcdServers {
    addresses: Vec<Url>,
    pub(super) credentials: Option<Credentials>,
}

/// Who reads.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) name: String,
    pub(super) password: String,
}

/// Why a text is no list of addresses. Its message is fixed, so it shows no part of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not the address of an etcd server ({0})")]
pub struct EtcdServersError(&'static str);

impl EtcdServers {
    /// One of the addresses, in turn, without secrets.
    pub(super) fn address(&self, turn: usize) -> &Url {
        &self.addresses[turn % self.addresses.len()]
    }
}

impl FromStr for EtcdServers {
    type Err = EtcdServersError;

    fn from_str(text: &str) -> Result<Self, EtcdServersError> {
        let mut servers = Self {
            addresses: Vec::new(),
            credentials: None,
        };
        for piece in text.split(',').map(str::trim) {
            let (address, credentials) = read(piece)?;
            servers.addresses.push(address);
            servers.credentials = servers.credentials.or(credentials);
        }
        Ok(servers)
    }
}

fn read(text: &str) -> Result<(Url, Option<Credentials>), EtcdServersError> {
    let with_scheme = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    let wrong = |_| {
        EtcdServersError(
            "its host or port cannot be read; percent-encode `/`, `?`, `#`, `@`, `,` and `:` in a password",
        )
    };
    let mut url = Url::parse(&with_scheme).map_err(wrong)?;
    match url.scheme() {
        "http" => {}
        "https" => return Err(EtcdServersError("TLS is not supported for etcd")),
        _ => return Err(EtcdServersError("its scheme is not http")),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(EtcdServersError("it has more than a host and a port"));
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (name, Some(password)) if !name.is_empty() => Some(Credentials {
            name: decode(name),
            password: decode(password),
        }),
        _ => return Err(EtcdServersError("write both user and password, or neither")),
    };
    // The default port of HTTP is not that of etcd, and a URL does not keep it.
    let port = match url.port() {
        None if !with_scheme.trim_end_matches('/').ends_with(":80") => Some(PORT),
        written => written,
    };
    let set = url.set_port(port).and_then(|()| url.set_username("")).is_ok();
    if !set || url.set_password(None).is_err() {
        return Err(EtcdServersError("it has no host"));
    }
    Ok((url, credentials))
}

impl fmt::Display for EtcdServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, address) in self.addresses.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{}", address.as_str().trim_end_matches('/'))?;
        }
        Ok(())
    }
}

impl fmt::Debug for EtcdServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EtcdServers({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them_and_shown_without_secrets() {
        fn check(text: &str, shown: &str, user: Option<(&str, &str)>) {
            let servers: EtcdServers = text.parse().expect(text);
            assert_eq!(servers.to_string(), shown, "{text}");
            assert_eq!(format!("{servers:?}"), format!("EtcdServers({shown})"));
            let credentials = servers.credentials.as_ref();
            assert_eq!(
                credentials.map(|who| (&*who.name, &*who.password)),
                user,
                "{text}"
            );
        }
        check("http://127.0.0.1:2379", "http://127.0.0.1:2379", None);
        check("etcd", "http://etcd:2379", None);
        check("http://etcd:80/", "http://etcd", None);
        check("http://[::1]", "http://[::1]:2379", None);
        check(
            "a:1, http://me:s%2Cecret@b:2",
            "http://a:1,http://b:2",
            Some(("me", "s,ecret")),
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for (text, reason) in [
            ("", "cannot be read"),
            ("https://etcd:2379", "TLS"),
            ("nats://etcd:2379", "scheme"),
            ("http://etcd:2379/v3", "more than"),
            ("http://me@etcd", "both"),
            ("http://:secret@etcd", "both"),
            ("http://me:secret@etcd:99999", "cannot be read"),
            ("http://me:sec/ret@etcd:2379", "cannot be read"),
            ("etcd,", "cannot be read"),
        ] {
            let error = text.parse::<EtcdServers>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
