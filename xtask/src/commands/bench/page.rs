//! The collector's page: what it reports of its own work, and how long it takes to be served.
//!
//! A page of a hundred thousand workers has hundreds of megabytes. It is read as a stream, and only lines about the
//! collector and its pools are looked at. Of labels, only the one that splits a family is read.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ureq::{Agent, Body};

/// What Prometheus asks for, so that no second format is rendered.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0";
const LIMIT: Duration = Duration::from_secs(60);
const CHUNK: usize = 1 << 18;

/// What one page says, all pools together.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Scrape {
    /// Fresh workers.
    pub(super) fresh: f64,
    /// Rounds by how they ended.
    pub(super) rounds: BTreeMap<String, f64>,
    /// Replies by their result.
    pub(super) replies: BTreeMap<String, f64>,
    /// Events by their result.
    pub(super) events: BTreeMap<String, f64>,
    /// The time that rounds took, in seconds, and their number.
    pub(super) duration: (f64, f64),
    /// When the latest round ended, in Unix seconds.
    pub(super) snapshot_at: Option<f64>,
}

impl Scrape {
    pub(super) fn all_rounds(&self) -> f64 {
        self.rounds.values().sum()
    }

    /// The mean round between an earlier page and this one, in seconds; `None` where there was none.
    pub(super) fn mean_round_since(&self, earlier: &Self) -> Option<f64> {
        let count = self.duration.1 - earlier.duration.1;
        (count > 0.0).then(|| (self.duration.0 - earlier.duration.0) / count)
    }

    fn take_in(&mut self, line: &str) -> Option<()> {
        let (name, labels, value) = sample(line)?;
        let count = |counts: &mut BTreeMap<String, f64>, label: &str| {
            let by = label_value(labels, label)?;
            *counts.entry(by.to_owned()).or_default() += value;
            Some(())
        };
        match name {
            "llm_pool_workers" if label_value(labels, "state") == Some("fresh") => self.fresh += value,
            "llm_collector_rounds_total" => count(&mut self.rounds, "finish")?,
            "llm_collector_replies_total" => count(&mut self.replies, "result")?,
            "llm_collector_events_total" => count(&mut self.events, "result")?,
            "llm_collector_round_duration_seconds_sum" => self.duration.0 += value,
            "llm_collector_round_duration_seconds_count" => self.duration.1 += value,
            "llm_collector_snapshot_timestamp_seconds" => {
                self.snapshot_at = Some(self.snapshot_at.unwrap_or(value).max(value));
            }
            _ => {}
        }
        Some(())
    }
}

/// Samples that are summed: all of a name, or those with one value of a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) label: Option<(&'static str, &'static str)>,
}

impl Series {
    fn has(&self, name: &str, labels: &str) -> bool {
        let is_value = |(label, value): (&str, &str)| label_value(labels, label) == Some(value);
        self.name == name && self.label.is_none_or(is_value)
    }
}

/// A sample's name, its labels as they are written, and its value.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => rest.rsplit_once('}')?,
        None => ("", rest),
    };
    Some((name, labels, value.split_whitespace().next()?.parse().ok()?))
}

/// The value of a label with this name; results and states hold nothing that is escaped.
fn label_value<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let mut starts = labels.match_indices(name).map(|(at, _)| at);
    let start = starts.find(|at| {
        let before = labels[..*at].chars().next_back();
        matches!(before, None | Some(',')) && labels[at + name.len()..].starts_with("=\"")
    })?;
    labels[start + name.len() + 2..].split('"').next()
}

/// A page on the loopback, asked for on one connection that stays open.
#[derive(Debug)]
pub(super) struct Page {
    agent: Agent,
    url: String,
    port: u16,
}

