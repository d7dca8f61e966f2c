//! The fast path of both events: fields of the right type in the right range, read without an allocation.
//!
//! A router sends one hit-rate event per request, so tens of thousands may come in a second.

use serde::de::{Error, MapAccess};

use super::load::load_of_counts;
use super::{KvHitRate, KvMetrics, LoadSource};
use crate::codec::{MAX_DEPTH, Opened, read_into};
use crate::record::{Count, Into, Record, Skip, fill};
use crate::stats::Data;

#[cfg(test)]
mod tests;

/// How deep the value of an event's field may nest; the event itself is the first level.
const LEVELS: usize = MAX_DEPTH - 1;

/// Reads a hit-rate event; `None` where the general reader has to look at it.
pub(super) fn hit_rate(opened: &Opened<'_>) -> Option<KvHitRate> {
    let mut fields = HitRate::default();
    read_into(opened, &mut fields)?;
    let event = KvHitRate::new(
        number(fields.worker_id)?.into(),
        number(fields.isl_blocks)?,
        number(fields.overlap_blocks)?,
    );
    Some(event.ok()?.of_rank(number(fields.dp_rank).unwrap_or(0)))
}

/// Reads a load event; `None` where the general reader has to look at it.
pub(super) fn metrics(opened: &Opened<'_>) -> Option<KvMetrics> {
    let mut fields = Metrics::default();
    read_into(opened, &mut fields)?;
    let mut active_prefill_tokens = None;
    let (stats, source) = match fields.data.flatten() {
        Some(data) => (data.reading()?.stats?, LoadSource::Worker),
        None => {
            active_prefill_tokens = number(fields.active_prefill_tokens);
            load_of_counts(
                number(fields.kv_used_blocks),
                number(fields.active_decode_blocks),
                active_prefill_tokens,
            )?
        }
    };
    Some(KvMetrics {
        worker_id: number(fields.worker_id)?.into(),
        dp_rank: number(fields.dp_rank).or(stats.data_parallel_rank()).unwrap_or(0),
        stats,
        active_prefill_tokens,
        source,
        refused: Vec::new(),
    })
}

fn number(count: Option<Count>) -> Option<u64> {
    count.and_then(|Count(number)| number)
}

#[derive(Default)]
struct HitRate {
    worker_id: Option<Count>,
    dp_rank: Option<Count>,
    isl_blocks: Option<Count>,
    overlap_blocks: Option<Count>,
}

impl<'de> Record<'de> for HitRate {
    fn field<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "worker_id" => fill(&mut self.worker_id, map.next_value()?),
            "dp_rank" => fill(&mut self.dp_rank, map.next_value()?),
            "isl_blocks" => fill(&mut self.isl_blocks, map.next_value()?),
            "overlap_blocks" => fill(&mut self.overlap_blocks, map.next_value()?),
            _ => map.next_value_seed(Skip { levels: LEVELS }),
        }
    }
}

#[derive(Default)]
struct Metrics {
    worker_id: Option<Count>,
    dp_rank: Option<Count>,
    kv_used_blocks: Option<Count>,
    active_decode_blocks: Option<Count>,
    active_prefill_tokens: Option<Count>,
    data: Option<Option<Data>>,
}

impl<'de> Record<'de> for Metrics {
    fn field<A: MapAccess<'de>>(&mut self, name: &'de str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "worker_id" => fill(&mut self.worker_id, map.next_value()?),
            "dp_rank" => fill(&mut self.dp_rank, map.next_value()?),
            "kv_used_blocks" => fill(&mut self.kv_used_blocks, map.next_value()?),
            "active_decode_blocks" => fill(&mut self.active_decode_blocks, map.next_value()?),
            "active_prefill_tokens" => fill(&mut self.active_prefill_tokens, map.next_value()?),
            "data" => {
                let too_deep = || A::Error::custom("nested too deep");
                let mut data = Data::within(LEVELS).ok_or_else(too_deep)?;
                let is_there = map.next_value_seed(Into(&mut data))?;
                fill(&mut self.data, is_there.then_some(data))
            }
            _ => map.next_value_seed(Skip { levels: LEVELS }),
        }
    }
}
