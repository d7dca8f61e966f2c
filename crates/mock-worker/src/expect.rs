//! What a scenario promises of a collector: bounds on what its page shows, and alerts that must or must not fire.

mod catalogue;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use sim::nanos::Nanos;

use crate::page::Page;

/// The promises of a scenario. In TOML:
///
/// ```toml
/// [[bound]]
/// metric = "llm_pool_requests_waiting"
/// labels = { dynamo_endpoint = "generate" }
/// min = 1
/// from = "35s"
///
/// [alerts]
/// must = ["LlmQueueBacklog"]
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// What the page shows.
    pub bound: Vec<Bound>,
    /// Which alerts fire.
    pub alerts: Alerts,
}

/// Bounds of a metric. They hold for every sample that has the labels, and there is one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The metric, with `_total` where the page has it.
    pub metric: String,
    /// Labels that its samples have among others.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The least that a sample may be.
    pub min: Option<f64>,
    /// The most that a sample may be.
    pub max: Option<f64>,
    /// The virtual time from which on this holds; from the start where absent.
    #[serde(default, deserialize_with = "duration")]
    pub from: Option<Duration>,
    /// The virtual time up to which this holds, that time included; to the end where absent.
    #[serde(default, deserialize_with = "duration")]
    pub until: Option<Duration>,
}

/// Which alerts fire until a scenario is over: those of `must`, and no other. `must_not` says of which this is worth saying.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// These fire at least once.
    pub must: Vec<Alert>,
    /// These never fire.
    pub must_not: Vec<Alert>,
}

/// An alert, by its name in the rules of Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the rules say what each alert means")]
pub enum Alert {
    LlmCollectorDown,
    LlmSnapshotStale,
    LlmNoWorkers,
    LlmWorkersStale,
    LlmFleetShrunk,
    LlmQueueBacklog,
    LlmPoolSaturated,
    LlmKvNearFull,
    LlmImbalance,
    LlmHitRateDrop,
    LlmInvalidStats,
    LlmWorkerFlapping,
    LlmFlatline,
    LlmSlotsIdleButQueue,
    LlmDuplicateWorker,
}

/// Why promises can never be kept.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectError {
    /// A bound is on no metric.
    #[error("a bound has no metric; write e.g. metric = \"llm_pool_requests_waiting\"")]
    NoMetric,
    /// A bound has neither end.
    #[error("the bound on {metric} has neither min nor max; give one of them")]
    NoLimit {
        /// The metric.
        metric: String,
    },
    /// An end of a bound is infinite or no number.
    #[error("the bound on {metric} has {limit} as a limit; leave the limit out where there is none")]
    NotFinite {
        /// The metric.
        metric: String,
        /// The limit.
        limit: f64,
    },
    /// The least is above the most.
    #[error("the bound on {metric} has min = {min}, above max = {max}")]
    Reversed {
        /// The metric.
        metric: String,
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// The time ends before it begins.
    #[error("the bound on {metric} holds from {from:?} until {until:?}, which is before")]
    NeverHolds {
        /// The metric.
        metric: String,
        /// When it begins.
        from: Duration,
        /// When it ends.
        until: Duration,
    },
    /// A bound is on a metric that the collector does not have.
    #[error("the collector has no metric {metric}{hint}; docs/metrics.md lists all")]
    UnknownMetric {
        /// The metric.
        metric: String,
        /// What may have been meant.
        hint: String,
    },
    /// A bound has a label that is nearly one of the metric's.
    #[error("the metric {metric} has no label {label}; did you mean `{meant}`?")]
    UnknownLabel {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
        /// What was meant.
        meant: &'static str,
    },
    /// An alert both must and must not fire.
    #[error("{0} is in both must and must_not")]
    Contradiction(Alert),
}

impl Expect {
    /// Makes sure that the promises can be kept.
    ///
    /// # Errors
    /// [`ExpectError`] for the first that cannot.
    pub fn validate(&self) -> Result<(), ExpectError> {
        self.bound.iter().try_for_each(Bound::validate)?;
        let must: BTreeSet<Alert> = self.alerts.must.iter().copied().collect();
        match self.alerts.must_not.iter().find(|alert| must.contains(alert)) {
            Some(alert) => Err(ExpectError::Contradiction(*alert)),
            None => Ok(()),
        }
    }

    /// The bounds that a page breaks which shows the time `time_ns`, in nanoseconds of virtual time: a sentence for
    /// each bound.
    pub fn broken(&self, page: &Page, time_ns: u64) -> Vec<String> {
        let time = Duration::from_nanos(time_ns);
        self.bound
            .iter()
            .filter(|bound| bound.holds_at(time))
            .filter_map(|bound| bound.broken(page))
            .collect()
    }
}

