//! [`CollectorScreen`]: the collector itself.

use std::collections::BTreeMap;

use fleet::{Faulty, Finish, PoolView, ReplyResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Header, Moment, problem, rounded};
use crate::export::{Process, SinkView};

/// The collector itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CollectorScreen {
    /// Whether the figures are current.
    pub header: Header,
    /// The commit of its source.
    pub revision: String,
    /// Rounds that were left out because the previous one had not ended in time.
    pub rounds_skipped: u64,
    /// How often the server refused a publish or a subscription.
    pub permission_violations: u64,
    /// Other errors that the server reported.
    pub server_errors: u64,
    /// Messages that the client dropped because they were not taken in time; at least this many.
    pub dropped_messages: u64,
    /// Rounds and replies of each pool; pools with refused replies first.
    pub pools: Vec<PoolRounds>,
    /// Instances with the most replies that were late, duplicate, or refused, the worst first. A reply that cannot be read
    /// at all names no instance.
    pub worst_senders: Vec<SenderRow>,
    /// The configuration in force; secrets are hidden.
    pub settings: Vec<SettingRow>,
    /// Where pages are pushed.
    pub sinks: Vec<SinkRow>,
    /// What the process uses of the machine.
    pub resources: Resources,
}

/// What only the process knows of itself.
#[derive(Debug)]
pub(crate) struct Inside<'a> {
    pub(crate) process: &'a Process,
    pub(crate) settings: &'a [SettingRow],
    pub(crate) history_bytes: u64,
    pub(crate) streams: u64,
}

impl CollectorScreen {
    /// The screen of a moment.
    pub(crate) fn new(inside: &Inside<'_>, moment: &Moment<'_>) -> Self {
        let snapshot = &moment.published.snapshot;
        let link = &snapshot.link;
        let mut pools: Vec<PoolRounds> = snapshot.pools.iter().map(|pool| PoolRounds::new(pool)).collect();
        // Pools of which something was refused are first.
        pools.sort_by_key(|pool| std::cmp::Reverse(pool.refused));
        let usage = inside.process.usage;
        let sinks = inside.process.sinks.iter().flatten();
        Self {
            header: Header::new(moment, &problem::all(moment)),
            revision: crate::REVISION.to_owned(),
            rounds_skipped: snapshot.rounds_skipped,
            permission_violations: link.permission_violations,
            server_errors: link.server_errors,
            dropped_messages: link.dropped_messages,
            pools,
            worst_senders: snapshot.worst.iter().map(SenderRow::new).collect(),
            settings: inside.settings.to_vec(),
            sinks: sinks.map(SinkRow::new).collect(),
            resources: Resources {
                cpu_seconds: usage.map(|usage| rounded(usage.cpu_seconds)),
                resident_bytes: usage.map(|usage| usage.resident_bytes),
                threads: usage.map(|usage| usage.threads),
                open_files: usage.map(|usage| usage.open_files),
                started_seconds: usage.map(|usage| rounded(usage.started)),
                log_lines_dropped: inside.process.log_lines_dropped,
                history_bytes: inside.history_bytes,
                streams: inside.streams,
            },
        }
    }
}

impl PoolRounds {
    fn new(pool: &PoolView) -> Self {
        let seconds = &pool.round_seconds;
        let count = seconds.count();
        let rank = (count as f64 * 0.99).ceil() as u64;
        let mut seen = 0;
        let bucket = seconds.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let result = |result: &ReplyResult| (result.as_str().to_owned(), pool.replies[*result]);
        let blamed = ReplyResult::ALL
            .iter()
            .filter(|result| !matches!(result, ReplyResult::Ok | ReplyResult::Foreign));
        Self {
            pool: pool.name.to_string(),
            rounds: Finish::ALL
                .iter()
                .map(|finish| (finish.as_str().to_owned(), pool.rounds[*finish]))
                .collect(),
            round_seconds_mean: (count > 0).then(|| rounded(seconds.sum / count as f64)),
            round_seconds_p99: bucket
                .filter(|_| count > 0)
                .and_then(|bucket| seconds.bounds.get(bucket).copied()),
            refused: blamed.map(|result| pool.replies[*result]).sum(),
            replies: ReplyResult::ALL.iter().map(result).collect(),
            missing: pool.missing,
        }
    }
}