impl Page {
    pub(super) fn new(port: u16) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .proxy(None)
            .build();
        Self {
            agent: agent.into(),
            url: format!("http://127.0.0.1:{port}/metrics"),
            port,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Reads the page.
    pub(super) fn scrape(&self) -> Result<Scrape> {
        let mut scrape = Scrape::default();
        self.each_line(|line| {
            let is_known = line.starts_with("llm_collector_") || line.starts_with("llm_pool_workers");
            if !is_known {
                return Some(());
            }
            scrape.take_in(line)
        })?;
        Ok(scrape)
    }

    /// Reads the page, and adds up the samples of each series over all pools and workers; 0 where there are none.
    pub(super) fn sums<const N: usize>(&self, series: &[Series; N]) -> Result<[f64; N]> {
        let mut sums = [0.0; N];
        self.each_line(|line| {
            if line.starts_with('#') {
                return Some(());
            }
            let (name, labels, value) = sample(line)?;
            for (series, sum) in series.iter().zip(&mut sums) {
                if series.has(name, labels) {
                    *sum += value;
                }
            }
            Some(())
        })?;
        Ok(sums)
    }

    /// Gives each line of the page to `take`, which returns `None` where it does not understand one.
    fn each_line(&self, mut take: impl FnMut(&str) -> Option<()>) -> Result<()> {
        let mut lines = BufReader::with_capacity(CHUNK, self.get()?.into_reader());
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .with_context(|| self.failed())?
            > 0
        {
            let text = String::from_utf8_lossy(&line);
            take(text.trim_end()).with_context(|| format!("failed to understand {text}"))?;
            line.clear();
        }
        Ok(())
    }

    /// Fetches the page to its end without looking at it; gives the time from the request, and the page's size. It reads
    /// from the socket itself, because what a client library adds would be measured with it.
    pub(super) fn fetch(&self) -> Result<(Duration, u64)> {
        let mut chunk = vec![0; CHUNK];
        let asked = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).with_context(|| self.failed())?;
        stream.set_read_timeout(Some(LIMIT))?;
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {FORMAT}\r\nConnection: close\r\n\r\n"
        );
        stream
            .write_all(request.as_bytes())
            .with_context(|| self.failed())?;
        let mut size = 0;
        loop {
            match stream.read(&mut chunk).with_context(|| self.failed())? {
                0 => return Ok((asked.elapsed(), size)),
                read => size += read as u64,
            }
        }
    }

    fn get(&self) -> Result<Body> {
        let request = self.agent.get(&self.url).header("Accept", FORMAT);
        let response = request.header("Accept-Encoding", "identity").call();
        Ok(response.with_context(|| self.failed())?.into_body())
    }

    fn failed(&self) -> String {
        format!("failed to read {}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"llm_pool_workers{dynamo_namespace="dynamo",state="fresh"} 9
llm_pool_workers{dynamo_namespace="odd,state=\"fresh",state="stale"} 2
llm_pool_workers{state="fresh",dynamo_component="other"} 1
llm_collector_rounds_total{component="c",finish="complete"} 7
llm_collector_rounds_total{component="c",finish="stall"} 2
llm_collector_rounds_total{component="d",finish="complete"} 3
llm_collector_replies_total{result="ok"} 90
llm_collector_replies_total{result="late"} 4
llm_collector_events_total{result="ok"} 5
llm_collector_round_duration_seconds_bucket{le="0.1"} 7
llm_collector_round_duration_seconds_sum{component="c"} 0.5
llm_collector_round_duration_seconds_count{component="c"} 10
llm_collector_snapshot_timestamp_seconds{component="c"} 1767323045.25
llm_collector_nats_connected 1
llm_collector_build_info{version="0.1.0",revision="unknown"} 1"#;

    fn scrape(page: &str) -> Scrape {
        let mut scrape = Scrape::default();
        for line in page.lines() {
            scrape.take_in(line).expect(line);
        }
        scrape
    }

    #[test]
    fn the_page_is_read_whatever_the_labels_of_a_pool_are_called() {
        let scrape = scrape(PAGE);
        assert_eq!(scrape.fresh, 10.0);
        assert_eq!(scrape.all_rounds(), 12.0);
        assert_eq!(scrape.rounds["complete"], 10.0);
        assert_eq!(scrape.replies["late"], 4.0);
        assert_eq!(scrape.events["ok"], 5.0);
        assert_eq!(scrape.duration, (0.5, 10.0));
        assert_eq!(scrape.snapshot_at, Some(1_767_323_045.25));
    }

    #[test]
    fn the_mean_round_is_of_the_rounds_between_two_pages() {
        let page = |sum: f64, count: f64| Scrape {
            duration: (sum, count),
            ..Scrape::default()
        };
        assert_eq!(page(3.0, 14.0).mean_round_since(&page(1.0, 10.0)), Some(0.5));
        assert_eq!(page(3.0, 14.0).mean_round_since(&page(3.0, 14.0)), None);
    }

    #[test]
    fn a_label_is_found_by_its_whole_name() {
        let check = |labels: &str, expected: Option<&str>| {
            assert_eq!(label_value(labels, "state"), expected, "{labels}");
        };
        check(r#"state="fresh""#, Some("fresh"));
        check(r#"a="b",state="gone",c="d""#, Some("gone"));
        check(r#"substate="x""#, None);
        check(r#"states="x""#, None);
        check("", None);
    }

    #[test]
    fn a_line_that_is_no_sample_is_not_understood() {
        for line in [
            "",
            "llm_collector_up",
            "llm_collector_up{a=\"b\"",
            "llm_collector_up x",
        ] {
            assert_eq!(Scrape::default().take_in(line), None, "{line}");
        }
    }

    #[test]
    fn a_series_has_the_samples_of_its_name_and_its_label() {
        let has = |label, line| {
            let (name, labels, _) = sample(line).unwrap();
            let name_of_all = "llm_frontend_requests_total";
            Series {
                name: name_of_all,
                label,
            }
            .has(name, labels)
        };
        let line = "llm_frontend_requests_total{joined=\"yes\"} 7";
        assert!(has(None, line));
        assert!(has(Some(("joined", "yes")), line));
        assert!(!has(Some(("joined", "no")), line));
        assert!(!has(None, "llm_frontend_requests_total_x{joined=\"yes\"} 7"));
        assert_eq!(sample("up 1 17"), Some(("up", "", 1.0)));
        assert_eq!(sample("up one"), None);
    }
}
