//! [`WorkerScreen`]: one worker.

use fleet::{EventScope, PoolName, PoolView, WorkerChange, WorkerView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Chart, Header, Moment, WorkerRow, pool, problem, rounded};

/// One worker, or one instance of a plain service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerScreen {
    /// The collector, and whether the figures are current.
    pub header: Header,
    /// Its pool.
    pub pool: String,
    /// The worker as in the table of its pool.
    pub row: WorkerRow,
    /// What identifies it, in the order in which it is shown.
    pub identity: Vec<Fact>,
    /// The last 15 minutes; empty where no history is kept of it.
    pub charts: Vec<Chart>,
    /// Its last changes, the youngest first.
    pub changes: Vec<ChangeRow>,
    /// PromQL that selects its series.
    pub promql: String,
    /// The command that explains how its pool's workers are known.
    pub explain: String,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value. It may come from outside and is not escaped.
    pub value: String,
}

/// A change in a worker's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeRow {
    /// When it was noticed, in Unix seconds.
    pub at_seconds: f64,
    /// `joined`, `left`, `stale`, `recovered`, `restarted`, `replaced` or `refused`.
    pub change: String,
    /// More about it in words; empty where there is no more.
    pub detail: String,
}

impl WorkerScreen {
    /// The screen of a worker, by its id in decimal, in hexadecimal with `0x`, or as it is in the table; `None` where there
    /// is no such pool or worker.
    pub fn new(pool_name: &str, worker: &str, moment: &Moment<'_>) -> Option<Self> {
        let pool = pool::find(pool_name, &moment.published.snapshot)?;
        let view = find(pool, worker)?;
        let snapshot = &moment.published.snapshot;
        let past = moment.history.pool(&pool.name);
        let past = past.and_then(|past| past.worker(&view.identity.key));
        let identity = &*view.identity;
        let mut facts = vec![Fact::new("Worker id", &identity.worker_id)];
        if !identity.worker_hex.is_empty() {
            facts.push(Fact::new("In hexadecimal", &identity.worker_hex));
        }
        let events = view.events.as_deref();
        let generation = events.and_then(|events| events.scope.map(EventScope::generation));
        for (name, value) in [
            ("Subject", &*identity.subject),
            ("Instance", &*identity.service_id),
            ("Version", &*identity.version),
            ("Layout", &*identity.layout),
            ("Known by", view.source().as_str()),
            ("Dynamo", generation.unwrap_or_default()),
            ("Load from", view.schema),
            ("Capacity from", view.capacity.as_str()),
        ] {
            if !value.is_empty() {
                facts.push(Fact::new(name, value));
            }
        }
        if let Some(profile) = identity.profile.as_deref() {
            for label in snapshot.metadata.iter() {
                let value = profile.value(label);
                if !value.is_empty() {
                    facts.push(Fact::new(label, value));
                }
            }
        }
        let changes = snapshot.changes.iter().rev();
        let changes = changes
            .filter(|change| *change.pool == pool.name && change.worker.key == identity.key)
            .map(ChangeRow::new)
            .collect();
        let quoted = |text: &str| {
            text.replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n")
        };
        let (promql, explain) = match &pool.name {
            PoolName::Workers(path) => (
                format!(
                    "{{__name__=~\"llm_worker_.*\",dynamo_namespace=\"{}\",dynamo_component=\"{}\",dynamo_endpoint=\"{}\",worker_id=\"{}\"}}",
                    quoted(path.namespace.as_str()),
                    quoted(path.component.as_str()),
                    quoted(path.endpoint.as_str()),
                    quoted(&identity.worker_id)
                ),
                explain_command(&path.to_string()),
            ),
            PoolName::Service { service, endpoint } => (
                format!(
                    "{{__name__=~\"nats_service_.*\",nats_service=\"{}\",nats_endpoint=\"{}\",instance_id=\"{}\"}}",
                    quoted(service),
                    quoted(endpoint),
                    quoted(&identity.service_id)
                ),
                explain_command(service),
            ),
        };
        Some(Self {
            header: Header::new(moment, &problem::all(moment)),
            pool: pool_name.to_owned(),
            row: WorkerRow::new(view, pool, past, moment),
            identity: facts,
            charts: moment.history.worker_charts(pool, &identity.key),
            changes,
            promql,
            explain,
        })
    }
}

/// The worker of this id in decimal, in hexadecimal with `0x`, or as it is in the table.
pub(super) fn find<'a>(pool: &'a PoolView, worker: &str) -> Option<&'a WorkerView> {
    let hex = worker.strip_prefix("0x");
    pool.workers.iter().find(|view| {
        let identity = &view.identity;
        *identity.worker_id == *worker || hex.is_some_and(|hex| *identity.worker_hex == *hex)
    })
}

/// The command that explains a pool or a service.
pub(crate) fn explain_command(name: &str) -> String {
    let name = shlex::try_quote(name).unwrap_or_else(|_| "''".into());
    format!("metrics explain {name}")
}

impl Fact {
    fn new(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }
}

impl ChangeRow {
    pub(super) fn new(change: &WorkerChange) -> Self {
        Self {
            at_seconds: rounded(change.at.as_secs_f64()),
            change: change.change.as_str().to_owned(),
            detail: change.detail.to_string(),
        }
    }
}
