//! [`ConnectError`]: why a connection could not be made, and what the server and the files say about that.

use async_nats::ServerAddr;

use super::hello::{Hello, Info};
use super::{Cause, CauseKind, Servers};

/// Why a connection could not be made. The message has one cause and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{cause}", introduction(.cause.kind(), .servers))]
pub struct ConnectError {
    servers: String,
    cause: Cause,
}

fn introduction(kind: CauseKind, servers: &str) -> String {
    match kind {
        CauseKind::File => String::new(),
        CauseKind::Refused => format!("NATS at {servers} refuses the connection: "),
        CauseKind::Tls => format!("TLS with NATS at {servers} failed: "),
        CauseKind::Limit => format!("NATS at {servers} accepts no more connections: "),
        CauseKind::Unreachable => format!("NATS at {servers} cannot be reached: "),
    }
}

impl ConnectError {
    /// The error that `cause` makes of a connection to `servers`.
    pub fn new(servers: &Servers, cause: Cause) -> Self {
        Self {
            servers: servers.to_string(),
            cause,
        }
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> CauseKind {
        self.cause.kind()
    }
}

impl Servers {
    /// Why an attempt to connect failed, from the text that async-nats has for it. Where that leaves something open, the
    /// files and the first line that a server sends are looked at, for a second for each address at most.
    pub async fn explain(&self, failure: &str) -> Cause {
        let cause = Cause::read(failure);
        match cause {
            Cause::WrongLogin { .. } => self.refused(self.info().await),
            Cause::ClientCertificate { .. } => self.client_certificate(),
            Cause::Tls(_) => match self.tls.check() {
                Err(error) => Cause::File(error.to_string()),
                Ok(()) => self.tls_failed(cause).await,
            },
            // A server that closes the connection in the middle of TLS, and one that waits for TLS.
            Cause::Unreachable(_) | Cause::NotNats => self.unreachable(cause).await,
            _ => cause,
        }
    }

    fn refused(&self, info: Option<Info>) -> Cause {
        let takes_nkeys = info.map(|info| !info.nonce.is_empty());
        match &self.login {
            None => Cause::NoLogin { takes_nkeys },
            Some(login) => Cause::WrongLogin {
                sent: login.kind(),
                is_signed: login.needs_nonce(),
                takes_nkeys,
            },
        }
    }

    fn client_certificate(&self) -> Cause {
        Cause::ClientCertificate {
            was_shown: self.tls.identity.is_some(),
        }
    }

    async fn tls_failed(&self, cause: Cause) -> Cause {
        match self.info().await {
            Some(info) if !info.tls_required && !info.tls_available => Cause::NoTls,
            Some(_) if self.tls.first => Cause::Tls(
                "the server greets before TLS begins, and --tlsfirst is given: leave it out".to_owned(),
            ),
            Some(info) if info.tls_verify => self.client_certificate(),
            _ => cause,
        }
    }

    async fn unreachable(&self, cause: Cause) -> Cause {
        for address in self.addresses() {
            match Hello::of(address).await {
                Hello::Silent if !self.tls.first => return Cause::Silent,
                Hello::Nats(info) => {
                    let wants_tls = self.tls.is_wanted() || address.tls_required();
                    if wants_tls && !info.tls_required && !info.tls_available {
                        return Cause::NoTls;
                    }
                    if info.tls_verify && is_cut(&cause) {
                        return self.client_certificate();
                    }
                }
                _ => {}
            }
        }
        cause
    }

    /// What the first server that can be looked at says of itself.
    async fn info(&self) -> Option<Info> {
        for address in self.addresses() {
            if let Hello::Nats(info) = Hello::of(address).await {
                return Some(info);
            }
        }
        None
    }
}

/// Whether the server ended a connection that it had accepted.
fn is_cut(cause: &Cause) -> bool {
    let Cause::Unreachable(text) = cause else {
        return true;
    };
    ["reset", "broken pipe", "eof", "closed"]
        .iter()
        .any(|part| text.to_ascii_lowercase().contains(part))
}

/// Whether all of them are encrypted.
pub(super) fn all_encrypted(addresses: &[ServerAddr]) -> bool {
    addresses
        .iter()
        .all(|address| matches!(address.scheme(), "tls" | "wss"))
}
