//! [`Header`]: what every screen begins with. It says whether the rest can be trusted.

use fleet::PoolName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, rounded};
use crate::ready;

/// The collector's state, and the size of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Counts the snapshots since the collector started, from 1; 0 before the first.
    pub snapshot: u64,
    /// When the snapshot was taken, in Unix seconds.
    pub taken_seconds: f64,
    /// How long ago the last round ended; `null` before the first.
    pub round_age_seconds: Option<f64>,
    /// The age of the last round above which no figure is current.
    pub round_limit_seconds: f64,
    /// Whether figures are current: NATS is connected and the last round is recent. Where they are not, a screen shows them
    /// as old.
    pub is_live: bool,
    /// The connection to NATS.
    pub nats: NatsState,
    /// Whether the numbers can be trusted, as `/readyz` says.
    pub ready: bool,
    /// Why they cannot.
    pub not_ready: Vec<String>,
    /// Pools of workers.
    pub pools: usize,
    /// Endpoints of plain services.
    pub services: usize,
    /// Workers of all pools, without instances of plain services.
    pub workers: usize,
    /// Those of them that are fresh.
    pub fresh: usize,
    /// Instances of plain services.
    pub instances: usize,
    /// How many problems the overview lists.
    pub problems: usize,
    /// How many of them are critical.
    pub critical: usize,
    /// The version of the collector.
    pub version: String,
}

/// The connection to NATS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NatsState {
    /// Whether it is up.
    pub connected: bool,
    /// How often it was restored.
    pub reconnects: u64,
}

impl Header {
    /// The header of a moment, with its problems.
    pub(super) fn new(moment: &Moment<'_>, problems: &[super::Problem]) -> Self {
        let snapshot = &moment.published.snapshot;
        let reasons = ready::why_not(moment.published, moment.round_limit);
        let (mut header_pools, mut services, mut workers, mut fresh, mut instances) = (0, 0, 0, 0, 0);
        for pool in &snapshot.pools {
            match pool.name {
                PoolName::Workers(_) => {
                    header_pools += 1;
                    workers += pool.workers.len();
                    fresh += pool.totals().fresh;
                }
                PoolName::Service { .. } => {
                    services += 1;
                    instances += pool.workers.len();
                }
            }
        }
        Self {
            snapshot: snapshot.sequence,
            taken_seconds: rounded(moment.taken()),
            round_age_seconds: moment.published.round_age().map(|age| rounded(age.as_secs_f64())),
            round_limit_seconds: moment.round_limit.as_secs_f64(),
            is_live: snapshot.link.connected && ready::has_recent_round(moment.published, moment.round_limit),
            nats: NatsState {
                connected: snapshot.link.connected,
                reconnects: snapshot.link.reconnects,
            },
            ready: reasons.is_empty(),
            not_ready: reasons.iter().map(ToString::to_string).collect(),
            pools: header_pools,
            services,
            workers,
            fresh,
            instances,
            problems: problems.len(),
            critical: problems
                .iter()
                .filter(|problem| problem.severity == super::Severity::Critical)
                .count(),
            version: crate::VERSION.to_owned(),
        }
    }
}
