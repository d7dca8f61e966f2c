//! The collector's state machine: replies and events in, snapshots out.
//!
//! Pure: no I/O, no clock, no async. Time is an argument, and what the machine wants done it returns as effects. Its
//! Cargo.toml names no tokio, async-nats, clap, axum or exposition library, so the compiler enforces this.

#![warn(missing_docs)]

mod advice;
mod aging;
mod core;
mod describe;
mod events;
mod held;
mod histogram;
pub mod matching;
mod notice;
mod outcome;
mod plan;
mod pool;
mod roster;
mod round;
mod router;
mod selector;
mod snapshot;
mod spread;
#[cfg(test)]
mod tests;
mod time;
mod totals;
mod voice;
mod worker;

pub use self::core::{Arrived, Core, Effect, EndpointReport, Input, Inspection, InstanceReport, Seen};
pub use describe::Question;
pub use events::{EventBatch, SubjectId, Topic};
pub use histogram::{Histogram, RATIO_BUCKETS, ROUND_BUCKETS};
pub use notice::{Level, Notice};
pub use outcome::{
    Counts, EventCounts, EventResult, Finish, FinishCounts, ReplyCounts, ReplyResult, WorkerState,
};
pub use plan::{Plan, Settings};
pub use selector::{NameGlob, PathGlob, Selector};
pub use snapshot::{Identity, LinkView, PoolName, PoolView, Snapshot, WorkerKey, WorkerView};
pub use spread::{QUANTILES, Resource, Spread};
pub use time::Now;
pub use totals::Totals;
