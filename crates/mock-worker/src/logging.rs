//! How much is logged: as `RUST_LOG` says.

use program::{Log, LogFormat};
use tracing::warn;
use tracing_subscriber::EnvFilter;

/// What async-nats logs by itself is said by our own events, in words that people know.
const DEFAULT_FILTER: &str = "info,async_nats=off";

/// Records events in the log of this process.
pub fn start(log: &Log, format: LogFormat) {
    let wanted = std::env::var_os(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let (filter, fault) = filter(&wanted.to_string_lossy());
    log.record(filter, format);
    if let Some(error) = fault {
        warn!(RUST_LOG = ?wanted, used = DEFAULT_FILTER, error, "RUST_LOG is not a filter; the default is used");
    }
}

/// The filter that is wanted, or the default: silently where nothing is wanted, else with what is wrong.
fn filter(wanted: &str) -> (EnvFilter, Option<String>) {
    let default = || EnvFilter::new(DEFAULT_FILTER);
    if wanted.is_empty() {
        return (default(), None);
    }
    match EnvFilter::try_new(wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (default(), Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_filter_is_none_and_a_wrong_one_is_reported() {
        let shown = |wanted| {
            let (filter, fault) = filter(wanted);
            (filter.to_string(), fault.is_some())
        };
        let default = EnvFilter::new(DEFAULT_FILTER).to_string();
        assert_eq!(shown(""), (default.clone(), false));
        assert_eq!(shown("debug"), ("debug".to_owned(), false));
        assert_eq!(shown("info,=,x=loud"), (default, true));
    }
}