impl SenderRow {
    fn new(sender: &Faulty) -> Self {
        let (pool, worker) = match &sender.member {
            Some((pool, worker)) => (Some(pool.to_string()), Some(worker.worker_id.to_string())),
            None => (None, None),
        };
        let known = ReplyResult::ALL
            .iter()
            .filter(|result| sender.replies[**result] > 0);
        Self {
            service: sender.service.to_string(),
            instance: sender.instance.to_string(),
            pool,
            worker,
            faults: sender.replies.total(),
            replies: known
                .map(|result| (result.as_str().to_owned(), sender.replies[*result]))
                .collect(),
        }
    }
}

impl SinkRow {
    fn new(sink: &SinkView) -> Self {
        Self {
            name: sink.sink.as_str().to_owned(),
            last_success_seconds: sink.last_success.map(|at| rounded(at.as_secs_f64())),
            succeeded: sink.succeeded,
            failed: sink.failed,
            refused: sink.refused,
            waiting: sink.waiting,
            dropped: sink.dropped,
        }
    }
}

/// Rounds by the reason why they ended.
pub type Finishes = BTreeMap<String, u64>;

/// Rounds and replies of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolRounds {
    /// The pool.
    pub pool: String,
    /// Rounds by the reason why they ended.
    pub rounds: Finishes,
    /// How long a round takes in the mean, in seconds.
    pub round_seconds_mean: Option<f64>,
    /// 99 % of rounds take at most about this long, in seconds; `null` where it is longer than the largest bucket.
    pub round_seconds_p99: Option<f64>,
    /// Replies that were late, duplicate, or refused.
    pub refused: u64,
    /// Replies by result.
    pub replies: BTreeMap<String, u64>,
    /// Workers that were expected in the last round and did not answer it.
    pub missing: u64,
}

/// An instance with replies that were late, duplicate, or refused. Its names come from outside and are not escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SenderRow {
    /// The service.
    pub service: String,
    /// The instance.
    pub instance: String,
    /// The pool of a worker that it reports, if there is one.
    pub pool: Option<String>,
    /// That worker.
    pub worker: Option<String>,
    /// How many such replies it has sent.
    pub faults: u64,
    /// These by result.
    pub replies: BTreeMap<String, u64>,
}

/// A setting and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingRow {
    /// The key in the configuration file, which is the name of the flag.
    pub key: String,
    /// Its value as a file would have it; hidden where it is secret.
    pub value: String,
    /// Where it comes from: flag, environment, line of the file, or default.
    pub source: String,
    /// Whether it is the default.
    pub is_default: bool,
}

/// Where pages are pushed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SinkRow {
    /// Its name.
    pub name: String,
    /// When a push last succeeded, in Unix seconds.
    pub last_success_seconds: Option<f64>,
    /// Pushes that succeeded.
    pub succeeded: u64,
    /// Pushes that failed.
    pub failed: u64,
    /// Pushes that the other end refused.
    pub refused: u64,
    /// Snapshots that wait.
    pub waiting: u64,
    /// Snapshots that were dropped.
    pub dropped: u64,
}

/// What the process uses of the machine; `null` where the system does not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Processor time.
    pub cpu_seconds: Option<f64>,
    /// Memory.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// File descriptors that are open.
    pub open_files: Option<u64>,
    /// When it started, in Unix seconds.
    pub started_seconds: Option<f64>,
    /// Log lines that were dropped.
    pub log_lines_dropped: u64,
    /// Bytes that the history takes.
    pub history_bytes: u64,
    /// Browsers and terminals that follow a screen.
    pub streams: u64,
}
