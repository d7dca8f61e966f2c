//! The resolved configuration: what the flags and the environment come to.

use std::path::PathBuf;
use std::time::Duration;

use fleet::{
    Buckets, Form, Given, Labelled, MetadataLabel, NameGlob, OptInTopics, PathGlob, Plan, Selector, Settings,
};
use link::Servers;
use program::nats::Nats;
use protocol::{EndpointPath, NameError, PathError, subject};
use web::{Address, Limits, WebArgs};

use crate::args::{CollectArgs, SharedArgs};
use crate::etcd::EtcdServers;
use crate::export::ExportOptions;
use crate::external::ExternalUrl;
use crate::history::Keep;
use crate::mapping;
use crate::sinks::{Receiver, Sinks, publish};
use crate::target::Target;
use crate::top::Attach;

/// Where the page is served unless flags say otherwise.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 9091;

/// All that the collector needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to watch, and by which rules.
    pub plan: Plan,
    /// Where NATS is, and how to connect to it.
    pub nats: Nats,
    /// Where etcd is, if workers register what they can hold there.
    pub etcd: Option<EtcdServers>,
    /// Where the page is served.
    pub listen: Vec<Address>,
    /// Where TLS, users and headers of the page are configured.
    pub web_config: Option<PathBuf>,
    /// What clients of the page may cost.
    pub limits: Limits,
    /// What is on the page.
    pub export: ExportOptions,
    /// How much of the last 15 minutes is remembered.
    pub history: Keep,
    /// Where a reverse proxy serves the page.
    pub external: Option<ExternalUrl>,
    /// How long the page may take to end.
    pub grace: Duration,
    /// Where to push what the page shows.
    pub sinks: Sinks,
}

/// Values that are each valid and cannot be together, or one that only the whole shows to be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The fields of the flags that it is about.
    pub ids: Vec<String>,
    /// What is wrong, with the flags' names, and the remedy.
    pub message: String,
}

impl Wrong {
    /// Puts the two together.
    pub fn new<const N: usize>(ids: [&str; N], message: impl Into<String>) -> Self {
        let ids = ids.map(str::to_owned).into();
        let message = message.into();
        Self { ids, message }
    }
}

impl Config {
    /// Puts flags together. `given` says of the field of a flag where its value was given.
    ///
    /// # Errors
    /// All that is wrong with flags that are each valid.
    pub fn resolve(
        collect: CollectArgs,
        shared: &SharedArgs,
        nats: Nats,
        given: impl Fn(&str) -> Given,
    ) -> Result<Self, Vec<Wrong>> {
        let mut wrong = contradictions(&collect, shared);
        if !Self::has_something_to_watch(&collect) {
            wrong.push(Wrong::new(
                [],
                "there is nothing to watch: name pools with --target, or services with --service; `metrics list` shows what there is",
            ));
        }
        let sinks = collect.push.resolve(collect.rounds.poll_interval);
        let (Ok(etcd), Ok(named), Ok(sinks), true) =
            (etcd_servers(&collect), named(&collect), sinks, wrong.is_empty())
        else {
            return Err(wrong);
        };
        let round_timeout = shared.round_timeout.unwrap_or(collect.rounds.poll_interval);
        let settings = Settings {
            poll_interval: collect.rounds.poll_interval,
            round_timeout,
            stale_after: collect.rounds.stale_after,
            gone_after: collect.rounds.gone_after,
            queue_target: collect.reports.queue_target,
            kv_target: collect.reports.kv_target,
            event_max_age: collect.rounds.event_max_age,
            event_gone_after: collect.rounds.event_gone_after,
            event_idle_gone_after: collect.rounds.event_idle_gone_after,
            topics: OptInTopics {
                kv_events: collect.reports.kv_events,
                active_sequences: collect.reports.active_sequences,
            },
            ..Settings::default()
        };
        let rules = rules(&collect, shared);
        let every_service = collect.watch.all_services.then(|| NameGlob::new("*"));
        let (listen, limits) = (addresses(&collect), collect.page.web.limits());
        let services = collect.watch.service.into_iter().chain(every_service);
        let forms = |form, selectors: &mut dyn Iterator<Item = &Selector>| -> Vec<_> {
            let path = |selector: &Selector| match selector {
                Selector::Path(path) => Some((path.clone(), form)),
                _ => None,
            };
            selectors.filter_map(path).collect()
        };
        let of_names = forms(Form::Names(given("component")), &mut named.iter());
        let targets = &mut collect.watch.target.iter().map(|target| &target.selector);
        let of_targets = forms(Form::Target(given("target")), targets);
        let selectors = named
            .into_iter()
            .chain(collect.watch.target.iter().map(|target| target.selector.clone()))
            .chain(services.map(Selector::Services))
            .collect();
        let mut buckets = Buckets::default();
        for measure in collect.reports.buckets {
            buckets.set(measure);
        }
        Ok(Self {
            plan: Plan {
                selectors,
                forms: of_targets.into_iter().chain(of_names).collect(),
                services_given: given("service"),
                excludes: collect.watch.exclude,
                request_traces: match collect.reports.request_trace_subject.is_empty() {
                    true => vec![subject::REQUEST_TRACE.to_owned()],
                    false => collect.reports.request_trace_subject,
                },
                buckets,
                settings,
                ..rules
            },
            nats,
            etcd,
            listen,
            web_config: collect.page.web.web_config_file,
            limits,
            export: ExportOptions {
                compat: collect.page.compat,
                worker_series: collect.page.worker_series,
                instance_series: collect.page.instance_series,
                max_series: collect.page.max_series,
            },
            history: collect.page.history,
            external: collect.page.web_external_url,
            grace: collect.page.grace,
            sinks,
        })
    }

