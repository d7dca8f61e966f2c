//! The log: on stderr, as text or JSON, as much as `RUST_LOG` says.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;

/// What async-nats logs by itself is said by our own events, in words that people know.
const DEFAULT_FILTER: &str = "info,async_nats=off";

/// Sends the log of this process to stderr; without colours where that is no terminal.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}
