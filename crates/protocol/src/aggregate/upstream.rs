//! The aggregate of Dynamo's `metrics` component, as release 0.5.1 published it.
//!
//! ```text
//! {"endpoints": {"<id>": {"name": "worker-<id>", "subject": …, "data": {"engine_load_metrics": {…}}}, …},
//!  "load_avg": …, "load_std": …}
//! ```
//!
//! `<id>` is decimal, and the load is nested in `worker_stats` and `kv_stats`. `load_avg` and `load_std` are mean and
//! population standard deviation of `kv_active_blocks` over the workers that are listed; both are 0 without any. Its readers
//! demand each number of the load, so a worker that does not report one of them is not listed, nor is one without an id.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::{WorkerId, WorkerStats};

/// A worker that may be listed.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// Its id.
    pub id: WorkerId,
    /// The subject of its endpoint.
    pub subject: &'a str,
    /// Its load.
    pub stats: &'a WorkerStats,
}

/// The aggregate of these workers, in their order; and how many of them are listed.
///
/// ```
/// use protocol::{WorkerId, WorkerStats, aggregate::upstream};
/// let stats = WorkerStats::builder().slots_active(3).slots_capacity(100).requests_waiting(7).kv_blocks_active(42).kv_blocks_capacity(100).prefix_cache_hit_ratio(0.25).build()?;
/// let worker = upstream::Endpoint { id: WorkerId::new(31), subject: "a_b.c-1f", stats: &stats };
/// let (text, listed) = upstream::write([worker]);
/// assert!(text.starts_with(br#"{"endpoints":{"31":{"name":"worker-31","subject":"a_b.c-1f","data":{"engine_load_metrics":"#));
/// assert!(text.ends_with(br#"},"load_avg":42.0,"load_std":0.0}"#));
/// assert_eq!(listed, 1);
/// # Ok::<(), protocol::StatsError>(())
/// ```
pub fn write<'a>(workers: impl IntoIterator<Item = Endpoint<'a>>) -> (Vec<u8>, usize) {
    let listed: Vec<(u64, Entry<'a>)> = workers.into_iter().filter_map(Entry::of).collect();
    let loads = || (listed.iter()).map(|(_, entry)| entry.data.engine_load_metrics.kv_stats.kv_active_blocks);
    let count = listed.len().max(1) as f64;
    // The sum of no floats is -0.
    let mean = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |sum, value| sum + value) / count;
    let load_avg = mean(&mut loads().map(|load| load as f64));
    let load_std = mean(&mut loads().map(|load| (load as f64 - load_avg).powi(2))).sqrt();
    let number = listed.len();
    let aggregate = Aggregate {
        endpoints: Entries(listed),
        load_avg,
        load_std,
    };
    let text = serde_json::to_vec(&aggregate).expect("numbers and texts are JSON");
    (text, number)
}

#[derive(Serialize)]
struct Aggregate<'a> {
    endpoints: Entries<'a>,
    load_avg: f64,
    load_std: f64,
}

struct Entries<'a>(Vec<(u64, Entry<'a>)>);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (id, entry) in &self.0 {
            map.serialize_entry(id, entry)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    name: String,
    subject: &'a str,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    engine_load_metrics: Load,
}

#[derive(Serialize)]
struct Load {
    worker_stats: Requests,
    kv_stats: Blocks,
    spec_decode_stats: (),
}

#[derive(Serialize)]
struct Requests {
    data_parallel_rank: Option<u32>,
    request_active_slots: u64,
    request_total_slots: u64,
    num_requests_waiting: u64,
}

/// The ratios have 32 bits, as upstream's, so that 0.42 is written as such.
#[derive(Serialize)]
struct Blocks {
    kv_active_blocks: u64,
    kv_total_blocks: u64,
    gpu_cache_usage_perc: f32,
    gpu_prefix_cache_hit_rate: f32,
}

impl<'a> Entry<'a> {
    /// The entry of a worker with its id, if the worker reports all numbers.
    fn of(Endpoint { id, subject, stats }: Endpoint<'a>) -> Option<(u64, Self)> {
        let rank = stats.data_parallel_rank();
        let load = Load {
            worker_stats: Requests {
                data_parallel_rank: rank.and_then(|rank| u32::try_from(rank).ok()),
                request_active_slots: stats.request_slots_active()?,
                request_total_slots: stats.request_slots_capacity()?,
                num_requests_waiting: stats.requests_waiting()?,
            },
            kv_stats: Blocks {
                kv_active_blocks: stats.kv_blocks_active()?,
                kv_total_blocks: stats.kv_blocks_capacity()?,
                gpu_cache_usage_perc: stats.kv_usage_ratio()? as f32,
                gpu_prefix_cache_hit_rate: stats.prefix_cache_hit_ratio()? as f32,
            },
            spec_decode_stats: (),
        };
        let id = id.get();
        let entry = Self {
            name: format!("worker-{id}"),
            subject,
            data: Data {
                engine_load_metrics: load,
            },
        };
        Some((id, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_lacks_a_number_is_not_listed_and_nothing_is_divided_by_zero() {
        let stats = WorkerStats::builder()
            .kv_blocks_active(1)
            .kv_blocks_capacity(2)
            .build()
            .expect("in range");
        let worker = Endpoint {
            id: WorkerId::new(1),
            subject: "a_b.c-1",
            stats: &stats,
        };
        let (text, listed) = write([worker]);
        assert_eq!(
            String::from_utf8_lossy(&text),
            r#"{"endpoints":{},"load_avg":0.0,"load_std":0.0}"#
        );
        assert_eq!(listed, 0);
    }
}