    /// Whether these flags name anything to watch.
    pub fn has_something_to_watch(collect: &CollectArgs) -> bool {
        collect.watch.component.is_some()
            || collect.watch.endpoint.is_some()
            || !collect.watch.target.is_empty()
            || !collect.watch.service.is_empty()
            || collect.watch.all_services
    }
}

/// What the collector and the commands that look once have in common: how they read what is there, whatever they watch.
pub fn rules(collect: &CollectArgs, shared: &SharedArgs) -> Plan {
    Plan {
        excluded_services: collect.watch.exclude_service.clone(),
        metadata: collect.reports.metadata_labels.clone(),
        mappings: shared.mapping.clone(),
        labels: labels(&collect.watch.target),
        patterns: shared.subject_pattern.clone(),
        capacities: collect.reports.capacity.clone(),
        ..Plan::watching(Vec::new())
    }
}

/// What is wrong with [`rules`] that are each valid.
pub fn contradictions_of_rules(collect: &CollectArgs, shared: &SharedArgs) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if let Err(message) = mapping::check_together(&shared.mapping) {
        wrong.push(Wrong::new(["mapping"], message));
    }
    if let Some(name) = label_of_both(collect, shared) {
        let message = format!(
            "the label {name} is used by both a --mapping and a --target: choose another name for one of them"
        );
        wrong.push(Wrong::new(["mapping", "target"], message));
    }
    if let Err(error) = MetadataLabel::check(&collect.reports.metadata_labels) {
        wrong.push(Wrong::new(
            ["metadata_labels"],
            format!("--metadata-labels: {error}"),
        ));
    }
    wrong
}

/// All that is wrong with flags that are each valid, apart from there being too few of them.
pub fn contradictions(collect: &CollectArgs, shared: &SharedArgs) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let (stale, gone) = (collect.rounds.stale_after, collect.rounds.gone_after);
    if stale >= gone {
        let message = format!("--stale-after {stale} must be less than --gone-after {gone}");
        wrong.push(Wrong::new(["stale_after", "gone_after"], message));
    }
    let round_timeout = shared.round_timeout.unwrap_or(collect.rounds.poll_interval);
    if round_timeout > collect.rounds.poll_interval {
        let message = format!(
            "--round-timeout {} must not be longer than --poll-interval {}: a round ends before the next begins; raise --poll-interval",
            humantime::format_duration(round_timeout),
            humantime::format_duration(collect.rounds.poll_interval)
        );
        wrong.push(Wrong::new(["round_timeout", "poll_interval"], message));
    }
    let WebArgs { listen, .. } = &collect.page.web;
    if !listen.is_empty() && (collect.page.host.is_some() || collect.page.metrics_port.is_some()) {
        let message = "--listen takes the place of --host and --metrics-port: give one or the other, in flags, environment and file together";
        wrong.push(Wrong::new(["listen", "host", "metrics_port"], message));
    }
    wrong.extend(named(collect).err());
    wrong.extend(contradictions_of_rules(collect, shared));
    wrong.extend(etcd_servers(collect).err());
    wrong.extend(
        collect
            .push
            .resolve(collect.rounds.poll_interval)
            .err()
            .into_iter()
            .flatten(),
    );
    wrong
}

