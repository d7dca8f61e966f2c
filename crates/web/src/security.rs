//! [`Security`]: what a web configuration file says, and what it says after it has changed.

mod clients;
mod file;
mod follow;
mod tls;
mod users;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

use self::file::Sources;
use self::users::Users;

/// Why a web configuration file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct ConfigError {
    path: String,
    reason: String,
}

impl ConfigError {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.display().to_string(),
            reason: reason.into(),
        }
    }
}

/// What holds for each connection and each request: TLS, users, and headers of responses.
#[derive(Debug, Default)]
pub struct Policy {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) users: Users,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Policy {
    fn of(sources: &Sources) -> Result<Self, ConfigError> {
        let config = sources.parse()?;
        let refused = |reason| ConfigError::new(&sources.path, reason);
        let tls = config.tls_server_config;
        let tls = tls.map(|tls| tls::config(&tls, sources)).transpose();
        Ok(Self {
            tls: tls.map_err(refused)?.flatten().map(Arc::new),
            users: Users::new(config.basic_auth_users.unwrap_or_default()).map_err(refused)?,
            headers: file::headers(config.http_server_config).map_err(refused)?,
        })
    }
}

/// The policy in force, and where it comes from.
#[derive(Debug)]
pub struct Security {
    in_force: watch::Sender<Arc<Policy>>,
    sources: Option<Sources>,
}

impl Security {
    /// Reads a web configuration file; without one there is no TLS, and everyone may read.
    ///
    /// # Errors
    /// Where the file, or one that it names, cannot be used.
    pub fn open(path: Option<&PathBuf>) -> Result<Self, ConfigError> {
        let sources = path.map(|path| Sources::read(path)).transpose()?;
        let policy = sources.as_ref().map(Policy::of).transpose()?;
        Ok(Self {
            in_force: watch::Sender::new(Arc::new(policy.unwrap_or_default())),
            sources,
        })
    }

    /// `https` or `http`, as it is now.
    pub fn scheme(&self) -> &'static str {
        match self.in_force.borrow().tls {
            Some(_) => "https",
            None => "http",
        }
    }

    pub(crate) fn policy(&self) -> watch::Receiver<Arc<Policy>> {
        self.in_force.subscribe()
    }
}
