//! What a person looks at: screens as plain data, computed from a snapshot and its history.
//!
//! There is no HTML and no terminal here. The page and the terminal both draw these values, so they show the same numbers
//! in the same order. The JSON API serves them as they are, so a terminal may also read the view of another process.

mod ask;
mod chart;
mod collector;
mod header;
mod level;
mod merge;
mod order;
mod outliers;
mod overview;
mod pool;
mod problem;
mod screen;
mod why;
mod worker;
mod worker_row;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::history::History;
use crate::published::Published;

pub use ask::{Ask, AskError, TOP};
pub use chart::{Chart, Spark};
pub(crate) use collector::Inside;
pub use collector::{CollectorScreen, Finishes, PoolRounds, Resources, SenderRow, SettingRow, SinkRow};
pub use header::{Header, NatsState};
pub use level::{Figure, Level, Severity};
pub use order::{Sort, SortError, filter_matches};
pub use outliers::Outlier;
pub use overview::{Members, Overview, PoolRow, ServiceRow, Spread};
pub use pool::{Bin, HeatKey, PoolScreen};
pub use problem::{Problem, Subject};
pub use screen::{Delta, Kind, Screen};
pub use why::{FoundPool, FoundService, NearMiss, Refused, Shared, Watched, WhyFacts, WhyScreen};
pub(crate) use worker::explain_command;
pub use worker::{ChangeRow, Fact, WorkerScreen};
pub(crate) use worker_row::HOST_KEYS;
pub use worker_row::WorkerRow;

/// What screens are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The snapshot.
    pub published: &'a Published,
    /// What came before it.
    pub history: &'a History,
    /// How long ago the last round may have ended: [`ready::round_limit`](crate::ready::round_limit).
    pub round_limit: Duration,
}

impl Moment<'_> {
    /// When the snapshot was taken, in Unix seconds.
    pub(crate) fn taken(&self) -> f64 {
        self.published.snapshot.taken.as_secs_f64()
    }
}

/// A number as it is worth sending: three digits after the point.
pub(crate) fn rounded(value: f64) -> f64 {
    if value.is_finite() {
        (value * 1000.0).round() / 1000.0
    } else {
        0.0
    }
}
