//! [`Sort`]: by what the workers of a pool are put in order, and which a filter leaves.

use std::cmp::Ordering;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WorkerRow;

/// By what workers are put in order. Those that do not have the figure are last, and equal ones are in the order of their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Stale ones first, then by saturation, the largest first.
    #[default]
    Severity,
    /// By id.
    Id,
    /// By host, then by id.
    Host,
    /// The largest KV use first.
    Kv,
    /// The most used slots first.
    Slots,
    /// The longest queue first.
    Waiting,
    /// The most requests per second first.
    Requests,
    /// The largest ratio of errors first.
    Errors,
    /// The smallest hit ratio first.
    Hits,
    /// Those that have been silent for longest first.
    Seen,
    /// The youngest first.
    Uptime,
    /// The most restarts first.
    Restarts,
}

/// A text that names no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an order; the orders are {known}", known = Sort::ALL.map(Sort::as_str).join(", "))]
pub struct SortError(String);

impl Sort {
    /// All orders.
    pub const ALL: [Self; 12] = [
        Self::Severity,
        Self::Id,
        Self::Host,
        Self::Kv,
        Self::Slots,
        Self::Waiting,
        Self::Requests,
        Self::Errors,
        Self::Hits,
        Self::Seen,
        Self::Uptime,
        Self::Restarts,
    ];

    /// The word that a query has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Id => "id",
            Self::Host => "host",
            Self::Kv => "kv",
            Self::Slots => "slots",
            Self::Waiting => "waiting",
            Self::Requests => "requests",
            Self::Errors => "errors",
            Self::Hits => "hits",
            Self::Seen => "seen",
            Self::Uptime => "uptime",
            Self::Restarts => "restarts",
        }
    }

    /// Puts rows in this order.
    pub fn apply(self, rows: &mut [WorkerRow]) {
        rows.sort_by(|a, b| self.compare(a, b));
    }

    /// Which of two rows is first.
    pub fn compare(self, a: &WorkerRow, b: &WorkerRow) -> Ordering {
        let by_figure = match self {
            Self::Severity => descending(Some(urgency(a)), Some(urgency(b)))
                .then_with(|| descending(a.saturation, b.saturation)),
            Self::Id => Ordering::Equal,
            Self::Host => match (&a.host, &b.host) {
                (Some(a), Some(b)) => a.cmp(b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            },
            Self::Kv => descending(a.kv.map(|figure| figure.value), b.kv.map(|figure| figure.value)),
            Self::Slots => descending(
                a.slots.map(|figure| figure.value),
                b.slots.map(|figure| figure.value),
            ),
            Self::Waiting => descending(
                a.waiting.map(|figure| figure.value),
                b.waiting.map(|figure| figure.value),
            ),
            Self::Requests => descending(a.requests_per_second, b.requests_per_second),
            Self::Errors => descending(a.error_ratio, b.error_ratio),
            Self::Hits => descending(
                a.hit_ratio.map(std::ops::Neg::neg),
                b.hit_ratio.map(std::ops::Neg::neg),
            ),
            Self::Seen => descending(
                a.last_seen_seconds.map(|seconds| seconds as f64),
                b.last_seen_seconds.map(|seconds| seconds as f64),
            ),
            Self::Uptime => descending(a.started_seconds, b.started_seconds),
            Self::Restarts => b.restarts.cmp(&a.restarts),
        };
        by_figure.then_with(|| by_id(a, b))
    }
}

/// Stale workers come before saturated ones, and those before the rest, which saturation puts in order.
fn urgency(row: &WorkerRow) -> f64 {
    match row.level {
        super::Level::Stale => 1.0,
        _ => 0.0,
    }
}

fn descending(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Ids in hexadecimal by their number; then what has none, by its text.
fn by_id(a: &WorkerRow, b: &WorkerRow) -> Ordering {
    (a.hex.is_empty(), a.hex.len(), &a.hex, &a.id).cmp(&(b.hex.is_empty(), b.hex.len(), &b.hex, &b.id))
}

impl FromStr for Sort {
    type Err = SortError;

    fn from_str(text: &str) -> Result<Self, SortError> {
        let known = Self::ALL.into_iter().find(|sort| sort.as_str() == text);
        known.ok_or_else(|| SortError(text.to_owned()))
    }
}

/// Whether a filter leaves a worker: each of its words is part of the id, in decimal or hexadecimal, the host, the state or
/// the level, in whatever case.
pub fn filter_matches(filter: &str, row: &WorkerRow) -> bool {
    filter.split_whitespace().all(|word| {
        let word = word.to_lowercase();
        let hex = word.strip_prefix("0x").unwrap_or(&word);
        let host = row.host.as_deref().unwrap_or_default().to_lowercase();
        row.id.to_lowercase().contains(&word)
            || (!hex.is_empty() && row.hex.contains(hex))
            || host.contains(&word)
            || row.state == word
            || row.level.as_str() == word
    })
}
