//! The series of each worker that topics bring which are listened to where they are asked for: what its KV cache stores,
//! and requests as routers assign them.

use fleet::{CACHE_TIERS, EventsView, PoolView, WorkerView};

use super::catalogue as c;
use super::chunks::Chunks;
use super::format::Format;
use super::labels::{Text, Texts, Worker};
use super::writer::Samples;

/// These families, as they are being written.
pub(super) struct OptIn<'a> {
    stored: Samples<'a, Worker, 1>,
    removed: Samples<'a, Worker, 1>,
    clears: Samples<'a, Worker>,
    assigned: Samples<'a, Worker>,
    loras: Samples<'a, Worker, 1>,
    first_tokens: Samples<'a, Worker>,
}

/// How many families there are.
const FAMILIES: usize = 6;

/// The most series of a worker's cache.
const CACHE_SERIES: usize = 2 * CACHE_TIERS.len() + 1;

/// The most series of its requests, without those of LoRA adapters.
const REQUEST_SERIES: usize = 2;

impl<'a> OptIn<'a> {
    /// A text for each family.
    pub(super) fn texts() -> [Chunks; FAMILIES] {
        Default::default()
    }

    pub(super) fn new(format: Format, texts: &'a mut [Chunks; FAMILIES]) -> Self {
        let [stored, removed, clears, assigned, loras, first_tokens] = texts;
        Self {
            stored: Samples::new(format, stored, &c::KV_STORED),
            removed: Samples::new(format, removed, &c::KV_REMOVED),
            clears: Samples::new(format, clears, &c::KV_CLEARS),
            assigned: Samples::new(format, assigned, &c::ASSIGNED),
            loras: Samples::new(format, loras, &c::LORA_ASSIGNED),
            first_tokens: Samples::new(format, first_tokens, &c::FIRST_TOKENS),
        }
    }

    pub(super) fn write(&mut self, labels: &Texts<Worker>, block: &[WorkerView]) {
        for (labels, worker) in labels.iter().zip(block) {
            if let Some(events) = worker.events.as_deref() {
                self.events(labels, events);
            }
        }
    }

    fn events(&mut self, labels: Text<'_, Worker>, events: &EventsView) {
        if let Some(cache) = events.cache.as_deref() {
            for (samples, counts) in [
                (&mut self.stored, &cache.stored),
                (&mut self.removed, &cache.removed),
            ] {
                for (tier, count) in tiers(counts) {
                    samples.write(labels, [tier], count);
                }
            }
            self.clears.write(labels, [], cache.clears);
        }
        if let Some(known) = events.sequences.as_deref() {
            if let Some(assigned) = known.assigned {
                self.assigned.write(labels, [], assigned);
            }
            for (lora, assigned) in &known.loras {
                self.loras.write(labels, [lora], *assigned);
            }
            self.first_tokens.write(labels, [], known.first_tokens);
        }
    }

    /// How many series a worker has.
    pub(super) fn count(worker: &WorkerView) -> usize {
        let Some(events) = worker.events.as_deref() else {
            return 0;
        };
        let cache = events.cache.as_deref();
        let of_cache = cache.map_or(0, |cache| {
            tiers(&cache.stored).count() + tiers(&cache.removed).count() + 1
        });
        let known = events.sequences.as_deref();
        let of_requests = known.map_or(0, |known| {
            usize::from(known.assigned.is_some()) + known.loras.len() + 1
        });
        of_cache + of_requests
    }

    /// The most that a worker of a pool has: nothing where nothing was asked for. Of LoRA adapters a worker can have as
    /// many as any other.
    pub(super) fn series_each(pool: &PoolView) -> usize {
        let events = || pool.workers.iter().filter_map(|worker| worker.events.as_deref());
        let has_cache = events().any(|events| events.cache.is_some());
        let sequences = events().filter_map(|events| events.sequences.as_deref());
        let loras = sequences.map(|known| known.loras.len()).max();
        let of_cache = if has_cache { CACHE_SERIES } else { 0 };
        of_cache + loras.map_or(0, |loras| loras + REQUEST_SERIES)
    }
}

/// The tiers of which anything has been counted.
fn tiers(counts: &[u64; CACHE_TIERS.len()]) -> impl Iterator<Item = (&'static str, u64)> {
    let tiers = CACHE_TIERS.into_iter().zip(*counts);
    tiers.filter(|(_, count)| *count > 0)
}
