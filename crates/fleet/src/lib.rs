//! The collector's state machine: replies and events in, snapshots out.
//!
//! Pure: no I/O, no clock, no async. Time is an argument, and what the machine wants done it returns as effects. Its
//! Cargo.toml names no tokio, async-nats, clap, axum or exposition library, so the compiler enforces this.

#![warn(missing_docs)]

mod advice;
mod aging;
mod caches;
mod changes;
mod core;
mod describe;
mod events;
mod faulty;
mod heard;
mod held;
mod histogram;
mod mapped;
mod mapping;
pub mod matching;
mod nameless;
mod notice;
mod outcome;
mod passes;
mod plan;
mod pool;
mod profile;
mod registry;
mod remembered;
mod requests;
mod roster;
mod round;
mod router;
mod selector;
mod sequences;
mod snapshot;
mod spread;
mod sums;
#[cfg(test)]
mod tests;
mod time;
mod totals;
mod turns;
mod voice;
mod worker;

pub use self::core::{
    Arrived, Census, CensusMiss, CensusPool, Core, Effect, EndpointReport, Heard, Input, Inspection,
    InstanceReport, Listening, Refusal, Seen,
};
pub use advice::flags_to_check;
pub use caches::{CACHE_TIERS, CacheCounts};
pub use changes::{Detail, RECENT_CHANGES, WorkerChange};
pub use describe::Question;
pub use events::{EventBatch, EventReader, Hearing, Unassigned};
pub use faulty::{Faulty, WORST_SENDERS};
pub use histogram::{Bounds, DELAY_BUCKETS, Histogram, PASS_BUCKETS, RATIO_BUCKETS, ROUND_BUCKETS};
pub use mapped::{Mapped, MappedValue, MappingFault, Unread};
pub use mapping::{MappedKind, MappedMetric, Mapping, Scope};
pub use nameless::PartialPath;
pub use notice::{Level, Notice};
pub use outcome::{
    Change, ChangeCounts, Counts, EventCounts, EventResult, Finish, FinishCounts, ReplyCounts, ReplyResult,
    WorkerState,
};
pub use passes::{EngineLoad, PassCounts};
pub use plan::{Capacity, CapacityError, Form, Given, Labelled, OptInTopics, Plan, Settings};
pub use profile::{MetadataLabel, NoMetadataKey, Profile};
pub use registry::{MAX_REGISTERED, Registrant, RegistryNews, RegistryReport};
pub use requests::{Buckets, Frontends, Measure, MeasureBuckets, Records, RequestBooks, Role};
pub use selector::{NameGlob, NoServiceName, PathGlob, Selector};
pub use sequences::SequencesView;
pub use snapshot::{
    CapacitySource, Duplicate, EventScope, EventsView, Identity, LinkView, MappingView, PoolName, PoolView,
    RegistryView, Snapshot, Source, WorkerKey, WorkerView,
};
pub use spread::{QUANTILES, Resource, Spread};
pub use sums::Sums;
pub use time::Now;
pub use totals::Totals;
pub use turns::InTurn;