/// The subjects, as patterns, to which aggregates are published; none unless they are asked for.
pub fn published(collect: &CollectArgs) -> Vec<String> {
    let named = named(collect).ok().flatten();
    let targets = collect.watch.target.iter().map(|target| &target.selector);
    match collect.push.publish {
        Some(_) => publish::subjects(named.iter().chain(targets)),
        None => Vec::new(),
    }
}

/// The address of the page on this machine, for a client that runs there too; `None` where the page takes any free port.
pub fn local_page(collect: &CollectArgs) -> Option<Attach> {
    addresses(collect).into_iter().find_map(|address| {
        let (host, port) = match address {
            Address::Tcp { host, port } => (host, port),
            Address::Unix(path) => return Some(Attach::at_socket(path)),
        };
        let host = match host.as_str() {
            "0.0.0.0" => HOST.to_owned(),
            "::" => "[::1]".to_owned(),
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let receiver: Receiver = format!("http://{host}:{port}").parse().ok()?;
        (port > 0).then(|| receiver.into())
    })
}

/// Where the page is served.
pub fn addresses(collect: &CollectArgs) -> Vec<Address> {
    if !collect.page.web.listen.is_empty() {
        return collect.page.web.listen.clone();
    }
    let host = collect.page.host.as_deref().unwrap_or(HOST);
    vec![Address::Tcp {
        host: host.to_owned(),
        port: collect.page.metrics_port.unwrap_or(PORT),
    }]
}

/// A label that a mapping has as well as a target: a sample would have it twice.
fn label_of_both<'a>(collect: &'a CollectArgs, shared: &SharedArgs) -> Option<&'a str> {
    let metrics = || shared.mapping.iter().map(|mapping| &mapping.metric);
    let is_mapped = |name: &str| {
        metrics().any(|metric| {
            let constant = metric.const_labels.iter().map(|(name, _)| name);
            metric.labels.iter().chain(constant).any(|known| known == name)
        })
    };
    let labels = collect.watch.target.iter().flat_map(|target| &target.labels);
    labels.map(|(name, _)| name.as_str()).find(|name| is_mapped(name))
}

fn labels(targets: &[Target]) -> Vec<Labelled> {
    let with_labels = targets.iter().filter(|target| !target.labels.is_empty());
    let labelled = with_labels.map(|Target { selector, labels }| Labelled {
        pools: selector.clone(),
        labels: labels.as_slice().into(),
    });
    labelled.collect()
}

/// What the flags for one path name, if they name one; each may be a pattern.
fn named(collect: &CollectArgs) -> Result<Option<Selector>, Wrong> {
    let (component, endpoint) = match (&collect.watch.component, &collect.watch.endpoint) {
        (Some(component), Some(endpoint)) => (component.as_str(), endpoint.as_str()),
        (Some(_), None) => return Err(Wrong::new(["component"], "--component needs --endpoint")),
        (None, Some(_)) => return Err(Wrong::new(["endpoint"], "--endpoint needs --component")),
        (None, None) => return Ok(None),
    };
    let names = [&collect.watch.namespace, component, endpoint];
    if names.iter().any(|name| name.contains('*')) {
        return Ok(Some(Selector::Glob(PathGlob::new(names))));
    }
    let path = path(names).map_err(|source| {
        let text = names.join("/");
        let message = PathError::Name { text, source }.to_string();
        Wrong::new(["namespace", "component", "endpoint"], message)
    })?;
    Ok(Some(Selector::Path(path)))
}

fn path([namespace, component, endpoint]: [&str; 3]) -> Result<EndpointPath, NameError> {
    Ok(EndpointPath::new(
        namespace.parse()?,
        component.parse()?,
        endpoint.parse()?,
    ))
}

/// Where etcd is. clap would show a wrong value, password and all, so it does not parse this flag.
fn etcd_servers(collect: &CollectArgs) -> Result<Option<EtcdServers>, Wrong> {
    let parse = |text: &String| {
        text.parse().map_err(|error| {
            let shown = Servers::redact(text);
            let message =
                format!("invalid value '{shown}' for '--etcd <URL>': {error}; write e.g. http://etcd:2379");
            Wrong::new(["etcd"], message)
        })
    };
    collect.reports.etcd.as_ref().map(parse).transpose()
}
