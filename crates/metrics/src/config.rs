//! The resolved configuration: what the flags and the environment come to.

use std::time::Duration;

use clap::CommandFactory;
use clap::error::ErrorKind;
use fleet::{Buckets, OptInTopics, PathGlob, Plan, Selector, Settings};
use link::Servers;
use program::nats::Nats;
use protocol::{EndpointPath, PathError, subject};

use crate::args::{Cli, CollectArgs, SharedArgs};
use crate::etcd::EtcdServers;
use crate::export::ExportOptions;

/// All that the collector needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to watch, and by which rules.
    pub plan: Plan,
    /// Where NATS is, and how to connect to it.
    pub nats: Nats,
    /// Where etcd is, if workers register what they can hold there.
    pub etcd: Option<EtcdServers>,
    /// Address of the page.
    pub host: String,
    /// Port of the page.
    pub port: u16,
    /// What is on the page.
    pub export: ExportOptions,
    /// How long the page may take to end.
    pub grace: Duration,
}

impl Config {
    /// Puts flags together.
    ///
    /// # Errors
    /// A clap error, which exits with 2, where flags that are each valid contradict each other.
    pub fn resolve(collect: CollectArgs, shared: &SharedArgs, nats: Nats) -> Result<Self, clap::Error> {
        let wrong = |message: String| Cli::command().error(ErrorKind::ValueValidation, message);
        if collect.stale_after >= collect.gone_after {
            return Err(wrong(format!(
                "--stale-after {} must be less than --gone-after {}",
                collect.stale_after, collect.gone_after
            )));
        }
        let round_timeout = shared.round_timeout.unwrap_or(collect.poll_interval);
        if round_timeout > collect.poll_interval {
            return Err(wrong(format!(
                "--round-timeout {} must not be longer than --poll-interval {}: a round ends before the next begins; raise --poll-interval",
                humantime::format_duration(round_timeout),
                humantime::format_duration(collect.poll_interval)
            )));
        }
        let settings = Settings {
            poll_interval: collect.poll_interval,
            round_timeout,
            stale_after: collect.stale_after,
            gone_after: collect.gone_after,
            queue_target: collect.queue_target,
            kv_target: collect.kv_target,
            event_max_age: collect.event_max_age,
            event_gone_after: collect.event_gone_after,
            event_idle_gone_after: collect.event_idle_gone_after,
            topics: OptInTopics {
                kv_events: collect.kv_events,
                active_sequences: collect.active_sequences,
            },
            ..Settings::default()
        };
        let mut buckets = Buckets::default();
        for measure in collect.buckets {
            buckets.set(measure);
        }
        let etcd = collect.etcd.as_deref().map(etcd_servers).transpose()?;
        let flags = collect.component.zip(collect.endpoint);
        let named = flags.map(|(component, endpoint)| named(&collect.namespace, &component, &endpoint));
        let named = named.transpose().map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            plan: Plan {
                excludes: collect.exclude,
                patterns: shared.subject_pattern.clone(),
                capacities: collect.capacity,
                request_traces: match collect.request_trace_subject.is_empty() {
                    true => vec![subject::REQUEST_TRACE.to_owned()],
                    false => collect.request_trace_subject,
                },
                buckets,
                settings,
                ..Plan::watching(named.into_iter().chain(collect.target).collect())
            },
            nats,
            etcd,
            host: collect.host,
            port: collect.metrics_port,
            export: ExportOptions {
                compat: collect.compat,
                worker_series: collect.worker_series,
                max_series: collect.max_series,
            },
            grace: collect.grace,
        })
    }
}

/// What the flags for one path name; each may be a pattern.
fn named(namespace: &str, component: &str, endpoint: &str) -> Result<Selector, PathError> {
    let names = [namespace, component, endpoint];
    match names.iter().any(|name| name.contains('*')) {
        true => Ok(Selector::Glob(PathGlob::new(names))),
        false => {
            let name = |source| PathError::Name {
                text: names.join("/"),
                source,
            };
            Ok(Selector::Path(EndpointPath::new(
                namespace.parse().map_err(name)?,
                component.parse().map_err(name)?,
                endpoint.parse().map_err(name)?,
            )))
        }
    }
}

/// Where etcd is. clap would show a wrong value, password and all, so it does not parse this flag.
fn etcd_servers(text: &str) -> Result<EtcdServers, clap::Error> {
    text.parse().map_err(|error| {
        let shown = Servers::redact(text);
        let message =
            format!("invalid value '{shown}' for '--etcd <URL>': {error}; write e.g. http://etcd:2379");
        Cli::command().error(ErrorKind::ValueValidation, message)
    })
}
