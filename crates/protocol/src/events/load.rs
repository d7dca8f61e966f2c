//! [`KvMetrics`]: the load of a worker, published when it changes.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::object::{id, object, optional};
use super::{EventError, fast};
use crate::codec::{Opened, open};
use crate::stats::WorkerStatsBuilder;
use crate::{StatsError, StatsShape, WorkerId, WorkerStats};

/// The fields of an event that is an array; the last one from Dynamo 1.1 on.
const ORDER: &[&str] = &[
    "worker_id",
    "dp_rank",
    "active_decode_blocks",
    "active_prefill_tokens",
    "kv_used_blocks",
];

/// The load of one worker, published when it changes rather than when asked for.
///
/// ```
/// use protocol::KvMetrics;
/// let event = KvMetrics::decode(None, br#"{"worker_id": 7, "dp_rank": 0, "active_decode_blocks": 42}"#)?;
/// assert_eq!(event.stats.kv_blocks_active(), Some(42));
/// # Ok::<(), protocol::EventError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct KvMetrics {
    /// Whose load it is.
    pub worker_id: WorkerId,
    /// The rank within a data-parallel group; every rank has a load of its own.
    pub dp_rank: u64,
    /// The load. In the short form of 0.8 and later only the active KV blocks are known.
    pub stats: WorkerStats,
    /// Prompt tokens that a router has sent to the worker and takes for not yet computed. It is the router's estimate,
    /// never the load of the worker. Routers publish it up to Dynamo 1.4.
    pub active_prefill_tokens: Option<u64>,
    /// Which process reports it.
    pub source: LoadSource,
    /// Fields that were refused; the others are in `stats`.
    pub refused: Vec<StatsError>,
}

/// Which process reports the load of a [`KvMetrics`] event, the least trustworthy first.
///
/// Routers and workers publish the same event about the same worker; the worker's own report counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadSource {
    /// A router estimates it, up to Dynamo 1.4: `active_decode_blocks` together with `active_prefill_tokens`.
    Router,
    /// The worker: the whole load in `data` (Dynamo up to 0.7.1), or `active_decode_blocks` alone (0.8 to 1.0).
    Worker,
    /// The worker's engine: `kv_used_blocks`, Dynamo 1.1 and later.
    Engine,
}

impl KvMetrics {
    /// The load of a worker, of the rank that `stats` names or else of rank 0.
    ///
    /// ```
    /// use protocol::{Encoding, KvMetrics, WorkerId, WorkerStats};
    /// let event = KvMetrics::new(WorkerId::new(7), WorkerStats::builder().kv_blocks_active(42).kv_blocks_capacity(100).build()?);
    /// let payload = Encoding::MessagePack.encode(&event)?;
    /// assert_eq!(KvMetrics::decode(None, &payload)?, event);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(worker_id: WorkerId, stats: WorkerStats) -> Self {
        Self {
            worker_id,
            dp_rank: stats.data_parallel_rank().unwrap_or(0),
            stats,
            active_prefill_tokens: None,
            source: LoadSource::Worker,
            refused: Vec::new(),
        }
    }

    /// Opens a message of any generation and reads its event. `content_type` is the message's header, if it has one.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn decode(content_type: Option<&str>, message: &[u8]) -> Result<Self, EventError> {
        Self::read(&open(content_type, message)?)
    }

    /// Reads an event of any generation.
    ///
    /// # Errors
    /// [`EventError`] names what is missing or wrong; [`EventError::NoLoad`] where nothing is said.
    pub fn read(opened: &Opened<'_>) -> Result<Self, EventError> {
        match fast::metrics(opened) {
            Some(event) => Ok(event),
            None => Self::read_any(opened),
        }
    }

    pub(super) fn read_any(opened: &Opened<'_>) -> Result<Self, EventError> {
        let fields = object(opened, ORDER, ORDER.len() - 1)?;
        let worker_id = id(&fields, "worker_id")?;
        let rank = optional(&fields, "dp_rank")?;
        let mut active_prefill_tokens = None;
        let (stats, refused, source) = match fields.get("data").filter(|data| !data.is_null()) {
            Some(data) => {
                let reading = WorkerStats::read(data)?;
                let stats = reading.stats.ok_or(EventError::NoLoad)?;
                (stats, reading.refused, LoadSource::Worker)
            }
            None => {
                let used = optional(&fields, "kv_used_blocks")?;
                let active = optional(&fields, "active_decode_blocks")?;
                let tokens = optional(&fields, "active_prefill_tokens")?;
                active_prefill_tokens = tokens;
                let (stats, source) = load_of_counts(used, active, tokens).ok_or(EventError::NoLoad)?;
                (stats, Vec::new(), source)
            }
        };
        let dp_rank = rank.or(stats.data_parallel_rank()).unwrap_or(0);
        Ok(Self {
            worker_id,
            dp_rank,
            stats,
            active_prefill_tokens,
            source,
            refused,
        })
    }
}

