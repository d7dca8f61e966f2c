//! Forward passes as engines write them.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{ForwardPass, Queued, Scheduled};

impl Serialize for ForwardPass {
    /// Writes a map of 7, with the worker's id as text, as Dynamo 1.1 and later do.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("version", &1)?;
        map.serialize_entry("worker_id", &self.worker_id.to_string())?;
        map.serialize_entry("dp_rank", &self.dp_rank)?;
        map.serialize_entry("counter_id", &self.counter_id)?;
        map.serialize_entry("wall_time", &self.wall_time)?;
        map.serialize_entry("scheduled_requests", &self.scheduled)?;
        map.serialize_entry("queued_requests", &self.queued)?;
        map.end()
    }
}

impl Serialize for Scheduled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("num_prefill_requests", &self.prefill_requests)?;
        map.serialize_entry("sum_prefill_tokens", &self.prefill_tokens)?;
        map.serialize_entry("var_prefill_length", &self.prefill_length_variance)?;
        map.serialize_entry("sum_prefill_kv_tokens", &self.prefill_kv_tokens)?;
        map.serialize_entry("num_decode_requests", &self.decode_requests)?;
        map.serialize_entry("sum_decode_kv_tokens", &self.decode_kv_tokens)?;
        map.serialize_entry("var_decode_kv_tokens", &self.decode_kv_variance)?;
        map.end()
    }
}

impl Serialize for Queued {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("num_prefill_requests", &self.prefill_requests)?;
        map.serialize_entry("sum_prefill_tokens", &self.prefill_tokens)?;
        map.serialize_entry("var_prefill_length", &self.prefill_length_variance)?;
        map.serialize_entry("num_decode_requests", &self.decode_requests)?;
        map.serialize_entry("sum_decode_kv_tokens", &self.decode_kv_tokens)?;
        map.serialize_entry("var_decode_kv_tokens", &self.decode_kv_variance)?;
        map.end()
    }
}
