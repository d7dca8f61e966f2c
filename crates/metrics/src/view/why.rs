//! [`WhyScreen`]: why a worker that should be there is not seen.

use fleet::{Census, CensusMiss, PoolName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::worker::explain_command;
use super::{Header, Moment, problem};

/// What is on NATS, what of it is watched, and what nearly is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WhyScreen {
    /// The collector, and whether the figures are current.
    pub header: Header,
    /// What is on NATS.
    #[serde(flatten)]
    pub facts: WhyFacts,
    /// Ids that several instances report.
    pub duplicates: Vec<Shared>,
}

/// What is on NATS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyFacts {
    /// How the last round went, in words.
    pub round: String,
    /// What is to be watched; what has no workers is first.
    pub watched: Vec<Watched>,
    /// Pools of workers that are on NATS and are not watched; as far as they describe themselves.
    pub found: Vec<FoundPool>,
    /// Plain services that are on NATS.
    pub services: Vec<FoundService>,
    /// What workers report and the collector refuses.
    pub refused: Vec<Refused>,
    /// Permissions that NATS denied, with the remedy.
    pub denied: Vec<String>,
}

/// Characters of a reason that are shown.
const REASON: usize = 400;

impl WhyScreen {
    /// The screen of a moment, with what was seen on NATS.
    pub(crate) fn new(facts: &WhyFacts, moment: &Moment<'_>) -> Self {
        let duplicates = moment.published.snapshot.pools.iter().flat_map(|pool| {
            pool.duplicates.iter().map(|duplicate| Shared {
                pool: pool.name.to_string(),
                worker: duplicate.worker.worker_id.to_string(),
                shown: duplicate.worker.service_id.to_string(),
                left_out: duplicate.other.to_string(),
            })
        });
        Self {
            header: Header::new(moment, &problem::all(moment)),
            facts: facts.clone(),
            duplicates: duplicates.collect(),
        }
    }
}

impl WhyFacts {
    /// What a census has, in words.
    pub(crate) fn new(census: &Census, denied: Vec<String>) -> Self {
        let watched = census.watched.iter().map(|pool| {
            let name = pool.name.to_string();
            let (kind, target) = match &pool.name {
                PoolName::Workers(path) => ("worker", path.to_string()),
                PoolName::Service { service, .. } => ("instance", service.to_string()),
            };
            let counted = |count: usize| match count {
                1 => format!("1 {kind}"),
                count => format!("{count} {kind}s"),
            };
            Watched {
                text: match (&pool.why, pool.fresh, pool.workers) {
                    (Some(why), _, _) => cut(why),
                    (None, 0, 0) => format!("no {kind} is known"),
                    (None, 0, known) => format!("{} known, none fresh", counted(known)),
                    (None, fresh, known) if fresh == known => format!("{}, all fresh", counted(known)),
                    (None, fresh, known) => format!("{}, {fresh} of them fresh", counted(known)),
                },
                workers: pool.workers,
                fresh: pool.fresh,
                near_misses: pool.misses.iter().map(NearMiss::new).collect(),
                command: (pool.fresh == 0).then(|| explain_command(&target)),
                name,
            }
        });
        let found = census.unwatched.iter().map(|(path, workers)| FoundPool {
            workers: *workers,
            command: watch_command("target", &path.to_string()),
            path: path.to_string(),
        });
        let services = census
            .services
            .iter()
            .map(|(name, (instances, is_watched))| FoundService {
                instances: *instances,
                is_watched: *is_watched,
                command: watch_command("service", name),
                name: name.to_string(),
            });
        let refused = census.refused.iter().map(|refusal| Refused {
            pool: refusal.pool.to_string(),
            reason: cut(&refusal.reason),
            count: refusal.count,
            example: refusal.example.to_string(),
        });
        let unreadable = match census.unreadable {
            0 => String::new(),
            count => format!("; {count} replies since the start could not be read"),
        };
        Self {
            round: match census.replies {
                0 => format!("no reply came in the last round{unreadable}"),
                1 => format!("1 reply came in the last round{unreadable}"),
                count => format!("{count} replies came in the last round{unreadable}"),
            },
            watched: watched.collect(),
            found: found.collect(),
            services: services.collect(),
            refused: refused.collect(),
            denied,
        }
    }
}

/// A text from outside, no longer than a person reads.
fn cut(text: &str) -> String {
    match text.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The command that watches something.
fn watch_command(flag: &str, name: &str) -> String {
    let name = shlex::try_quote(name).unwrap_or_else(|_| "''".into());
    format!("metrics --{flag} {name}")
}

impl NearMiss {
    fn new(miss: &CensusMiss) -> Self {
        let found = miss.found.as_ref();
        Self {
            count: miss.count,
            of: found.map(ToString::to_string),
            reason: cut(&miss.reason),
            remedy: miss.remedy.as_deref().map(cut),
        }
    }
}

/// Something that is to be watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watched {
    /// A path, or a service.
    pub name: String,
    /// How many workers or instances it has.
    pub workers: usize,
    /// How many of them are fresh.
    pub fresh: usize,
    /// What is so, in words.
    pub text: String,
    /// What nearly belongs to it.
    pub near_misses: Vec<NearMiss>,
    /// A command to copy.
    pub command: Option<String>,
}

/// Endpoints that nearly belong to a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NearMiss {
    /// How many.
    pub count: u64,
    /// The path that they belong to, if it is known.
    pub of: Option<String>,
    /// Why they do not belong to it.
    pub reason: String,
    /// What to type or to fix.
    pub remedy: Option<String>,
}

/// A pool of workers that is on NATS and is not watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundPool {
    /// `namespace/component/endpoint`.
    pub path: String,
    /// How many workers it has.
    pub workers: usize,
    /// The command that watches it.
    pub command: String,
}

/// A plain service that is on NATS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundService {
    /// Its name.
    pub name: String,
    /// How many instances it has.
    pub instances: usize,
    /// Whether it is watched.
    pub is_watched: bool,
    /// The command that watches it.
    pub command: String,
}

/// A worker id that several instances report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shared {
    /// The pool.
    pub pool: String,
    /// The worker's id.
    pub worker: String,
    /// The instance whose numbers are shown.
    pub shown: String,
    /// The one whose numbers are not.
    pub left_out: String,
}

/// Something that a worker reports and the collector refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// The pool.
    pub pool: String,
    /// What is wrong, with the field.
    pub reason: String,
    /// Workers of which this is so.
    pub count: usize,
    /// The subject of one of them.
    pub example: String,
}