impl Bound {
    fn validate(&self) -> Result<(), ExpectError> {
        let metric = self.metric.clone();
        if metric.is_empty() {
            return Err(ExpectError::NoMetric);
        }
        let meant = catalogue::meant_metric(&metric);
        if meant.is_some() || catalogue::is_unknown(&metric) {
            let hint = meant
                .map(|meant| format!("; did you mean `{meant}`?"))
                .unwrap_or_default();
            return Err(ExpectError::UnknownMetric { metric, hint });
        }
        let near = self
            .labels
            .keys()
            .find_map(|label| Some((label, catalogue::meant_label(&metric, label)?)));
        if let Some((label, meant)) = near {
            let label = label.clone();
            return Err(ExpectError::UnknownLabel { metric, label, meant });
        }
        let limits = [self.min, self.max];
        if let Some(limit) = limits.into_iter().flatten().find(|limit| !limit.is_finite()) {
            return Err(ExpectError::NotFinite { metric, limit });
        }
        match (self.min, self.max) {
            (None, None) => return Err(ExpectError::NoLimit { metric }),
            (Some(min), Some(max)) if min > max => return Err(ExpectError::Reversed { metric, min, max }),
            _ => {}
        }
        match (self.from, self.until) {
            (Some(from), Some(until)) if from > until => Err(ExpectError::NeverHolds { metric, from, until }),
            _ => Ok(()),
        }
    }

    /// Whether it holds at all times.
    pub fn holds_always(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// Whether it holds at a virtual time.
    pub fn holds_at(&self, time: Duration) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time <= until)
    }

    /// How the page breaks it, or `None` where it does not. Of many samples that do, the first is reported.
    pub fn broken(&self, page: &Page) -> Option<String> {
        let labels: Vec<(&str, &str)> = self
            .labels
            .iter()
            .map(|(label, value)| (label.as_str(), value.as_str()))
            .collect();
        if page.absent(&self.metric, &labels) {
            return Some(format!("{self} is absent; it must be {}", self.range()));
        }
        let mut outside = page
            .samples(&self.metric, &labels)
            .filter(|sample| !self.contains(sample.value));
        let first = outside.next()?;
        let others = match outside.count() {
            0 => String::new(),
            1 => "; so does 1 other sample".to_owned(),
            more => format!("; so do {more} other samples"),
        };
        Some(format!(
            "{} is {} and breaks its bound, it must be {}{others}",
            first.series(),
            first.value,
            self.range()
        ))
    }

    /// No number is in no range.
    fn contains(&self, value: f64) -> bool {
        value >= self.min.unwrap_or(f64::NEG_INFINITY) && value <= self.max.unwrap_or(f64::INFINITY)
    }

    fn range(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => format!("{min}"),
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "there".to_owned(),
        }
    }
}

impl fmt::Display for Bound {
    /// Metric and labels, as on a page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::page::series(&self.metric, &self.labels))
    }
}

