//! [`Servers::redact`]: a text that may be a list of addresses, made safe to show.

use std::net::Ipv6Addr;

use super::Servers;

/// The schemes that [`Servers::redact`] may show: those of NATS, and those that are written by mistake.
const KNOWN_SCHEMES: [&str; 6] = ["nats", "tls", "ws", "wss", "http", "https"];

impl Servers {
    /// A text that may not even be a list of addresses, with all that may be secret replaced by `***`.
    ///
    /// A secret may hold commas and `@`, so all up to the last `@` is hidden. What follows is shown only if all of it is
    /// plain hosts and ports: a single odd piece means that any of its neighbours may belong to a secret.
    ///
    /// A secret that is itself a valid host or port is shown: `nats://me:12345`, without an `@`, is an address.
    pub fn redact(text: &str) -> String {
        if text.trim().is_empty() {
            return String::new();
        }
        let (hidden, shown) = match text.rsplit_once('@') {
            Some((_, behind)) => ("***@", behind),
            None => ("", text),
        };
        let pieces: Vec<&str> = shown.split(',').map(str::trim).collect();
        let is_plain = pieces.iter().enumerate().all(|(index, piece)| {
            // A scheme does not follow an `@`.
            let may_have_scheme = index > 0 || hidden.is_empty();
            is_host_and_port(piece) || (may_have_scheme && is_plain_address(piece))
        });
        match is_plain {
            true => format!("{hidden}{}", pieces.join(",")),
            false => "***".to_owned(),
        }
    }
}

fn is_plain_address(text: &str) -> bool {
    match text.split_once("://") {
        Some((scheme, rest)) => KNOWN_SCHEMES.contains(&scheme) && is_host_and_port(rest),
        None => is_host_and_port(text),
    }
}

fn is_host_and_port(text: &str) -> bool {
    // The colons of an IPv6 address are within its brackets.
    let host_end = text.find(']').map_or_else(|| text.find(':'), |end| Some(end + 1));
    let (host, port) = text.split_at(host_end.unwrap_or(text.len()));
    is_host(host) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
        None => {
            let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            !text.is_empty() && text.chars().all(is_host_char)
        }
    }
}

fn is_port(text: &str) -> bool {
    // `u16` alone would take a `+` too.
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}
