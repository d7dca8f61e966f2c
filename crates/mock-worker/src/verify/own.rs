//! A page held against itself.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{FIELDS, PAIRS, show};
use super::report::{Difference, Kind, Report};
use super::shown::{LAST_SEEN, Pool, Shown, ShownWorker};
use crate::page::Page;

/// From here on a float does not hold every whole number, so sums depend on how they were made.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn check(page: &Page, shown: &Shown<'_>, report: &mut Report) {
    for sample in page.all().iter().filter(|sample| !sample.value.is_finite()) {
        report.add(difference(
            None,
            sample.series(),
            "a finite number".to_owned(),
            sample.value.to_string(),
        ));
    }
    for worker in &shown.workers {
        check_worker(worker, report);
    }
    check_sums(page, shown, report);
}

fn check_worker(worker: &ShownWorker<'_>, report: &mut Report) {
    let id = || Some(worker.id.to_owned());
    if worker.has_load() && worker.last_seen.is_none() && worker.last_event.is_none() {
        let truth = "there, next to its load".to_owned();
        report.add(difference(id(), LAST_SEEN.to_owned(), truth, show(None)));
    }
    for (active, capacity) in PAIRS {
        let (Some(count), Some(most)) = (worker.values[active], worker.values[capacity]) else {
            continue;
        };
        if count > most {
            let truth = format!("at most {most}, as {}", FIELDS[capacity].metric);
            let field = FIELDS[active].metric.to_owned();
            report.add(difference(id(), field, truth, count.to_string()));
        }
    }
    for (field, value) in FIELDS.iter().zip(worker.values) {
        // What is no finite number has been reported already.
        let Some(value) = value.filter(|value| value.is_finite()) else {
            continue;
        };
        let (is_right, range) = if field.is_ratio() {
            ((0.0..=1.0).contains(&value), "from 0 to 1")
        } else {
            (value >= 0.0 && value.fract() == 0.0, "a whole number")
        };
        if !is_right {
            let field = field.metric.to_owned();
            report.add(difference(id(), field, range.to_owned(), value.to_string()));
        }
    }
}

/// A pool shows a sum where one of its workers shows the value, and not where none does.
fn check_sums(page: &Page, shown: &Shown<'_>, report: &mut Report) {
    for (place, field) in FIELDS.iter().enumerate() {
        let Some(metric) = field.pool_metric else { continue };
        let mut sums: BTreeMap<Pool<'_>, f64> = BTreeMap::new();
        for worker in &shown.workers {
            if let Some(value) = worker.values[place] {
                *sums.entry(worker.pool).or_default() += value;
            }
        }
        let reported: BTreeMap<Pool<'_>, f64> = shown
            .of_pools(page, metric)
            .map(|(pool, sample)| (pool, sample.value))
            .collect();
        let pools: BTreeSet<&Pool<'_>> = sums.keys().chain(reported.keys()).collect();
        for pool in pools {
            let (sum, reported) = (sums.get(pool).copied(), reported.get(pool).copied());
            if !is_sum(sum, reported) {
                let truth = format!("{}, the sum of {}", show(sum), field.metric);
                let field = format!("{metric} of {}", pool.join("/"));
                report.add(difference(None, field, truth, show(reported)));
            }
        }
    }
}

fn is_sum(sum: Option<f64>, reported: Option<f64>) -> bool {
    match (sum, reported) {
        (Some(sum), Some(reported)) if sum.max(reported) >= EXACT => {
            // The collector adds whole numbers and stops at the largest one that there is.
            let sum = sum.min(u64::MAX as f64);
            (sum - reported).abs() <= 1e-12 * sum
        }
        (sum, reported) => sum == reported,
    }
}

fn difference(worker: Option<String>, field: String, truth: String, page: String) -> Difference {
    Difference {
        kind: Kind::Own,
        worker,
        field,
        truth,
        page,
        line: None,
        file: None,
    }
}