impl Alert {
    /// All alerts.
    pub const ALL: [Self; 15] = [
        Self::LlmCollectorDown,
        Self::LlmSnapshotStale,
        Self::LlmNoWorkers,
        Self::LlmWorkersStale,
        Self::LlmFleetShrunk,
        Self::LlmQueueBacklog,
        Self::LlmPoolSaturated,
        Self::LlmKvNearFull,
        Self::LlmImbalance,
        Self::LlmHitRateDrop,
        Self::LlmInvalidStats,
        Self::LlmWorkerFlapping,
        Self::LlmFlatline,
        Self::LlmSlotsIdleButQueue,
        Self::LlmDuplicateWorker,
    ];
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Nanos::deserialize(deserializer).map(|time| Some(time.duration()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "a{pool=\"x\",w=\"1\"} 3\na{pool=\"x\",w=\"2\"} 9\na{pool=\"y\",w=\"3\"} 10\nb NaN\n";

    fn bound(json: &str) -> Bound {
        serde_json::from_str(json).expect("it is a bound")
    }

    #[test]
    fn nothing_is_promised_unless_said() {
        let expect: Expect = serde_json::from_str("{}").expect("all has defaults");
        assert_eq!(expect, Expect::default());
        assert_eq!(expect.validate(), Ok(()));
        assert!(
            expect
                .broken(&Page::parse(PAGE).expect("it is a page"), 0)
                .is_empty()
        );
    }

    #[test]
    fn a_scenario_is_read_by_names_and_times_with_units() {
        let json = r#"{"bound": [{"metric": "a", "labels": {"w": "1"}, "max": 3, "from": "35s", "until": "1m 5s"}],
            "alerts": {"must": ["LlmQueueBacklog"], "must_not": ["LlmFlatline"]}}"#;
        let expect: Expect = serde_json::from_str(json).expect("it is well written");
        let bound = &expect.bound[0];
        assert_eq!(
            (bound.from, bound.until),
            (Some(Duration::from_secs(35)), Some(Duration::from_secs(65)))
        );
        assert_eq!(expect.alerts.must, [Alert::LlmQueueBacklog]);
        assert_eq!(expect.alerts.must_not[0].to_string(), "LlmFlatline");
    }

    #[test]
    fn what_is_written_wrong_is_refused() {
        fn check(json: &str, expected: &str) {
            let error = serde_json::from_str::<Expect>(json).expect_err(json).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        check(r#"{"bounds": []}"#, "unknown field `bounds`");
        check(r#"{"bound": [{"min": 1}]}"#, "missing field `metric`");
        check(
            r#"{"bound": [{"metric": "a", "maximum": 1}]}"#,
            "unknown field `maximum`",
        );
        check(
            r#"{"bound": [{"metric": "a", "from": "soon"}]}"#,
            "expected number at 0; write e.g. 2, 2s, 1m 30s or 500ms",
        );
        check(
            r#"{"alerts": {"must": ["LlmNothing"]}}"#,
            "unknown variant `LlmNothing`",
        );
    }

    #[test]
    fn promises_that_cannot_be_kept_are_refused() {
        fn check(json: &str, expected: &str) {
            let expect: Expect = serde_json::from_str(json).expect(json);
            assert_eq!(
                expect.validate().map_err(|error| error.to_string()),
                Err(expected.to_owned())
            );
        }
        check(
            r#"{"bound": [{"metric": "", "min": 1}]}"#,
            "a bound has no metric; write e.g. metric = \"llm_pool_requests_waiting\"",
        );
        check(
            r#"{"bound": [{"metric": "a"}]}"#,
            "the bound on a has neither min nor max; give one of them",
        );
        check(
            r#"{"bound": [{"metric": "a", "min": 2, "max": 1}]}"#,
            "the bound on a has min = 2, above max = 1",
        );
        check(
            r#"{"bound": [{"metric": "a", "min": 2, "from": "2s", "until": "1s"}]}"#,
            "the bound on a holds from 2s until 1s, which is before",
        );
        check(
            r#"{"alerts": {"must": ["LlmFlatline"], "must_not": ["LlmImbalance", "LlmFlatline"]}}"#,
            "LlmFlatline is in both must and must_not",
        );
        let endless = Bound {
            max: Some(f64::INFINITY),
            ..bound(r#"{"metric": "a"}"#)
        };
        assert!(matches!(endless.validate(), Err(ExpectError::NotFinite { .. })));
    }

    #[test]
    fn a_bound_holds_for_every_sample_with_its_labels() {
        fn check(json: &str, expected: Option<&str>) {
            let page = Page::parse(PAGE).expect("it is a page");
            assert_eq!(bound(json).broken(&page).as_deref(), expected, "{json}");
        }
        check(r#"{"metric": "a", "min": 3, "max": 10}"#, None);
        check(r#"{"metric": "a", "labels": {"pool": "x"}, "max": 9}"#, None);
        check(
            r#"{"metric": "a", "labels": {"pool": "x"}, "max": 8}"#,
            Some(r#"a{pool="x",w="2"} is 9 and breaks its bound, it must be at most 8"#),
        );
        check(
            r#"{"metric": "a", "min": 100}"#,
            Some(
                r#"a{pool="x",w="1"} is 3 and breaks its bound, it must be at least 100; so do 2 other samples"#,
            ),
        );
        check(
            r#"{"metric": "a", "labels": {"pool": "z"}, "min": 0, "max": 0}"#,
            Some(r#"a{pool="z"} is absent; it must be 0"#),
        );
        check(
            r#"{"metric": "b", "min": 0}"#,
            Some("b is NaN and breaks its bound, it must be at least 0"),
        );
    }

    #[test]
    fn a_bound_holds_in_its_time_alone() {
        let expect = Expect {
            bound: vec![bound(r#"{"metric": "c", "min": 0, "from": "2s", "until": "3s"}"#)],
            alerts: Alerts::default(),
        };
        let page = Page::parse(PAGE).expect("it is a page");
        let broken = [1_999_999_999, 2_000_000_000, 3_000_000_000, 3_000_000_001]
            .map(|time| expect.broken(&page, time).len());
        assert_eq!(broken, [0, 1, 1, 0]);
    }
}