impl Serialize for KvMetrics {
    /// Writes `{worker_id, dp_rank, data}` with nested data, as Dynamo 0.4.1 to 0.7.1 do.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire {
            worker_id: WorkerId,
            dp_rank: u64,
            data: Value,
        }
        let Self {
            worker_id,
            dp_rank,
            stats,
            ..
        } = self;
        Wire {
            worker_id: *worker_id,
            dp_rank: *dp_rank,
            data: stats.to_data(StatsShape::Nested),
        }
        .serialize(serializer)
    }
}

/// The load in the short form of 0.8 and later, and its source.
pub(super) fn load_of_counts(
    used: Option<u64>,
    active: Option<u64>,
    tokens: Option<u64>,
) -> Option<(WorkerStats, LoadSource)> {
    let source = match (used, active, tokens) {
        (None, None, None) => return None,
        (Some(_), _, _) => LoadSource::Engine,
        (None, _, Some(_)) => LoadSource::Router,
        (None, Some(_), None) => LoadSource::Worker,
    };
    let builder = used
        .or(active)
        .into_iter()
        .fold(WorkerStats::builder(), WorkerStatsBuilder::kv_blocks_active);
    let stats = builder.build().expect("one count has no range to leave");
    Some((stats, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_event_shows_which_process_reports_it() {
        fn check(fields: &str, expected: LoadSource) {
            let payload = format!(r#"{{"worker_id": 1, {fields}}}"#);
            let event = KvMetrics::decode(None, payload.as_bytes()).expect(&payload);
            assert_eq!(event.source, expected, "{payload}");
        }
        check(
            r#""active_decode_blocks": 1, "active_prefill_tokens": 0"#,
            LoadSource::Router,
        );
        check(r#""active_prefill_tokens": 9"#, LoadSource::Router);
        check(
            r#""active_decode_blocks": 1, "active_prefill_tokens": null"#,
            LoadSource::Worker,
        );
        check(
            r#""active_decode_blocks": 1, "kv_used_blocks": 2"#,
            LoadSource::Engine,
        );
        check(r#""data": {"kv_active_blocks": 1}"#, LoadSource::Worker);
    }

    #[test]
    fn load_events_of_every_generation_are_read() {
        fn check(payload: &str, active: Option<u64>, capacity: Option<u64>, rank: u64) {
            let event = KvMetrics::decode(None, payload.as_bytes()).expect(payload);
            let stats = (event.stats.kv_blocks_active(), event.stats.kv_blocks_capacity());
            assert_eq!((stats, event.dp_rank), ((active, capacity), rank), "{payload}");
        }
        let nested = r#"{"worker_id": 1, "data": {"worker_stats": {"data_parallel_rank": 2}, "kv_stats": {"kv_active_blocks": 5, "kv_total_blocks": 9}}}"#;
        check(nested, Some(5), Some(9), 2);
        check(
            r#"{"worker_id": 1, "dp_rank": 3, "active_decode_blocks": 5}"#,
            Some(5),
            None,
            3,
        );
        check(
            r#"{"worker_id": 1, "active_decode_blocks": null, "active_prefill_tokens": 8}"#,
            None,
            None,
            0,
        );
        check(
            r#"{"worker_id": 1, "active_decode_blocks": null, "active_prefill_tokens": null, "kv_used_blocks": 7}"#,
            Some(7),
            None,
            0,
        );
        check(
            r#"{"worker_id": 1, "active_decode_blocks": 3, "kv_used_blocks": 7}"#,
            Some(7),
            None,
            0,
        );
        assert_eq!(
            KvMetrics::decode(None, br#"{"worker_id": 1}"#),
            Err(EventError::NoLoad)
        );
    }
}
