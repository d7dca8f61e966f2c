//! Reads [`Servers`] from a text.

use std::net::Ipv6Addr;
use std::str::FromStr;

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use super::{Servers, ServersError};
use crate::service::{Login, Secret};

pub(super) const NO_HOST: ServersError = ServersError("it has no host");
pub(super) const BAD_PORT: ServersError = ServersError(
    "its port is not a number up to 65535; percent-encode `/`, `?`, `#`, `@`, `,` and `:` in a password or token",
);
pub(super) const MORE_THAN_A_HOST: ServersError = ServersError(
    "it has a path, query or fragment, which a NATS address does not take; \
     percent-encode `/`, `?`, `#`, `@`, `,` and `:` in a password or token",
);

pub(super) const EMPTY: ServersError =
    ServersError("there is a comma with no address before or after it; remove the comma");
pub(super) const QUOTED: ServersError =
    ServersError("it is in quotes, which some env files pass on as a part of the value; remove them");
pub(super) const UNBRACKETED: ServersError =
    ServersError("an IPv6 address is written in brackets, e.g. nats://[::1]:4222");
pub(super) const MIXED: ServersError =
    ServersError("ws:// and wss:// cannot be mixed with nats:// and tls:// in one list");

impl FromStr for Servers {
    type Err = ServersError;

    fn from_str(text: &str) -> Result<Self, ServersError> {
        let text = text.trim();
        if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
            return Err(QUOTED);
        }
        let mut addresses = Vec::new();
        let mut login = None;
        for address in text.split(',').map(str::trim) {
            if address.is_empty() {
                return Err(if text.is_empty() { NO_HOST } else { EMPTY });
            }
            if is_bare_ipv6(address) {
                return Err(UNBRACKETED);
            }
            let address: ServerAddr = address.parse().map_err(|error| reason(&error))?;
            if address.host().is_empty() {
                return Err(NO_HOST);
            }
            login = login.or_else(|| login_of(&address));
            addresses.push(without_userinfo(address)?);
        }
        let websockets = addresses.iter().filter(|address| address.is_websocket()).count();
        if websockets != 0 && websockets != addresses.len() {
            return Err(MIXED);
        }
        Ok(Self::new(addresses, login))
    }
}

/// Whether an address, without brackets around it, may be one of IPv6: it has nothing but hexadecimal digits and colons.
fn is_bare_ipv6(address: &str) -> bool {
    let host = address
        .split_once("://")
        .map_or(address, |(_, host)| host)
        .trim_end_matches('/');
    let is_hex = host.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    is_hex && host.matches(':').count() > 1 || host.parse::<Ipv6Addr>().is_ok()
}

fn login_of(address: &ServerAddr) -> Option<Login> {
    let name = Secret::text(address.username().map(unescape)?);
    Some(match address.password().map(unescape) {
        Some(password) => Login::User {
            name,
            password: Secret::text(password),
        },
        None => Login::Token(name),
    })
}

/// The bare address, which is all that is ever shown: a raw `/`, `?` or `#` moves the rest of a password behind the host.
fn without_userinfo(address: ServerAddr) -> Result<ServerAddr, ServersError> {
    let mut url = address.into_inner();
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(MORE_THAN_A_HOST);
    }
    // Both fail for URLs without a host only.
    let removed = url.set_username("").is_ok() && url.set_password(None).is_ok();
    match removed {
        true => ServerAddr::from_url(url).map_err(|error| reason(&error)),
        false => Err(NO_HOST),
    }
}

/// What is wrong, in our own words: the parser's message repeats the scheme, which may be a user or a token.
fn reason(error: &std::io::Error) -> ServersError {
    let text = error.to_string();
    match text.strip_prefix("NATS server URL is invalid: ") {
        Some("empty host") => NO_HOST,
        Some("invalid port number") => BAD_PORT,
        Some(_) => ServersError("it is not a valid URL"),
        None => ServersError("its scheme is none of `nats`, `tls`, `ws` and `wss`"),
    }
}

/// Undoes the percent-encoding that user and password have in a URL.
fn unescape(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
