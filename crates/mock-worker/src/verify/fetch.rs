//! The page of a collector, fetched in the classic format.

use std::time::Duration;

use anyhow::Context;
use ureq::Agent;

/// The longest time that a collector may take for its page.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest page that is read: some thirty times what 10,000 workers take.
const MAX_BYTES: u64 = 256 << 20;

pub(super) fn page(url: &str) -> anyhow::Result<String> {
    // A collector is asked as Prometheus asks it, past whatever proxy the environment names.
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .proxy(None)
        .build()
        .into();
    let response = agent.get(url).header("Accept", "text/plain;version=0.0.4").call();
    response
        .and_then(|mut response| {
            response
                .body_mut()
                .with_config()
                .limit(MAX_BYTES)
                .read_to_string()
        })
        .with_context(|| format!("failed to fetch {url}"))
}
