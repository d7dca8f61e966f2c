//! The collector itself: which snapshot this is, and whether it can be trusted.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::published::Published;
use crate::ready;

/// The collector, and the snapshot that an answer shows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Collector {
    /// Counts the snapshots since the collector started, from 1; 0 before the first.
    snapshot: u64,
    /// When the snapshot was taken, in Unix seconds.
    taken_seconds: f64,
    /// How old it is now.
    age_seconds: f64,
    /// How long ago the last round ended; `null` before the first.
    round_age_seconds: Option<f64>,
    /// Rounds that were left out because the previous one had not ended in time.
    rounds_skipped: u64,
    /// Whether the numbers can be trusted, as `/readyz` says.
    ready: bool,
    /// Why they cannot.
    not_ready: Vec<String>,
    nats: Nats,
}

/// The connection to NATS.
#[derive(Debug, Serialize, JsonSchema)]
struct Nats {
    connected: bool,
    reconnects: u64,
    permission_violations: u64,
    server_errors: u64,
    /// Messages that the client dropped because they were not taken in time; at least this many.
    dropped_messages: u64,
}

impl Collector {
    /// What an answer says of its snapshot now.
    pub fn new(published: &Published, round_limit: Duration) -> Self {
        let snapshot = &published.snapshot;
        let link = &snapshot.link;
        let reasons = ready::why_not(published, round_limit);
        Self {
            snapshot: snapshot.sequence,
            taken_seconds: snapshot.taken.as_secs_f64(),
            age_seconds: published.at.elapsed().as_secs_f64(),
            round_age_seconds: published.round_age().map(|age| age.as_secs_f64()),
            rounds_skipped: snapshot.rounds_skipped,
            ready: reasons.is_empty(),
            not_ready: reasons.iter().map(ToString::to_string).collect(),
            nats: Nats {
                connected: link.connected,
                reconnects: link.reconnects,
                permission_violations: link.permission_violations,
                server_errors: link.server_errors,
                dropped_messages: link.dropped_messages,
            },
        }
    }
}
