//! A record of the truth held against itself. Only those without a fault are: under one, anything may be sent.

use super::fields::{self, FIELDS, PAIRS, show};
use super::report::{Difference, Kind, Report};
use crate::truth::{Counters, Load, Record};

/// How far a ratio may be from its division.
const TOLERANCE: f64 = 1e-12;

pub(super) fn check(line: usize, record: &Record, report: &mut Report) {
    if !record.faults.is_empty() {
        return;
    }
    let mut differs = |kind, field: &str, truth: String, page: String| {
        report.add(Difference {
            kind,
            worker: Some(record.worker.clone()),
            field: field.to_owned(),
            truth,
            page,
            line: Some(line),
            file: None,
        });
    };
    if let Some(load) = &record.stats {
        load_laws(load, |field, truth, page| differs(Kind::Law, field, truth, page));
    }
    counter_laws(&record.counters, |field, truth, page| {
        differs(Kind::Law, field, truth, page);
    });
    let truth = fields::of_load(record.stats.as_ref());
    match &record.sent {
        Some(sent) => {
            let sent = fields::of_data(sent);
            for ((field, truth), sent) in FIELDS.iter().zip(truth).zip(sent) {
                if !field.same(truth, sent) {
                    differs(Kind::Sent, field.wire, show(truth), show(sent));
                }
            }
        }
        // A simulation offline sends nothing; a worker that runs and makes a reply does.
        None if record.stats.is_some() && record.unix_seconds.is_some() => {
            differs(Kind::Sent, "data", "a load".to_owned(), "absent".to_owned());
        }
        None => {}
    }
}

fn load_laws(load: &Load, mut differs: impl FnMut(&str, String, String)) {
    let values = fields::of_load(Some(load));
    for (active, capacity) in PAIRS {
        if values[active] > values[capacity] {
            let most = format!("at most {}, as {}", show(values[capacity]), FIELDS[capacity].wire);
            differs(FIELDS[active].wire, most, show(values[active]));
        }
    }
    let usage = load.gpu_cache_usage_perc;
    let expected = match load.kv_total_blocks {
        0 => 0.0,
        total => load.kv_active_blocks as f64 / total as f64,
    };
    // What is no number is not near either.
    let is_near = (usage - expected).abs() <= TOLERANCE;
    if !is_near {
        let expected = format!("{expected}, kv_active_blocks by kv_total_blocks");
        differs("gpu_cache_usage_perc", expected, usage.to_string());
    }
    if let Some(rate) = load.gpu_prefix_cache_hit_rate
        && !(0.0..=1.0).contains(&rate)
    {
        differs(
            "gpu_prefix_cache_hit_rate",
            "from 0 to 1".to_owned(),
            rate.to_string(),
        );
    }
}

fn counter_laws(counters: &Counters, mut differs: impl FnMut(&str, String, String)) {
    let Counters {
        arrivals,
        rejected,
        unservable,
        waiting,
        running,
        finished,
        cancelled,
        lookup_blocks,
        hit_blocks,
        ..
    } = *counters;
    if hit_blocks > lookup_blocks {
        let most = format!("at most {lookup_blocks}, as lookup_blocks");
        differs("hit_blocks", most, hit_blocks.to_string());
    }
    let fates = [rejected, unservable, waiting, running, finished, cancelled];
    let sum: u128 = fates.into_iter().map(u128::from).sum();
    if u128::from(arrivals) != sum {
        let sum = format!("{sum}, the sum of rejected, unservable, waiting, running, finished and cancelled");
        differs("arrivals", sum, arrivals.to_string());
    }
}
