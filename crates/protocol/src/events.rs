//! Events that workers publish under `namespace.{namespace}.{event}`: [`KvHitRate`] and [`KvMetrics`].
//!
//! Both are read in every generation that Dynamo has sent: JSON with and without `dp_rank`, the nested load, the
//! single counts of 0.8, and the MessagePack envelope of 0.9 and later.

mod fast;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::codec::decode;
use crate::stats::WorkerStatsBuilder;
use crate::{CodecError, StatsError, StatsRefusal, StatsShape, WorkerId, WorkerStats};

/// The event name of [`KvHitRate`].
pub const KV_HIT_RATE: &str = "kv-hit-rate";

/// The event name of [`KvMetrics`].
pub const KV_METRICS: &str = "kv_metrics";

/// How many of a prompt's KV blocks a worker's prefix cache already had. At most as many are found as were looked
/// up, in events that are read as in those that are made here.
///
/// ```
/// use protocol::{KvHitRate, WorkerId};
/// let event = KvHitRate::decode(None, br#"{"worker_id": 7, "isl_blocks": 10, "overlap_blocks": 4}"#)?;
/// assert_eq!((event.worker_id(), event.isl_blocks(), event.overlap_blocks()), (WorkerId::new(7), 10, 4));
/// assert_eq!(event.hit_ratio(), Some(0.4));
/// # Ok::<(), protocol::EventError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KvHitRate {
    worker_id: WorkerId,
    dp_rank: u64,
    isl_blocks: u64,
    overlap_blocks: u64,
}

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
    /// A router estimates it: `active_decode_blocks` together with `active_prefill_tokens`.
    Router,
    /// The worker: the whole load in `data` (Dynamo up to 0.7.1), or `active_decode_blocks` alone (0.8 to 1.0).
    Worker,
    /// The worker's engine: `kv_used_blocks`, Dynamo 1.1 and later.
    Engine,
}

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The bytes cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The payload is no object.
    #[error("the event is no object")]
    NotAnObject,
    /// A field is missing or has the wrong type.
    #[error("{0} is missing or no whole number of 64 bits")]
    Field(&'static str),
    /// A field is negative.
    #[error("{0} is negative")]
    Negative(&'static str),
    /// More blocks are said to be cached than were looked up.
    #[error("overlap_blocks is {overlap_blocks}, above isl_blocks {isl_blocks}")]
    OverlapAboveLookup {
        /// Blocks said to be found.
        overlap_blocks: u64,
        /// Blocks looked up.
        isl_blocks: u64,
    },
    /// The load in it cannot be used.
    #[error(transparent)]
    Stats(#[from] StatsRefusal),
    /// The event carries no load.
    #[error("the event carries no load")]
    NoLoad,
}

impl EventError {
    /// Whether the event is well-formed and only a value in it is impossible.
    pub fn is_out_of_range(&self) -> bool {
        match self {
            Self::Negative(_) | Self::OverlapAboveLookup { .. } => true,
            Self::Stats(StatsRefusal::NothingUsable(fields)) => {
                fields.iter().all(|f| f.fault.is_out_of_range())
            }
            _ => false,
        }
    }
}

impl KvHitRate {
    /// An event of rank 0: of `isl_blocks` that were looked up, `overlap_blocks` were found.
    ///
    /// # Errors
    /// [`EventError::OverlapAboveLookup`] where more blocks are found than looked up.
    ///
    /// ```
    /// use protocol::{Encoding, KvHitRate, WorkerId};
    /// let event = KvHitRate::new(WorkerId::new(7), 10, 4)?;
    /// let payload = Encoding::Json.encode(&event)?;
    /// assert_eq!(payload, br#"{"worker_id":7,"dp_rank":0,"isl_blocks":10,"overlap_blocks":4}"#);
    /// assert!(KvHitRate::new(WorkerId::new(7), 4, 10).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(worker_id: WorkerId, isl_blocks: u64, overlap_blocks: u64) -> Result<Self, EventError> {
        if overlap_blocks > isl_blocks {
            return Err(EventError::OverlapAboveLookup {
                overlap_blocks,
                isl_blocks,
            });
        }
        Ok(Self {
            worker_id,
            dp_rank: 0,
            isl_blocks,
            overlap_blocks,
        })
    }

    /// Reads an event of any generation. `content_type` is the message's header, if it has one.
    ///
    /// # Errors
    /// [`EventError`] names what is missing or wrong.
    pub fn decode(content_type: Option<&str>, payload: &[u8]) -> Result<Self, EventError> {
        match fast::hit_rate(content_type, payload) {
            Some(event) => Ok(event),
            None => Self::decode_any(content_type, payload),
        }
    }

    fn decode_any(content_type: Option<&str>, payload: &[u8]) -> Result<Self, EventError> {
        let fields = object(content_type, payload)?;
        let isl_blocks = required(&fields, "isl_blocks")?;
        let overlap_blocks = required(&fields, "overlap_blocks")?;
        let event = Self::new(required(&fields, "worker_id")?.into(), isl_blocks, overlap_blocks)?;
        Ok(Self {
            dp_rank: optional(&fields, "dp_rank")?.unwrap_or(0),
            ..event
        })
    }

    /// Whose cache it was.
    pub fn worker_id(&self) -> WorkerId {
        self.worker_id
    }

    /// The rank within a data-parallel group; 0 without one, as in events up to 0.6.0.
    pub fn dp_rank(&self) -> u64 {
        self.dp_rank
    }

    /// Blocks of the prompt, all of which were looked up.
    pub fn isl_blocks(&self) -> u64 {
        self.isl_blocks
    }

    /// Blocks of these that the cache had; at most [`isl_blocks`](Self::isl_blocks).
    pub fn overlap_blocks(&self) -> u64 {
        self.overlap_blocks
    }

    /// Found blocks per looked-up block, 0..1, or `None` where none was looked up.
    pub fn hit_ratio(&self) -> Option<f64> {
        (self.isl_blocks > 0).then(|| self.overlap_blocks as f64 / self.isl_blocks as f64)
    }
}

impl KvMetrics {
    /// The load of a worker, of the rank that `stats` names or else of rank 0.
    ///
    /// ```
    /// use protocol::{Encoding, KvMetrics, WorkerId, WorkerStats};
    /// let event = KvMetrics::new(WorkerId::new(7), WorkerStats::builder().kv_blocks(42, 100).build()?);
    /// let payload = Encoding::MessagePack.encode(&event)?;
    /// assert_eq!(KvMetrics::decode(None, &payload)?, event);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(worker_id: WorkerId, stats: WorkerStats) -> Self {
        Self {
            worker_id,
            dp_rank: stats.data_parallel_rank().unwrap_or(0),
            stats,
            source: LoadSource::Worker,
            refused: Vec::new(),
        }
    }

    /// Reads an event of any generation. `content_type` is the message's header, if it has one.
    ///
    /// # Errors
    /// [`EventError`] names what is missing or wrong; [`EventError::NoLoad`] where nothing is said.
    pub fn decode(content_type: Option<&str>, payload: &[u8]) -> Result<Self, EventError> {
        match fast::metrics(content_type, payload) {
            Some(event) => Ok(event),
            None => Self::decode_any(content_type, payload),
        }
    }

    fn decode_any(content_type: Option<&str>, payload: &[u8]) -> Result<Self, EventError> {
        let fields = object(content_type, payload)?;
        let worker_id = required(&fields, "worker_id")?.into();
        let rank = optional(&fields, "dp_rank")?;
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
                let (stats, source) = load_of_counts(used, active, tokens).ok_or(EventError::NoLoad)?;
                (stats, Vec::new(), source)
            }
        };
        let dp_rank = rank.or(stats.data_parallel_rank()).unwrap_or(0);
        Ok(Self {
            worker_id,
            dp_rank,
            stats,
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
fn load_of_counts(
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

fn object(content_type: Option<&str>, payload: &[u8]) -> Result<Map<String, Value>, EventError> {
    match decode(content_type, payload)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(EventError::NotAnObject),
    }
}

fn required(fields: &Map<String, Value>, name: &'static str) -> Result<u64, EventError> {
    optional(fields, name)?.ok_or(EventError::Field(name))
}

fn optional(fields: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, EventError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match (value.as_u64(), value.as_f64()) {
            (Some(whole), _) => Ok(Some(whole)),
            (None, Some(number)) if number < 0.0 => Err(EventError::Negative(name)),
            _ => Err(EventError::Field(name)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_rate_event_that_cannot_be_is_refused_by_name() {
        fn check(payload: &str, expected: &str, out_of_range: bool) {
            let error = KvHitRate::decode(None, payload.as_bytes()).expect_err(payload);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.is_out_of_range(), out_of_range, "{error}");
        }
        check(
            r#"{"worker_id": 1, "isl_blocks": 3, "overlap_blocks": 4}"#,
            "above isl_blocks 3",
            true,
        );
        check(
            r#"{"worker_id": 1, "isl_blocks": -3, "overlap_blocks": 0}"#,
            "isl_blocks is negative",
            true,
        );
        check(
            r#"{"isl_blocks": 3, "overlap_blocks": 0}"#,
            "worker_id is missing",
            false,
        );
        check(
            r#"{"worker_id": "x", "isl_blocks": 3, "overlap_blocks": 0}"#,
            "worker_id is missing or no",
            false,
        );
        check("[1, 2, 3]", "no object", false);
        check("{", "no JSON", false);
    }

    #[test]
    fn an_event_that_looked_up_nothing_has_no_ratio() {
        let event = KvHitRate::new(WorkerId::new(1), 0, 0).expect("in range");
        assert_eq!(event.hit_ratio(), None);
    }

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
