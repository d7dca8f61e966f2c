//! Lines of the last 15 minutes, as screens have them.

use fleet::{PoolName, PoolView, WorkerKey};

use super::ring::Ring;
use super::{History, POINTS, STEP};
use crate::view::{Chart, HeatKey, Spark, rounded};

/// Values of a spark line.
const SPARK: usize = 60;

/// What a chart shows, in the order of a point's figures.
const KEYS: [HeatKey; 6] = [
    HeatKey::Kv,
    HeatKey::Waiting,
    HeatKey::Slots,
    HeatKey::Requests,
    HeatKey::Errors,
    HeatKey::Hits,
];

impl History {
    /// A short line of a pool: of `wanted`, or of the first figure that is known.
    pub(crate) fn spark(&self, name: &PoolName, wanted: HeatKey) -> Spark {
        let none = Spark {
            key: wanted,
            values: Vec::new(),
        };
        let Some(ring) = self.pool(name).and_then(|past| past.ring()) else {
            return none;
        };
        let keys = [wanted, HeatKey::Waiting, HeatKey::Slots, HeatKey::Requests];
        let lines = keys.into_iter().map(|key| Spark {
            key,
            values: self.spark_of(ring, key),
        });
        let is_known = |spark: &Spark| spark.values.iter().any(Option::is_some);
        lines.into_iter().find(is_known).unwrap_or(none)
    }

    /// The largest of each few values.
    fn spark_of(&self, ring: &Ring, key: HeatKey) -> Vec<Option<f64>> {
        let values: Vec<Option<f64>> = ring.values(figure(key), self.clock.point).collect();
        let chunks = values.chunks(POINTS / SPARK);
        let largest = |chunk: &[Option<f64>]| {
            let known = chunk.iter().flatten().copied();
            known.reduce(f64::max).map(rounded)
        };
        chunks.map(largest).collect()
    }

    /// The charts of a pool.
    pub(crate) fn pool_charts(&self, pool: &PoolView) -> Vec<Chart> {
        let ring = self.pool(&pool.name).and_then(|past| past.ring());
        ring.map_or_else(Vec::new, |ring| self.charts(ring, pool, false))
    }

    /// The charts of a worker; none where it has no ring.
    pub(crate) fn worker_charts(&self, pool: &PoolView, key: &WorkerKey) -> Vec<Chart> {
        let past = self.pool(&pool.name).and_then(|past| past.worker(key));
        let ring = past.and_then(|past| past.ring());
        ring.map_or_else(Vec::new, |ring| self.charts(ring, pool, true))
    }

    /// Those of whose figures anything is known.
    fn charts(&self, ring: &Ring, pool: &PoolView, is_worker: bool) -> Vec<Chart> {
        let charts = KEYS.into_iter().map(|key| Chart {
            key,
            end_seconds: rounded(self.clock.unix),
            step_seconds: STEP.as_secs_f64(),
            values: ring
                .values(figure(key), self.clock.point)
                .map(|value| value.map(rounded))
                .collect(),
            target: match key {
                HeatKey::Kv => Some(pool.settings.kv_target),
                HeatKey::Waiting if is_worker => Some(pool.settings.queue_target),
                _ => None,
            },
        });
        let is_known = |chart: &Chart| chart.values.iter().any(Option::is_some);
        charts.filter(is_known).collect()
    }
}

fn figure(key: HeatKey) -> usize {
    KEYS.iter().position(|known| *known == key).unwrap_or_default()
}
