//! [`Recording`]: who was there when, and with what load.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context;
use serde_json::Value;

/// What one worker was seen to do.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) running: u64,
    pub(super) slots: Option<u64>,
    pub(super) waiting: u64,
    pub(super) kv_active: u64,
    pub(super) kv_total: Option<u64>,
    /// Finished requests, over all restarts.
    pub(super) requests: f64,
    pub(super) restarts: u64,
}

/// All workers at a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    /// Seconds since the first sample.
    pub(super) at: f64,
    pub(super) workers: BTreeMap<String, Seen>,
}

/// Samples in the order of their times.
#[derive(Debug, Clone, Default)]
pub(super) struct Recording {
    pub(super) samples: Vec<Sample>,
    first: Option<f64>,
}

/// What a pool does on average.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Means {
    /// Workers that are there.
    pub(super) workers: f64,
    /// Requests that come in a second, in all.
    pub(super) rate: f64,
    /// Running requests of all workers.
    pub(super) running: f64,
    pub(super) waiting: f64,
    /// Blocks in use of all workers.
    pub(super) kv_active: f64,
    /// The share of all blocks that is in use, where it is known how many there are.
    pub(super) kv_usage: Option<f64>,
}

impl Recording {
    /// Adds what the collector shows, unless it is the snapshot of before.
    ///
    /// # Errors
    /// The answer is none of a collector.
    pub(super) fn add(&mut self, answer: &Value) -> anyhow::Result<()> {
        let taken = answer["collector"]["taken_seconds"].as_f64();
        let taken = taken.context(
            "the answer has no `collector.taken_seconds`: --url names no collector of this version",
        )?;
        let at = taken - *self.first.get_or_insert(taken);
        if self.samples.last().is_some_and(|last| at <= last.at) {
            return Ok(());
        }
        let workers = answer["workers"].as_array().map_or(&[][..], Vec::as_slice);
        let fresh = workers.iter().filter(|worker| worker["state"] == "fresh");
        let seen = fresh.filter_map(|worker| {
            let load = worker["load"].as_object()?;
            let count = |name: &str| load.get(name).and_then(Value::as_u64);
            let id = worker["worker_id"].as_str()?.to_owned();
            let seen = Seen {
                running: count("requests_running").unwrap_or(0),
                slots: count("requests_capacity"),
                waiting: count("requests_waiting").unwrap_or(0),
                kv_active: count("kv_blocks_active").unwrap_or(0),
                kv_total: count("kv_blocks_capacity"),
                requests: worker["requests"].as_f64().unwrap_or(0.0),
                restarts: worker["restarts"].as_u64().unwrap_or(0),
            };
            Some((id, seen))
        });
        self.push(at, seen.collect());
        Ok(())
    }

    pub(super) fn push(&mut self, at: f64, workers: BTreeMap<String, Seen>) {
        self.samples.push(Sample { at, workers });
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Seconds from the first sample to the last.
    pub(super) fn seconds(&self) -> f64 {
        self.samples.last().map_or(0.0, |last| last.at)
    }

    /// How many requests came between each sample and the one before, with the time of the later one. Those that a restart
    /// lost are not among them.
    pub(super) fn arrivals(&self) -> Vec<(f64, f64)> {
        let begun = |seen: &Seen| seen.requests + (seen.running + seen.waiting) as f64;
        let pairs = self.samples.windows(2);
        pairs
            .map(|pair| {
                let came = pair[1].workers.iter().filter_map(|(id, now)| {
                    let before = pair[0].workers.get(id)?;
                    (before.restarts == now.restarts).then(|| (begun(now) - begun(before)).max(0.0))
                });
                (pair[1].at, came.sum())
            })
            .collect()
    }

    /// The averages from a time on.
    pub(super) fn means(&self, from: f64) -> Means {
        let samples: Vec<&Sample> = self.samples.iter().filter(|sample| sample.at >= from).collect();
        let count = samples.len().max(1) as f64;
        let mean = |value: &dyn Fn(&Seen) -> f64| {
            let workers = samples.iter().flat_map(|sample| sample.workers.values());
            workers.map(value).sum::<f64>() / count
        };
        let came: f64 = self
            .arrivals()
            .iter()
            .filter(|(at, _)| *at > from)
            .map(|(_, came)| came)
            .sum();
        let total = mean(&|seen| seen.kv_total.unwrap_or(0) as f64);
        let kv_active = mean(&|seen| seen.kv_active as f64);
        Means {
            workers: mean(&|_| 1.0),
            rate: came / (self.seconds() - from).max(f64::MIN_POSITIVE),
            running: mean(&|seen| seen.running as f64),
            waiting: mean(&|seen| seen.waiting as f64),
            kv_active,
            kv_usage: (total > 0.0).then(|| kv_active / total),
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            workers,
            rate,
            running,
            waiting,
            ..
        } = self;
        write!(
            f,
            "{workers:.1} workers, {rate:.2} requests/s, {running:.1} running, {waiting:.1} waiting"
        )?;
        match self.kv_usage {
            Some(usage) => write!(f, ", KV use {usage:.3}"),
            None => Ok(()),
        }
    }
}
