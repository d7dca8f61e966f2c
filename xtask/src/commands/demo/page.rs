//! The collector's page, read as classic text: whether the workers are there.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use ureq::Agent;

/// What one look at the page shows of a pool.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct View {
    /// How many workers are fresh.
    pub(crate) fresh: f64,
    /// How many rounds the collector has made, however they ended.
    pub(crate) rounds: f64,
}

/// The labels of one pool.
#[derive(Debug)]
pub(crate) struct Pool {
    labels: [(&'static str, String); 3],
}

impl Pool {
    pub(crate) fn new(namespace: &str, component: &str, endpoint: &str) -> Self {
        let labels = [
            ("dynamo_namespace", namespace),
            ("dynamo_component", component),
            ("dynamo_endpoint", endpoint),
        ]
        .map(|(k, v)| (k, v.to_owned()));
        Self { labels }
    }

    fn has(&self, sample: &Sample) -> bool {
        self.labels
            .iter()
            .all(|(name, value)| sample.labels.get(*name) == Some(value))
    }
}

/// A page on the loopback.
#[derive(Debug)]
pub(crate) struct Page {
    agent: Agent,
    url: String,
}

impl Page {
    pub(crate) fn new(port: u16) -> Self {
        // Whatever proxy the environment names, the loopback is not reached by it.
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(2)))
            .proxy(None)
            .build();
        Self {
            agent: agent.into(),
            url: format!("http://127.0.0.1:{port}/metrics"),
        }
    }

    /// Reads the page.
    ///
    /// # Errors
    /// When there is no answer, or not a good one.
    pub(crate) fn read(&self, pool: &Pool) -> Result<View> {
        let response = self
            .agent
            .get(&self.url)
            .header("Accept", "text/plain;version=0.0.4")
            .call();
        let text = response.and_then(|mut response| response.body_mut().read_to_string());
        let text = text.with_context(|| format!("failed to read {}", self.url))?;
        Ok(view(&text, pool))
    }
}

#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

fn view(page: &str, pool: &Pool) -> View {
    let mut view = View::default();
    for sample in page.lines().filter_map(sample).filter(|sample| pool.has(sample)) {
        if sample.name == "llm_pool_workers"
            && sample.labels.get("state").is_some_and(|state| state == "fresh")
        {
            view.fresh = sample.value;
        }
        if sample.name == "llm_collector_rounds_total" {
            view.rounds += sample.value;
        }
    }
    view
}

/// `name{label="value",...} value`; `None` for comments, blank lines and what else is not a sample with labels.
fn sample(line: &str) -> Option<Sample> {
    let (name, mut rest) = line.split_once('{')?;
    if name.starts_with('#') {
        return None;
    }
    let mut labels = BTreeMap::new();
    while let Some((label, after)) = rest.split_once("=\"").filter(|_| !rest.starts_with('}')) {
        let (value, after) = quoted(after)?;
        labels.insert(label.trim().to_owned(), value);
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
    let value = rest.strip_prefix('}')?.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// A label's value up to its closing quote, without its escapes, and what comes after the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# HELP llm_pool_workers Workers {by state}
# TYPE llm_pool_workers gauge
llm_pool_workers{dynamo_namespace="dynamo",dynamo_component="c",dynamo_endpoint="e",state="stale"} 7
llm_pool_workers{dynamo_namespace="dynamo",dynamo_component="c",dynamo_endpoint="e",state="late"} 5
llm_pool_workers{state="fresh",dynamo_endpoint="e",dynamo_namespace="dynamo",dynamo_component="c"} 2
llm_pool_workers{dynamo_namespace="other",dynamo_component="c",dynamo_endpoint="e",state="fresh"} 9

llm_worker_requests_waiting{dynamo_namespace="dynamo",dynamo_component="c",dynamo_endpoint="e",worker_id="5"} 1.0
llm_worker_kv_blocks_active{dynamo_namespace="dynamo",dynamo_component="c",dynamo_endpoint="e",worker_id="5"} 10 1700000000000
llm_worker_kv_blocks_capacity{dynamo_namespace="dynamo",dynamo_component="c",dynamo_endpoint="e",worker_id="5"} 20
llm_worker_kv_blocks_capacity{dynamo_namespace="other",dynamo_component="c",dynamo_endpoint="e",worker_id="6"} 20
llm_collector_rounds_total{dynamo_namespace="dynamo",dynamo_component="c",dynamo_endpoint="e",finish="complete"} 5
llm_collector_rounds_total{dynamo_namespace="dynamo",dynamo_component="c",dynamo_endpoint="e",finish="stall"} 1
llm_collector_rounds_total{dynamo_namespace="other",dynamo_component="c",dynamo_endpoint="e",finish="stall"} 40
llm_collector_nats_connected 1
"#;

    #[test]
    fn the_view_counts_the_fresh_workers_of_the_pool_and_of_no_other() {
        let view = view(PAGE, &Pool::new("dynamo", "c", "e"));
        assert_eq!(view.fresh, 2.0);
        assert_eq!(view.rounds, 6.0);
    }

    #[test]
    fn a_page_without_the_pool_shows_no_workers() {
        assert_eq!(view(PAGE, &Pool::new("dynamo", "C", "e")), View::default());
        assert_eq!(view("", &Pool::new("dynamo", "c", "e")), View::default());
    }

    #[test]
    fn labels_may_hold_whatever_a_label_may_hold() {
        let line = r#"m{a="x\"y\\z\n",b="}, c=\"1\"",empty=""} 1e3"#;
        let sample = sample(line).unwrap();
        let labels = [("a", "x\"y\\z\n"), ("b", "}, c=\"1\""), ("empty", "")];
        assert_eq!(
            sample.labels,
            labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
        assert_eq!(sample.value, 1000.0);
    }

    #[test]
    fn lines_that_are_no_samples_are_passed_over() {
        for line in [
            "",
            "# EOF",
            "m 1",
            "m{a=\"",
            "m{a=\"b\"",
            "m{a=\"b\"} one",
            "m{a=\"\\",
        ] {
            assert_eq!(sample(line), None, "{line}");
        }
    }
}
