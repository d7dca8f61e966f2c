//! What the workers do, at a glance: a table on a terminal, a line of the log elsewhere.

use std::fmt;

use sim::nanos::Nanos;
use tracing::info;

use super::Show;
use crate::control::counted;
use crate::faults::Kind;

/// What the workers do.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::app) struct Glance {
    path: String,
    scenario: String,
    time_ns: u64,
    up: usize,
    down: usize,
    /// Since the last glance.
    requests_per_second: f64,
    running: u64,
    waiting: u64,
    kv_percent: u64,
    lag_seconds: f64,
    lost: u64,
    /// Those in force, by number, with the workers that they concern.
    faults: Vec<(u64, Kind, usize)>,
}

impl Show {
    pub(in crate::app) fn glance(&mut self) -> Glance {
        let (mut up, mut running, mut waiting, mut arrivals) = (0, 0, 0, 0);
        let (mut active, mut total) = (0, 0);
        for worker in 0..self.stage.len() {
            let truth = self.stage.truth(worker);
            up += usize::from(self.stage.is_up(worker));
            running += truth.counters.running;
            waiting += truth.counters.waiting;
            arrivals += truth.counters.arrivals;
            if let Some(load) = truth.load {
                active += load.kv_active_blocks;
                total += load.kv_total_blocks;
            }
        }
        let time_ns = self.stage.now();
        let (before, at) = std::mem::replace(&mut self.glanced, (arrivals, time_ns));
        let seconds = Nanos(time_ns - at).seconds();
        Glance {
            path: self.voice.path.to_string(),
            scenario: self.scenario.description.clone(),
            time_ns,
            up,
            down: self.stage.len() - up,
            requests_per_second: match seconds > 0.0 {
                true => (arrivals - before) as f64 / seconds,
                false => 0.0,
            },
            running,
            waiting,
            kv_percent: active * 100 / total.max(1),
            lag_seconds: self.status.lag_seconds,
            lost: self.status.messages_lost,
            faults: self.stage.faults_in_force(),
        }
    }
}

impl Glance {
    fn time(&self) -> Nanos {
        Nanos(self.time_ns / 1_000_000_000 * 1_000_000_000)
    }

    /// Reports it in a line of the log.
    pub(in crate::app) fn report(&self) {
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        let faults: Vec<&str> = self.faults.iter().map(|(_, kind, _)| kind.as_str()).collect();
        info!(
            time = %self.time(),
            workers = self.up,
            down = self.down,
            requests_per_second = tenths(self.requests_per_second),
            running = self.running,
            waiting = self.waiting,
            kv_percent = self.kv_percent,
            lag_seconds = tenths(self.lag_seconds),
            faults = faults.join(" "),
            "the workers run"
        );
    }
}

/// As a table.
impl fmt::Display for Glance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = match self.down {
            0 => format!("{} up", self.up),
            down => format!("{} up, {down} down", self.up),
        };
        let columns = [
            ("time", self.time().to_string()),
            ("workers", workers),
            ("requests/s", format!("{:.1}", self.requests_per_second)),
            ("running", self.running.to_string()),
            ("waiting", self.waiting.to_string()),
            ("KV", format!("{} %", self.kv_percent)),
            ("lag", format!("{:.1} s", self.lag_seconds)),
            ("lost", self.lost.to_string()),
        ];
        writeln!(f, "\n{}  {}", self.path, self.scenario)?;
        // As wide as most values are, so that columns stay where they are.
        let width = |(name, value): &(&str, String)| value.len().max(name.len()).max(7);
        for column in &columns {
            write!(f, "  {:>width$}", column.0, width = width(column))?;
        }
        writeln!(f)?;
        for column in &columns {
            write!(f, "  {:>width$}", column.1, width = width(column))?;
        }
        writeln!(f)?;
        for (number, kind, workers) in &self.faults {
            let workers = counted(*workers, "worker");
            writeln!(f, "  fault {number}: {} with {workers}", kind.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_pool_its_figures_and_the_faults_in_force() {
        let glance = Glance {
            path: "dynamo/backend/generate".to_owned(),
            scenario: "steady load".to_owned(),
            time_ns: 83_400_000_000,
            up: 3,
            down: 1,
            requests_per_second: 24.06,
            running: 31,
            waiting: 2,
            kv_percent: 43,
            lag_seconds: 0.0,
            lost: 0,
            faults: vec![(2, Kind::Late, 1)],
        };
        let expected = "
dynamo/backend/generate  steady load
     time       workers  requests/s  running  waiting       KV      lag     lost
   1m 23s  3 up, 1 down        24.1       31        2     43 %    0.0 s        0
  fault 2: late with 1 worker
";
        assert_eq!(glance.to_string(), expected);
    }
}
