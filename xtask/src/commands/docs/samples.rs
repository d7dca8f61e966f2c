//! What `mock-worker simulate` writes, added up over the workers.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The part of a line that is plotted.
#[derive(Debug, Deserialize)]
struct Line {
    time_ns: u64,
    worker: String,
    /// Absent while the worker is down.
    stats: Option<Stats>,
    counters: Counters,
}

#[derive(Debug, Deserialize)]
struct Stats {
    request_active_slots: u64,
    num_requests_waiting: u64,
    kv_active_blocks: u64,
    kv_total_blocks: u64,
}

#[derive(Debug, Deserialize)]
struct Counters {
    arrivals: u64,
}

/// The whole fleet at one moment.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Sample {
    pub(crate) time_ns: u64,
    /// How many workers there are, those included that are down.
    pub(crate) workers: usize,
    /// Requests that have come since the start.
    pub(crate) arrivals: u64,
    pub(crate) running: u64,
    pub(crate) waiting: u64,
    pub(crate) blocks_held: u64,
    pub(crate) blocks: u64,
}

/// A run of a simulation.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Run {
    pub(crate) samples: Vec<Sample>,
    /// The share of its blocks that each worker holds, over time.
    pub(crate) kv_use: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Run {
    /// # Errors
    /// When a line is not as agreed, the times go back, or there are none.
    pub(crate) fn read(lines: &str) -> Result<Self> {
        let mut run = Self::default();
        for (number, text) in (1..).zip(lines.lines()) {
            let line: Line = serde_json::from_str(text).with_context(|| format!("line {number}"))?;
            let last = run.samples.last().map(|sample| sample.time_ns);
            if last.is_some_and(|last| line.time_ns < last) {
                bail!("line {number}: the lines are not ordered by time");
            }
            if last != Some(line.time_ns) {
                run.samples.push(Sample {
                    time_ns: line.time_ns,
                    ..Sample::default()
                });
            }
            let Some(sample) = run.samples.last_mut() else {
                continue;
            };
            sample.workers += 1;
            sample.arrivals += line.counters.arrivals;
            if let Some(stats) = line.stats {
                sample.running += stats.request_active_slots;
                sample.waiting += stats.num_requests_waiting;
                sample.blocks_held += stats.kv_active_blocks;
                sample.blocks += stats.kv_total_blocks;
                if stats.kv_total_blocks > 0 {
                    let share = stats.kv_active_blocks as f64 / stats.kv_total_blocks as f64;
                    let worker = run.kv_use.entry(line.worker).or_default();
                    worker.push((sample.seconds(), share));
                }
            }
        }
        if run.samples.is_empty() {
            bail!("there are no samples");
        }
        Ok(run)
    }

    /// How many workers took part.
    pub(crate) fn workers(&self) -> usize {
        self.samples
            .iter()
            .map(|sample| sample.workers)
            .max()
            .unwrap_or(0)
    }

    /// How long the run was.
    pub(crate) fn seconds(&self) -> f64 {
        self.samples.last().map_or(0.0, Sample::seconds)
    }

    /// Arrivals per second since the sample before; a sample at the very start has none.
    pub(crate) fn arrival_rate(&self) -> Vec<(f64, f64)> {
        let (mut time, mut arrivals) = (0.0, 0);
        let mut points = Vec::new();
        for sample in &self.samples {
            let passed = sample.seconds() - time;
            if passed > 0.0 {
                // The simulation counts on when a worker restarts, so this never goes back.
                let arrived = sample.arrivals.saturating_sub(arrivals);
                points.push((sample.seconds(), arrived as f64 / passed));
            }
            (time, arrivals) = (sample.seconds(), sample.arrivals);
        }
        points
    }

    /// A value of each sample that has one, over time.
    pub(crate) fn over_time(&self, value: impl Fn(&Sample) -> Option<f64>) -> Vec<(f64, f64)> {
        let point = |sample| Some((Sample::seconds(sample), value(sample)?));
        self.samples.iter().filter_map(point).collect()
    }
}

impl Sample {
    fn seconds(&self) -> f64 {
        self.time_ns as f64 / 1e9
    }

    /// The share of all blocks that is held; unknown while no worker is up.
    pub(crate) fn kv_use(&self) -> Option<f64> {
        (self.blocks > 0).then(|| self.blocks_held as f64 / self.blocks as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"time_ns":0,"worker":"1","stats":{"request_active_slots":0,"request_total_slots":8,"num_requests_waiting":0,"kv_active_blocks":0,"kv_total_blocks":20,"gpu_prefix_cache_hit_rate":null},"sent":null,"counters":{"arrivals":0,"restarts":0}}
{"time_ns":2000000000,"worker":"1","stats":{"request_active_slots":3,"request_total_slots":8,"num_requests_waiting":1,"kv_active_blocks":10,"kv_total_blocks":20},"sent":{},"counters":{"arrivals":6}}
{"time_ns":2000000000,"worker":"18446744073709551615","stats":{"request_active_slots":1,"num_requests_waiting":4,"kv_active_blocks":5,"kv_total_blocks":40},"counters":{"arrivals":2}}
{"time_ns":4000000000,"worker":"1","stats":null,"faults":["crash"],"counters":{"arrivals":7}}
{"time_ns":4000000000,"worker":"2","stats":null,"faults":["crash"],"counters":{"arrivals":2}}
"#;

    #[test]
    fn a_sample_is_the_sum_over_the_workers() {
        let run = Run::read(LINES).unwrap();
        assert_eq!(run.workers(), 2);
        let second = Sample {
            time_ns: 2_000_000_000,
            workers: 2,
            arrivals: 8,
            running: 4,
            waiting: 5,
            blocks_held: 15,
            blocks: 60,
        };
        assert_eq!(run.samples[1], second);
        assert_eq!(run.seconds(), 4.0);
    }

    #[test]
    fn the_rate_is_what_arrived_by_the_time_that_passed() {
        let run = Run::read(LINES).unwrap();
        assert_eq!(run.arrival_rate(), [(2.0, 4.0), (4.0, 0.5)]);
    }

    #[test]
    fn each_worker_has_its_own_use_of_the_cache() {
        let run = Run::read(LINES).unwrap();
        assert_eq!(run.kv_use["1"], [(0.0, 0.0), (2.0, 0.5)]);
        assert_eq!(run.kv_use["18446744073709551615"], [(2.0, 0.125)]);
    }

    #[test]
    fn while_no_worker_is_up_the_use_of_the_cache_is_unknown() {
        let run = Run::read(LINES).unwrap();
        assert_eq!(run.over_time(Sample::kv_use), [(0.0, 0.0), (2.0, 0.25)]);
    }

    #[test]
    fn what_is_not_as_agreed_is_named_by_its_line() {
        let first = LINES.lines().next().unwrap();
        let check = |lines: &str, expected: &str| {
            let error = format!("{:#}", Run::read(lines).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        check(&format!("{first}\nhello\n"), "line 2");
        check(&first.replace("\"arrivals\":0,", ""), "arrivals");
        let backwards: Vec<_> = LINES.lines().rev().collect();
        check(&backwards.join("\n"), "not ordered");
        check("", "no samples");
    }
}
