//! [`Outlier`]: the few workers that differ most from the others of their pool. An average hides them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HeatKey, Level, WorkerRow, rounded};

/// Outliers that are listed.
const MAX: usize = 8;

/// A figure is an outlier from this many times the median distance from the median.
const FAR: f64 = 6.0;

/// The same of a figure at its target: that one is of interest in a pool of scattered workers, too.
const FAR_AT_TARGET: f64 = 3.0;

/// What a figure at its target counts more than one that is not.
const BAD: f64 = 1e6;

/// Pools with fewer workers have no ordinary worker to differ from.
const FEWEST: usize = 4;

/// A worker that differs from the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outlier {
    /// The worker's id, as in the table.
    pub id: String,
    /// The same in hexadecimal; empty without one.
    pub hex: String,
    /// The level of that figure.
    pub level: Level,
    /// In which figure it differs; `age` for one that is silent.
    pub key: HeatKey,
    /// Its value.
    pub value: f64,
    /// The median of the pool.
    pub median: f64,
    /// Both in words.
    pub text: String,
}

/// The outliers of a pool's workers, the farthest first.
pub(super) fn of(workers: &[WorkerRow]) -> Vec<Outlier> {
    let silent = workers.iter().filter(|row| row.level == Level::Stale).map(|row| {
        let seconds = row.last_seen_seconds.unwrap_or_default();
        let text = match (row.state.as_str(), row.last_seen_seconds) {
            ("late", _) => "answers after its rounds have ended".to_owned(),
            (_, Some(seconds)) => format!("silent for {seconds} s"),
            (_, None) => "silent".to_owned(),
        };
        (
            f64::INFINITY,
            Outlier::new(row, HeatKey::Age, seconds as f64, 0.0, text),
        )
    });
    let mut found: Vec<(f64, Outlier)> = silent.collect();
    for key in [HeatKey::Waiting, HeatKey::Kv, HeatKey::Errors, HeatKey::Slots] {
        far(key, workers, &mut found);
    }
    found.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(other.value.total_cmp(&one.value)));
    let mut outliers: Vec<Outlier> = Vec::new();
    for (_, outlier) in found {
        if outliers.len() < MAX && outliers.iter().all(|known| known.id != outlier.id) {
            outliers.push(outlier);
        }
    }
    outliers
}

/// Workers whose figure is far above the median.
fn far(key: HeatKey, workers: &[WorkerRow], found: &mut Vec<(f64, Outlier)>) {
    let fresh = || workers.iter().filter(|row| row.level != Level::Stale);
    let values: Vec<f64> = fresh().filter_map(|row| key.of(row).0).collect();
    if values.len() < FEWEST {
        return;
    }
    let median = middle(values.clone());
    let distance = middle(values.iter().map(|value| (value - median).abs()).collect());
    // Where nearly all are equal, every small difference would be far.
    let unit = distance.max(match key {
        HeatKey::Waiting => 0.5,
        _ => 0.02,
    });
    for row in fresh() {
        let Some(value) = key.of(row).0 else { continue };
        let score = (value - median) / unit;
        let level = key.of(row).1;
        let far = if level == Level::Bad { FAR_AT_TARGET } else { FAR };
        if score >= far {
            let text = format!(
                "{} {}, median {}",
                key.title(),
                shown(key, value),
                shown(key, median)
            );
            // What is at its target is shown before what is only far from the others.
            let urgency = if level == Level::Bad { BAD } else { 0.0 };
            let outlier = Outlier {
                level,
                ..Outlier::new(row, key, value, rounded(median), text)
            };
            found.push((score + urgency, outlier));
        }
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() % 2 {
        0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}

fn shown(key: HeatKey, value: f64) -> String {
    match key {
        HeatKey::Kv | HeatKey::Slots | HeatKey::Hits => format!("{:.0} %", value * 100.0),
        HeatKey::Errors => format!("{:.1} %", value * 100.0),
        _ => format!("{value}"),
    }
}

impl Outlier {
    fn new(row: &WorkerRow, key: HeatKey, value: f64, median: f64, text: String) -> Self {
        Self {
            id: row.id.clone(),
            hex: row.hex.clone(),
            level: row.level,
            key,
            value,
            median,
            text,
        }
    }
}
