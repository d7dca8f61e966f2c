//! [`EventBatch`]: events added up per worker before the state machine sees them, so that fifty thousand a second cost it
//! little.

use hashbrown::HashMap;
use protocol::{EventError, KvHitRate, KvMetrics, LoadSource, WorkerId};

use crate::histogram::{Histogram, RATIO_BUCKETS};
use crate::outcome::{EventCounts, EventResult};

/// What is published under a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `kv-hit-rate`
    HitRate,
    /// `kv_metrics`
    KvMetrics,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 2] = [Self::HitRate, Self::KvMetrics];

    /// The topic's name in subjects.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HitRate => protocol::events::Topic::KvHitRate.as_str(),
            Self::KvMetrics => protocol::events::Topic::KvMetrics.as_str(),
        }
    }
}

/// The number of a subject that the state machine listens to.
pub type SubjectId = u32;

/// Events of a short time.
#[derive(Debug, Default)]
pub struct EventBatch {
    pub(crate) hits: HashMap<(SubjectId, WorkerId), Hits>,
    pub(crate) loads: HashMap<(SubjectId, WorkerId, u64, LoadSource), Load>,
    pub(crate) refused: HashMap<SubjectId, EventCounts>,
    count: u64,
}

/// Hit-rate events of one worker, added up.
#[derive(Debug)]
pub(crate) struct Hits {
    pub(crate) events: u64,
    pub(crate) lookup_blocks: u64,
    pub(crate) hit_blocks: u64,
    pub(crate) ratios: Histogram,
}

/// The last load event of one worker's rank, and how all of them are counted.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) event: KvMetrics,
    pub(crate) results: EventCounts,
}

impl EventBatch {
    /// Adds a hit-rate event, or why one cannot be read.
    pub fn add_hit_rate(&mut self, subject: SubjectId, event: Result<KvHitRate, EventError>) {
        self.count += 1;
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.refuse(subject, &error),
        };
        let hits = self
            .hits
            .entry((subject, event.worker_id()))
            .or_insert_with(|| Hits {
                events: 0,
                lookup_blocks: 0,
                hit_blocks: 0,
                ratios: Histogram::new(RATIO_BUCKETS),
            });
        hits.events += 1;
        hits.lookup_blocks = hits.lookup_blocks.saturating_add(event.isl_blocks());
        hits.hit_blocks = hits.hit_blocks.saturating_add(event.overlap_blocks());
        if let Some(ratio) = event.hit_ratio() {
            hits.ratios.observe(ratio);
        }
    }

    /// Adds a load event, or why one cannot be read.
    pub fn add_load(&mut self, subject: SubjectId, event: Result<KvMetrics, EventError>) {
        self.count += 1;
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.refuse(subject, &error),
        };
        let result = match event.refused.iter().all(|error| error.fault.is_out_of_range()) {
            _ if event.refused.is_empty() => EventResult::Ok,
            true => EventResult::OutOfRange,
            false => EventResult::Malformed,
        };
        let key = (subject, event.worker_id, event.dp_rank, event.source);
        match self.loads.get_mut(&key) {
            Some(known) => {
                known.event.stats = known.event.stats.updated_by(&event.stats);
                known.results[result] += 1;
            }
            None => {
                let mut results = EventCounts::default();
                results[result] += 1;
                self.loads.insert(key, Load { event, results });
            }
        }
    }

    /// How many events it holds.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn refuse(&mut self, subject: SubjectId, error: &EventError) {
        let result = match error.is_out_of_range() {
            true => EventResult::OutOfRange,
            false => EventResult::Malformed,
        };
        self.refused.entry(subject).or_default()[result] += 1;
    }
}
