//! Flags of the commands that do one thing and end.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fleet::{NameGlob, NoServiceName, Selector};
use program::time::{Bounds, time_within};
use protocol::EndpointPath;

const LISTEN_FOR: Bounds = (Duration::ZERO, Duration::from_secs(3600));
const WATCH: Bounds = (Duration::from_millis(200), Duration::from_secs(3600));

/// Flags of `healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckArgs {
    /// Ask whether what the page shows can be relied on (/readyz), and not only whether the collector is alive (/healthz).
    #[arg(long)]
    pub ready: bool,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A pool of workers: namespace/component/endpoint, or with dots, or dyn://…. A text without a slash or a dot is the name
    /// of a plain NATS service. With `*`, each pool or service that it matches.
    #[arg(value_name = "PATH|SERVICE", value_parser = path_or_service, required_unless_present = "named_service")]
    pub target: Option<Selector>,
    /// A plain NATS service, by its name; `*` matches any text.
    #[arg(long = "service", id = "named_service", conflicts_with = "target", value_parser = explained_service, value_name = "NAME")]
    pub service: Option<NameGlob>,
    /// Show every instance with its subjects, and not only groups of them with counts.
    #[arg(long)]
    pub all: bool,
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Pools that are to have workers: namespace/component/endpoint; `*` in a name matches any text.
    #[arg(value_name = "PATH")]
    pub target: Vec<Selector>,
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Flags of `conform`.
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// The pool whose workers to check: namespace/component/endpoint, or with dots, or dyn://….
    #[arg(value_name = "PATH")]
    pub target: EndpointPath,
    /// Send this to each worker as a request, and check that it is answered and counted. A worker does what the request says.
    #[arg(long, value_name = "TEXT")]
    pub request: Option<String>,
    /// Also send messages without a reply subject. Workers of Dynamo 0.1 to 0.8 stop answering after one until they are
    /// restarted, so use workers that you can spare.
    #[arg(long)]
    pub without_reply: bool,
    /// Send the request again and again, up to this long, while you stop the first worker, and check that none is lost.
    #[arg(long, value_name = "TIME", requires = "request", value_parser = time_within(LISTEN_FOR))]
    pub drain: Option<Duration>,
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
}

/// Flags of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How to look.
    #[command(flatten)]
    pub look: LookArgs,
    /// Show the list again after each interval, from 200ms to 1h, until Ctrl-C.
    #[arg(long, num_args = 0..=1, default_missing_value = "2s", value_parser = time_within(WATCH), value_name = "INTERVAL")]
    pub watch: Option<Duration>,
}

/// Flags of `top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The page of a running collector, e.g. http://metrics:9091, https://USER:PASSWORD@metrics:9091 or
    /// unix:/run/metrics.sock.
    #[arg(long, value_name = "ADDRESS")]
    pub attach: Option<String>,
    /// CA certificates in PEM that are trusted with --attach https://… [default: those of the system].
    #[arg(long = "attach-tlsca", requires = "attach", value_name = "FILE")]
    pub attach_tlsca: Option<PathBuf>,
    /// Print one table and end.
    #[arg(long)]
    pub once: bool,
    /// Print JSON in place of the table.
    #[arg(long, requires = "once")]
    pub json: bool,
    /// Time between rounds where there is no collector, from 200ms to 1h.
    #[arg(long, default_value = "2s", value_parser = time_within(WATCH), value_name = "TIME")]
    pub interval: Duration,
    /// Take the mouse: the wheel moves, a click chooses, a second one opens. The terminal selects no text then.
    #[arg(long)]
    pub mouse: bool,
}

/// Flags of commands that look once.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// How long to listen to events, from 0s to 1h. An idle worker of Dynamo 1.1 or later is heard once a second if its
    /// engine reports its passes, and else only when its load changes.
    #[arg(long, default_value = "3s", value_parser = time_within(LISTEN_FOR), value_name = "TIME")]
    pub listen_for: Duration,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Reads a path, or the name of a plain service.
fn path_or_service(text: &str) -> Result<Selector, String> {
    match text.contains(['/', '.']) {
        true => text.parse::<Selector>().map_err(|error| error.to_string()),
        false => explained_service(text).map(Selector::Services),
    }
}

/// Reads the name of a service that is to be explained.
fn explained_service(text: &str) -> Result<NameGlob, String> {
    NameGlob::of_services(text).map_err(|error| match error {
        NoServiceName::Path(_) => "it is a path of workers; write it without --service".to_owned(),
        error => error.to_string(),
    })
}
