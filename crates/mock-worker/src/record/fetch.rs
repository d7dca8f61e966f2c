//! The JSON API of a collector.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use ureq::Agent;

/// The longest time that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read.
const MAX_BYTES: u64 = 256 << 20;

/// The names of all pools.
pub(super) fn pools(url: &str) -> anyhow::Result<Vec<String>> {
    let answer = get(&format!("{url}/api/v1/pools"))?;
    let pools = answer["pools"].as_array().map_or(&[][..], Vec::as_slice);
    let names = pools.iter().filter_map(|pool| pool["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// The workers of a pool, with the snapshot that shows them.
pub(super) fn workers(url: &str, pool: &str) -> anyhow::Result<Value> {
    let escaped: String = pool.bytes().map(escape).collect();
    get(&format!("{url}/api/v1/workers?pool={escaped}"))
}

fn escape(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

fn get(url: &str) -> anyhow::Result<Value> {
    // A collector is asked past whatever proxy the environment names.
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .proxy(None)
        .build()
        .into();
    let read = || -> Result<String, ureq::Error> {
        let mut response = agent.get(url).call()?;
        response
            .body_mut()
            .with_config()
            .limit(MAX_BYTES)
            .read_to_string()
    };
    let text = read().with_context(|| format!("failed to fetch {url}"))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{url} does not answer with JSON; --url names a collector's page server"))
}
