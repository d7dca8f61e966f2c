//! Load written as JSON, as a value and as text, in both shapes.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::fields::{
    KV_ACTIVE, KV_CAPACITY, KV_SECTION, KV_USAGE, PREFIX_HITS, RANK, SLOTS_ACTIVE, SLOTS_CAPACITY, WAITING,
    WORKER_SECTION,
};
use super::{StatsShape, WorkerStats};

impl WorkerStats {
    /// Appends what [`to_data`](Self::to_data) writes as JSON text, for programs that write many of them.
    ///
    /// ```
    /// use protocol::{StatsShape, WorkerStats};
    /// let stats = WorkerStats::builder().slots_active(3).slots_capacity(100).requests_waiting(7).build()?;
    /// let mut text = Vec::new();
    /// stats.write_data(StatsShape::Flat, &mut text);
    /// assert_eq!(text, br#"{"request_active_slots":3,"request_total_slots":100,"num_requests_waiting":7}"#);
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    pub fn write_data(&self, shape: StatsShape, out: &mut Vec<u8>) {
        let worker = [
            (SLOTS_ACTIVE, self.request_slots_active),
            (SLOTS_CAPACITY, self.request_slots_capacity),
            (WAITING, self.requests_waiting),
            (RANK, self.data_parallel_rank),
        ];
        let kv = [
            (KV_ACTIVE, self.kv_blocks_active),
            (KV_CAPACITY, self.kv_blocks_capacity),
        ];
        let ratios = [
            (KV_USAGE, self.kv_usage_ratio),
            (PREFIX_HITS, self.prefix_cache_hit_ratio),
        ];
        let mut fields = Fields { out, is_first: true };
        if shape == StatsShape::Nested {
            fields.open(WORKER_SECTION);
        } else {
            fields.out.push(b'{');
        }
        worker
            .into_iter()
            .for_each(|(name, value)| fields.write(name, value));
        if shape == StatsShape::Nested {
            fields.out.push(b'}');
            fields.open(KV_SECTION);
        }
        kv.into_iter().for_each(|(name, value)| fields.write(name, value));
        ratios
            .into_iter()
            .for_each(|(name, value)| fields.write(name, value));
        if shape == StatsShape::Nested {
            out.extend_from_slice(br#"},"spec_decode_stats":null}"#);
        } else {
            out.push(b'}');
        }
    }

    /// Writes the `data` of an endpoint; [`read`](Self::read) reads it back. Fields of which nothing is known are
    /// left out.
    ///
    /// ```
    /// use protocol::{StatsShape, WorkerStats};
    /// let stats = WorkerStats::builder().slots_active(3).slots_capacity(100).requests_waiting(7).build()?;
    /// assert_eq!(stats.to_data(StatsShape::Flat)["num_requests_waiting"], 7);
    /// assert_eq!(stats.to_data(StatsShape::Nested)["worker_stats"]["num_requests_waiting"], 7);
    /// # Ok::<(), protocol::StatsError>(())
    /// ```
    pub fn to_data(&self, shape: StatsShape) -> Value {
        let worker = fields([
            (SLOTS_ACTIVE, self.request_slots_active.map(Value::from)),
            (SLOTS_CAPACITY, self.request_slots_capacity.map(Value::from)),
            (WAITING, self.requests_waiting.map(Value::from)),
            (RANK, self.data_parallel_rank.map(Value::from)),
        ]);
        let kv = fields([
            (KV_ACTIVE, self.kv_blocks_active.map(Value::from)),
            (KV_CAPACITY, self.kv_blocks_capacity.map(Value::from)),
            (KV_USAGE, self.kv_usage_ratio.map(Value::from)),
            (PREFIX_HITS, self.prefix_cache_hit_ratio.map(Value::from)),
        ]);
        match shape {
            StatsShape::Flat => Value::Object(worker.into_iter().chain(kv).collect()),
            StatsShape::Nested => {
                json!({ WORKER_SECTION: worker, KV_SECTION: kv, "spec_decode_stats": null })
            }
        }
    }
}

/// Writes the fields of a JSON object one by one.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl Fields<'_> {
    /// Begins an object within the outermost one, which the first of them opens.
    fn open(&mut self, section: &str) {
        self.out.push(if section == WORKER_SECTION { b'{' } else { b',' });
        self.out.push(b'"');
        self.out.extend_from_slice(section.as_bytes());
        self.out.extend_from_slice(b"\":{");
        self.is_first = true;
    }

    fn write(&mut self, name: &str, value: Option<impl Serialize>) {
        let Some(value) = value else { return };
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        serde_json::to_writer(&mut *self.out, &value).expect("numbers are JSON, and a vector takes all");
    }
}

fn fields<const N: usize>(pairs: [(&'static str, Option<Value>); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}
